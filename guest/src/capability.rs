//! What a source can reach, read from the names it uses; and the shape that its kind asks for.

use std::collections::BTreeSet;

use rhai::{AST, ASTFlags, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::failure::position;
use crate::{Diagnostic, Kind};

/// Interfaces of the world that a grant can name, by the module that reaches them.
const INTERFACES: [&str; 2] = ["kv", "log"];

/// Interfaces in `INTERFACES` order. A name that only looks like one (a local module of that name cannot exist) counts.
pub(crate) fn derive(ast: &AST) -> Vec<String> {
    let mut found = BTreeSet::new();
    ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => note(call, &mut found),
            Some(ASTNode::Expr(Expr::Variable(variable, _, _))) => {
                if !variable.2.is_empty() {
                    insert(variable.2.root(), &mut found);
                }
            }
            _ => {}
        }
        true
    });
    found.into_iter().map(str::to_owned).collect()
}

/// A module holds functions and constants only, so that importing it does nothing by itself.
pub(crate) fn check_shape(kind: Kind, ast: &AST) -> Result<(), Diagnostic> {
    let mut import = None;
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(_, at))) = path.last() {
            import = Some(*at);
        }
        import.is_none()
    });
    if let Some(at) = import {
        return Err(diagnostic("`import` is not available: a script stands alone", at));
    }
    if kind == Kind::Module {
        for statement in ast.statements() {
            let allowed = match statement {
                Stmt::Noop(_) | Stmt::Export(..) => true,
                Stmt::Var(_, flags, _) => flags.intersects(ASTFlags::CONSTANT),
                _ => false,
            };
            if !allowed {
                return Err(diagnostic("a module may hold only functions and constants at top level", statement.position()));
            }
        }
    }
    Ok(())
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
