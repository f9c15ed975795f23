//! Native Rhai, the predecessor's way: one engine, a cached AST, no wall between tenants.

use rhai::{AST, Dynamic, Engine, Map, Scope};

use super::Failure;

pub(crate) struct Native {
    engine: Engine,
    ast: AST,
}

impl Native {
    pub(crate) fn new(source: &str) -> Result<Self, Failure> {
        let engine = Engine::new();
        let ast = engine.compile(source)?;
        Ok(Self { engine, ast })
    }

    /// What the script says to a request for a path.
    pub(crate) fn call(&self, path: &str) -> Dynamic {
        let mut request = Map::new();
        request.insert("path".into(), path.into());
        let mut ctx = Map::new();
        ctx.insert("request".into(), request.into());
        let mut scope = Scope::new();
        scope.push_constant("ctx", ctx);
        self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &self.ast).expect("the script runs")
    }
}
