//! Which scripts of an app import which of its modules. Names resolve within the app; a module may import others, at most
//! `IMPORT_DEPTH_MAX` deep and never in a circle. How many there may be behind one script is a quota of the app, which is held
//! when something is published: what is stored already goes on working.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::error::{Error, Kind, Result};
use crate::id::ScriptId;
use crate::limits;
use crate::model::script;

/// A module that a source names, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub name: String,
    pub line: Option<u32>,
    pub column: Option<u32>,
}

/// The active version of a script, as far as imports go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub id: ScriptId,
    pub name: String,
    pub kind: script::Kind,
    pub version: i32,
    pub imports: Vec<String>,
    /// Interfaces that its own source can reach.
    pub capabilities: Vec<String>,
}

/// The scripts of one app.
#[derive(Debug, Clone)]
pub struct Graph {
    nodes: BTreeMap<String, Node>,
    /// Behind one script.
    modules_max: usize,
}

impl Default for Graph {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Graph {
    /// With as many modules behind one script as any app may be allowed.
    pub fn new(nodes: Vec<Node>) -> Self {
        let nodes = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
        Self { nodes, modules_max: limits::MODULES_CEILING }
    }

    /// The same with at most so many modules behind one script.
    #[must_use]
    pub fn at_most(self, modules_max: usize) -> Self {
        Self { modules_max, ..self }
    }

    /// The same app with `node` in place of what has its name.
    #[must_use]
    pub fn with(mut self, node: Node) -> Self {
        self.nodes.insert(node.name.clone(), node);
        self
    }

    /// Everything that `name` imports with these statements, directly or not: each module once, after those that it imports.
    ///
    /// 422, naming the statement's place and the way there: `import_missing`, `import_foreign` (a name of another app or a
    /// path), `import_not_module`, `import_cycle`, `import_too_deep`, `import_too_many`.
    pub fn closure(&self, name: &str, imports: &[Import]) -> Result<Vec<&Node>> {
        let mut walk = Walk { graph: self, order: Vec::new(), done: BTreeMap::new(), chain: vec![name.to_owned()] };
        for import in imports {
            walk.enter(&import.name).map_err(|wrong| wrong.at(import))?;
        }
        Ok(walk.order)
    }

    /// The closure of a stored script.
    pub fn closure_of(&self, node: &Node) -> Result<Vec<&Node>> {
        self.closure_of_names(&node.name, &node.imports)
    }

    /// The closure of imports whose places are not known.
    pub fn closure_of_names(&self, name: &str, imports: &[String]) -> Result<Vec<&Node>> {
        let unplaced = |name: &String| Import { name: name.clone(), line: None, column: None };
        self.closure(name, &imports.iter().map(unplaced).collect::<Vec<_>>())
    }

    /// Scripts that import `name` themselves, by name.
    pub fn users(&self, name: &str) -> Vec<&Node> {
        self.nodes.values().filter(|node| node.imports.iter().any(|import| import == name)).collect()
    }

