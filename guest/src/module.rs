//! Modules of the app, evaluated once at `provide`: an `import` at run time finds them ready.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

thread_local! {
    static PROVIDED: RefCell<BTreeMap<String, Shared<Module>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Finds what was provided, by name.
pub(crate) struct Provided;

impl ModuleResolver for Provided {
    fn resolve(&self, _: &Engine, _: Option<&str>, name: &str, at: Position) -> Result<Shared<Module>, Box<EvalAltResult>> {
        PROVIDED.with_borrow(|provided| match provided.get(name) {
            Some(module) => Ok(module.clone()),
            None => Err(Box::new(EvalAltResult::ErrorModuleNotFound(name.to_owned(), at))),
        })
    }
}

/// Evaluates the module: its constants, and its functions with what they import.
pub(crate) fn provide(engine: &Engine, name: &str, ast: &AST) -> Result<(), Box<EvalAltResult>> {
    let module = Module::eval_ast_as_new(Scope::new(), ast, engine)?;
    PROVIDED.with_borrow_mut(|provided| provided.insert(name.to_owned(), module.into()));
    Ok(())
}
