//! The exports: check, prepare, handle.

use std::cell::Cell;

use rhai::{AST, Dynamic, Engine, Scope};

use crate::picloud::sandbox::program::{Invocation, InvocationType, Request};
use crate::{
    Answer, Checked, Diagnostic, Failure, Kind, answer, capability, context, control, engine, failure, heap, import, module,
};

/// What the usual run takes from the heap of its instance.
const FREE_BYTES: usize = 64 << 10;
/// Memory that every instance has past that, so that the usual script and run never grow it.
const RESERVE_BYTES: usize = 704 << 10;

thread_local! {
    static ENGINE: Cell<Option<&'static Engine>> = const { Cell::new(None) };
    static PREPARED: Cell<Option<&'static AST>> = const { Cell::new(None) };
}

/// Builds the engine and walks once through what every invocation does, so that nothing is built lazily later.
pub(crate) fn warm() {
    engine::seed_hashes();
    std::panic::set_hook(Box::new(|panic| {
        // A collection asked for more than addresses can name: that is the script's doing, and its memory bound says so.
        if panic.payload_as_str().is_some_and(|message| message.contains("capacity overflow")) {
            control::exceed_memory()
        }
    }));
    ENGINE.set(Some(Box::leak(Box::new(engine::build()))));
    const SCRIPT: &str = r#"fn f(a) { a + 1 } let x = f(1); #{ statusCode: 200, headers: #{ a: "b" }, body: #{ x: x, path: ctx.request.path, list: [1, 2.5, true, ()] } }"#;
    let _ = prepare("warm", SCRIPT);
    let _ = handle(Invocation {
        execution_id: String::new(),
        request_id: String::new(),
        script_id: String::new(),
        script_name: String::new(),
        invocation_type: InvocationType::Http,
        request: Request {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            params: Vec::new(),
            rest: None,
            query: "a=b".to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: br#"{"a":{"b":[1,2.5,null]}}"#.to_vec(),
            remote_addr: String::new(),
        },
        event: None,
        response_body_bytes_max: 1 << 10,
    });
    PREPARED.set(None);
    heap::settle(FREE_BYTES, RESERVE_BYTES);
}

/// A module whose constants fail says where.
pub(crate) fn provide(name: &str, source: &str) -> Result<(), Diagnostic> {
    let ast = compile(name, source)?;
    module::provide(engine(), name, &ast).map_err(|error| {
        let failed = failure::of_error(&error, Some(name));
        Diagnostic { message: failed.message, at: failed.at }
    })
}

pub(crate) fn check(kind: Kind, name: &str, source: &str) -> Result<Checked, Diagnostic> {
    let ast = compile(name, source)?;
    capability::check_shape(kind, &ast)?;
    Ok(Checked { capabilities: capability::derive(&ast), imports: import::derive(&ast) })
}

pub(crate) fn prepare(name: &str, source: &str) -> Result<(), Diagnostic> {
    let ast = compile(name, source)?;
    PREPARED.set(Some(Box::leak(Box::new(ast))));
    Ok(())
}

pub(crate) fn handle(invocation: Invocation) -> Result<Answer, Failure> {
    let Some(ast) = PREPARED.get() else { control::trap() };
    let body_bytes_max = invocation.response_body_bytes_max as usize;
    let invocation_type = invocation.invocation_type;
    let ctx = context::build(invocation)?;
    let mut scope = Scope::new();
    scope.push_constant_dynamic("ctx", Dynamic::from_map(ctx));
    let result = engine().eval_ast_with_scope::<Dynamic>(&mut scope, ast);
    let of_value = |value: &Dynamic| match invocation_type {
        InvocationType::Function => answer::of_function(value, body_bytes_max),
        InvocationType::Http | InvocationType::Direct => answer::of_value(value, body_bytes_max),
        // Nobody waits for it.
        InvocationType::Event => Ok(answer::none()),
    };
    let answered = match &result {
        Ok(value) => of_value(value),
        Err(error) => match failure::thrown_response(error) {
            // An event has no one to answer: what its handler throws says that it was not handled.
            Some(value) if invocation_type != InvocationType::Event => of_value(value),
            _ => Err(failure::of_error(error, ast.source())),
        },
    };
    // The instance ends here: freeing what it holds would be work for nobody.
    std::mem::forget(scope);
    answered
}

fn compile(name: &str, source: &str) -> Result<AST, Diagnostic> {
    let mut ast = engine().compile(source).map_err(|error| failure::diagnostic(&error))?;
    ast.set_source(name);
    Ok(ast)
}

fn engine() -> &'static Engine {
    ENGINE.get().unwrap_or_else(|| control::trap())
}
