//! What a source can reach, read from the names it uses; and the shape that its kind asks for.

use std::collections::BTreeSet;

use rhai::{AST, ASTFlags, ASTNode, Expr, FnCallExpr, Namespace, Position, Stmt};

use crate::failure::position;
use crate::{Diagnostic, Kind, import};

/// Interfaces of the world that a grant can name, by the module that reaches them.
const INTERFACES: &[&str] =
    &["dead_letters", "docs", "email", "files", "http", "invoke", "kv", "log", "pubsub", "queue", "secrets"];

/// Interfaces in `INTERFACES` order. A name that only looks like one (a local module of that name cannot exist) counts.
pub(crate) fn derive(ast: &AST) -> Vec<String> {
    let mut found = BTreeSet::new();
    ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                note(call, &mut found)
            }
            Some(ASTNode::Expr(Expr::Variable(variable, _, _))) if !variable.2.is_empty() => {
                insert(variable.2.root(), &mut found)
            }
            _ => {}
        }
        true
    });
    found.into_iter().map(str::to_owned).collect()
}

/// Modules that need no grant: they reach nothing.
const STATELESS: [&str; 9] = ["base64", "crypto", "hex", "json", "random", "regex", "retry", "time", "url"];
/// Rhai's own: constants of the script's top level.
const GLOBAL: &str = "global";

/// A module holds functions, constants and imports only, so that importing it does nothing by itself.
pub(crate) fn check_shape(kind: Kind, ast: &AST) -> Result<(), Diagnostic> {
    let aliases = import::aliases(ast, |alias| is_platform(alias) || alias == GLOBAL)?;
    let mut found = None;
    ast.walk(&mut |path| {
        found = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                unknown_module(&call.namespace, &aliases)
            }
            Some(ASTNode::Expr(Expr::Variable(variable, _, _))) => unknown_module(&variable.2, &aliases),
            _ => None,
        };
        found.is_none()
    });
    if let Some(found) = found {
        return Err(found);
    }
    if kind == Kind::Module {
        for statement in ast.statements() {
            let allowed = match statement {
                Stmt::Noop(_) | Stmt::Export(..) | Stmt::Import(..) => true,
                Stmt::Var(_, flags, _) => flags.intersects(ASTFlags::CONSTANT),
                _ => false,
            };
            if !allowed {
                let message = "a module may hold only functions, constants and imports at top level";
                return Err(diagnostic(message, statement.position()));
            }
        }
    }
    Ok(())
}

/// A misspelt or missing module is told at upload, not at the call that happens to reach it.
fn unknown_module(namespace: &Namespace, aliases: &[String]) -> Option<Diagnostic> {
    if namespace.is_empty() {
        return None;
    }
    let root = namespace.root();
    let known = is_platform(root) || root == GLOBAL || aliases.iter().any(|alias| alias == root);
    (!known).then(|| {
        let modules = [INTERFACES, &STATELESS[..]].concat().join(", ");
        diagnostic(&format!("there is no module `{root}`: there are {modules}, and what is imported"), namespace.position())
    })
}

fn is_platform(name: &str) -> bool {
    INTERFACES.contains(&name) || STATELESS.contains(&name)
}

fn note(call: &FnCallExpr, found: &mut BTreeSet<&'static str>) {
    if !call.namespace.is_empty() {
        insert(call.namespace.root(), found);
    } else if call.name == "print" || call.name == "debug" {
        found.insert("log");
    }
}

fn insert(root: &str, found: &mut BTreeSet<&'static str>) {
    if let Some(interface) = INTERFACES.iter().find(|interface| **interface == root) {
        found.insert(interface);
    }
}

fn diagnostic(message: &str, at: Position) -> Diagnostic {
    Diagnostic { message: message.to_owned(), at: position(at) }
}