    /// Scripts that import `name`, directly or through others, by name.
    pub fn dependents(&self, name: &str) -> Vec<&Node> {
        let mut found: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![name];
        while let Some(next) = open.pop() {
            for user in self.users(next) {
                if user.name != name && found.insert(&user.name) {
                    open.push(&user.name);
                }
            }
        }
        found.into_iter().filter_map(|name| self.nodes.get(name)).collect()
    }
}

/// What a source and the modules behind it can reach together, sorted.
pub fn capabilities(own: &[String], modules: &[&Node]) -> Vec<String> {
    let behind = modules.iter().flat_map(|module| module.capabilities.iter());
    own.iter().chain(behind).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

struct Walk<'g> {
    graph: &'g Graph,
    order: Vec<&'g Node>,
    /// How deep below itself a finished module goes, itself counted.
    done: BTreeMap<&'g str, usize>,
    /// From the script down to where the walk is.
    chain: Vec<String>,
}

impl<'g> Walk<'g> {
    /// How deep `name` goes, itself counted.
    fn enter(&mut self, name: &str) -> std::result::Result<usize, Wrong> {
        let wrong = |code, message: String, chain: &[String]| Wrong { code, message, chain: chain.to_vec() };
        if script::check_name(name).is_err() {
            let message =
                format!("`{name}` is no name of a script: imports name a module of the same app, as in import \"tax\" as tax");
            return Err(wrong("import_foreign", message, &self.chain));
        }
        self.chain.push(name.to_owned());
        if self.chain.iter().filter(|step| *step == name).count() > 1 {
            let message = format!("modules import each other in a circle: {}", self.chain.join(" → "));
            return Err(wrong("import_cycle", message, &self.chain));
        }
        let Some(node) = self.graph.nodes.get(name) else {
            let message = format!("there is no module `{name}` in this app; publish it first");
            return Err(wrong("import_missing", message, &self.chain));
        };
        if node.kind != script::Kind::Module {
            let message = format!("`{name}` is an endpoint: only scripts of the kind module can be imported");
            return Err(wrong("import_not_module", message, &self.chain));
        }
        let deep = match self.done.get(name) {
            Some(deep) => *deep,
            None => {
                let mut below = 0;
                for import in &node.imports {
                    below = below.max(self.enter(import)?);
                }
                self.done.insert(&node.name, below + 1);
                self.order.push(node);
                below + 1
            }
        };
        let (depth, allowed) = (self.chain.len() - 2 + deep, limits::IMPORT_DEPTH_MAX);
        if depth > allowed {
            let message = format!("imports go {depth} modules deep; at most {allowed} are allowed");
            return Err(wrong("import_too_deep", message, &self.chain));
        }
        let (modules, allowed) = (self.order.len(), self.graph.modules_max);
        if modules > allowed {
            let message = format!(
                "the script imports more than {allowed} modules, those of its modules counted (the app's quota `modules`)"
            );
            return Err(wrong("import_too_many", message, &self.chain));
        }
        self.chain.pop();
        Ok(deep)
    }
}

struct Wrong {
    code: &'static str,
    message: String,
    chain: Vec<String>,
}

impl Wrong {
    fn at(self, import: &Import) -> Error {
        let place = match (import.line, import.column) {
            (Some(line), Some(column)) => format!("line {line}, column {column}: "),
            _ => String::new(),
        };
        Error::new(Kind::Invalid, self.code, format!("{place}{}", self.message)).with_details(json!({
            "field": "source",
            "import": import.name,
            "line": import.line,
            "column": import.column,
            "chain": self.chain,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn node(name: &str, kind: script::Kind, imports: &[&str]) -> Node {
        Node {
            id: ScriptId(Uuid::nil()),
            name: name.to_owned(),
            kind,
            version: 1,
            imports: imports.iter().map(|name| (*name).to_owned()).collect(),
            capabilities: vec![name.to_owned()],
        }
    }

    fn module(name: &str, imports: &[&str]) -> Node {
        node(name, script::Kind::Module, imports)
    }

    fn import(name: &str) -> Import {
        Import { name: name.to_owned(), line: Some(1), column: Some(8) }
    }

    fn names(nodes: &[&Node]) -> Vec<String> {
        nodes.iter().map(|node| node.name.clone()).collect()
    }

    fn refused(graph: &Graph, root: &str, first: &str) -> &'static str {
        graph.closure(root, &[import(first)]).unwrap_err().code
    }

    fn chain(length: usize) -> Graph {
        let name = |n: usize| format!("m{n}");
        let nodes = (0..length).map(|n| if n + 1 < length { module(&name(n), &[&name(n + 1)]) } else { module(&name(n), &[]) });
        Graph::new(nodes.collect())
    }

    #[test]
    fn a_module_comes_after_those_that_it_imports_and_once() {
        let graph = Graph::new(vec![module("a", &["b", "c"]), module("b", &["d"]), module("c", &["d"]), module("d", &[])]);
        let closure = graph.closure("main", &[import("c"), import("a")]).unwrap();
        assert_eq!(names(&closure), ["d", "c", "b", "a"]);
        assert_eq!(capabilities(&["kv".to_owned(), "a".to_owned()], &closure), ["a", "b", "c", "d", "kv"]);
    }

    #[test]
    fn each_fault_has_its_own_word() {
        let graph = Graph::new(vec![
            module("a", &["b"]),
            module("b", &["a"]),
            module("lost", &["nowhere"]),
            node("page", script::Kind::Endpoint, &[]),
        ]);
        assert_eq!(refused(&graph, "main", "nothing"), "import_missing");
        assert_eq!(refused(&graph, "main", "lost"), "import_missing");
        assert_eq!(refused(&graph, "main", "page"), "import_not_module");
        assert_eq!(refused(&graph, "main", "a"), "import_cycle");
        assert_eq!(refused(&graph, "self", "self"), "import_cycle");
        for foreign in ["other/tax", "../tax", "https://x", "", "Tax", "a b"] {
            assert_eq!(refused(&graph, "main", foreign), "import_foreign", "{foreign}");
        }
    }

    #[test]
    fn a_fault_names_its_place_and_the_way_there() {
        let graph = Graph::new(vec![module("a", &["b"]), module("b", &["gone"])]);
        let error = graph.closure("main", &[import("a")]).unwrap_err();
        let details = error.details.unwrap();
        assert_eq!((&details["line"], &details["column"]), (&json!(1), &json!(8)));
        assert_eq!(details["chain"], json!(["main", "a", "b", "gone"]));
    }

    #[test]
    fn depth_is_bounded_whichever_way_it_is_reached() {
        let allowed = limits::IMPORT_DEPTH_MAX;
        assert_eq!(chain(allowed).closure("main", &[import("m0")]).unwrap().len(), allowed);
        assert_eq!(refused(&chain(allowed + 1), "main", "m0"), "import_too_deep");
        // Seen first by a short way, then by a long one.
        let graph = chain(allowed + 1);
        let late = graph.closure("main", &[import(&format!("m{allowed}")), import("m0")]);
        assert_eq!(late.unwrap_err().code, "import_too_deep");
    }

    #[test]
    fn modules_are_bounded_in_number() {
        let of = |n: usize, modules_max: Option<usize>| {
            let graph = Graph::new((0..n).map(|n| module(&format!("m{n}"), &[])).collect());
            let graph = modules_max.map_or_else(|| graph.clone(), |most| graph.clone().at_most(most));
            let imports: Vec<_> = (0..n).map(|n| import(&format!("m{n}"))).collect();
            graph.closure("main", &imports).map(|closure| closure.len())
        };
        for (most, said) in [(0, Some(0)), (1, Some(1)), (limits::IMPORT_MODULES_MAX, Some(limits::IMPORT_MODULES_MAX))]
            .into_iter()
            .chain([(limits::MODULES_CEILING, None)])
        {
            assert_eq!(of(most, said).unwrap(), most);
            assert_eq!(of(most + 1, said).unwrap_err().code, "import_too_many");
        }
    }

    #[test]
    fn dependents_are_found_through_others() {
        let graph = Graph::new(vec![
            module("base", &[]),
            module("middle", &["base"]),
            node("page", script::Kind::Endpoint, &["middle"]),
            node("other", script::Kind::Endpoint, &[]),
        ]);
        assert_eq!(names(&graph.dependents("base")), ["middle", "page"]);
        assert_eq!(names(&graph.users("base")), ["middle"]);
    }
}
