//! The interpreter: Rhai's own packages, the script library, and what is switched off.

use std::cell::Cell;

use rhai::{Engine, EvalAltResult, INT, Token};

use crate::api;
use crate::limits::{CALL_LEVELS_MAX, EXPRESSION_DEPTH_MAX, FUNCTION_EXPRESSION_DEPTH_MAX};
use crate::module;
use crate::picloud::sandbox::log::{Level, write};

/// Function hashes must not differ between builds or instances: an image holds them.
pub(crate) fn seed_hashes() {
    let _ = rhai::config::hashing::set_hashing_seed(Some([0x7069, 0x636c, 0x6f75, 0x6421]));
}

pub(crate) fn build() -> Engine {
    let mut engine = Engine::new();
    engine.set_max_call_levels(CALL_LEVELS_MAX);
    engine.set_max_expr_depths(EXPRESSION_DEPTH_MAX, FUNCTION_EXPRESSION_DEPTH_MAX);
    engine.disable_symbol("eval");
    engine.set_module_resolver(module::Provided);
    name_functions_freely(&mut engine);
    engine.on_print(|text| write(Level::Info, text, None));
    engine.on_debug(|text, _, position| {
        if position.is_none() {
            write(Level::Debug, text, None);
        } else {
            write(Level::Debug, &format!("{text} @ {position}"), None);
        }
    });
    // Rhai's own `sleep` would stop the thread, which a sandbox does not have.
    engine.register_fn("sleep", |_: INT| no_sleep());
    engine.register_fn("sleep", |_: f64| no_sleep());
    api::register(&mut engine);
    engine
}

/// `call` is a word of the language, for function pointers (`f.call(1)`); behind `::` it is a name like any other.
#[allow(deprecated, reason = "not deprecated but volatile, says its text; the tests of `invoke` see a change")]
fn name_functions_freely(engine: &mut Engine) {
    let qualified = Cell::new(false);
    engine.on_parse_token(move |token, _, _| {
        let qualified = qualified.replace(token == Token::DoubleColon);
        match token {
            Token::Reserved(word) if qualified && word.as_str() == "call" => Token::Identifier(word),
            token => token,
        }
    });
}

fn no_sleep() -> Result<(), Box<EvalAltResult>> {
    Err(api::error("not_available", "scripts cannot sleep: an invocation that waits would hold its place".to_owned()))
}
