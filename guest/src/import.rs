//! What a source imports, and the shape that an import must have.

use rhai::{AST, ASTNode, Expr, Stmt};

use crate::Diagnostic;
use crate::failure::position;
use crate::picloud::sandbox::program::Dependency;

/// Modules by name, each once, in order of appearance.
pub(crate) fn derive(ast: &AST) -> Vec<Dependency> {
    let mut found: Vec<Dependency> = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(name, at) = &import.0
            && !found.iter().any(|known| known.name == name.as_str())
        {
            found.push(Dependency { name: name.to_string(), at: position(*at) });
        }
        true
    });
    found
}

/// The names under which a source imports modules. A name that is computed cannot be found before the call, and one that
/// hides a module of the platform would hide what the source reaches: both are refused.
pub(crate) fn aliases(ast: &AST, taken: impl Fn(&str) -> bool) -> Result<Vec<String>, Diagnostic> {
    let (mut aliases, mut wrong) = (Vec::new(), None);
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, at))) = path.last() {
            let (name, alias) = (&import.0, import.1.name.as_str());
            if !matches!(name, Expr::StringConstant(..)) {
                let message = "`import` takes the literal name of a module: import \"name\" as m;";
                wrong = Some(Diagnostic { message: message.to_owned(), at: position(*at) });
            } else if taken(alias) {
                let message = format!("`{alias}` is a module of the platform: import yours under another name");
                wrong = Some(Diagnostic { message, at: position(import.1.pos) });
            } else {
                aliases.push(alias.to_owned());
            }
        }
        wrong.is_none()
    });
    match wrong {
        Some(wrong) => Err(wrong),
        None => Ok(aliases),
    }
}
