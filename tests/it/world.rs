//! The built guest component is exactly what the world allows, and what memory images rely on.

use std::collections::BTreeMap;

use picloud::sandbox::COMPONENT;
use wasmparser::component_types::ComponentEntityType;
use wasmparser::{Operator, Parser, Payload, Validator};

/// Imported instances with the functions that each of them brings. One without functions only names shapes.
fn imports(component: &[u8]) -> BTreeMap<String, Vec<String>> {
    let types = Validator::new().validate_all(component).expect("a valid component");
    let mut names = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("a payload") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                names.extend(section.into_iter().map(|import| import.expect("an import").name.name.to_owned()))
            }
            _ => {}
        }
    }
    names
        .into_iter()
        .map(|name| {
            let functions = match types.as_ref().component_item_for_import(&name).expect("a type").ty {
                ComponentEntityType::Instance(id) => {
                    let exports = &types.as_ref()[id].exports;
                    exports
                        .iter()
                        .filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)))
                        .map(|(name, _)| name.clone())
                        .collect()
                }
                // The world names a shape of an interface by itself.
                ComponentEntityType::Type { .. } => Vec::new(),
                other => panic!("`{name}` is imported as {other:?}, neither an interface nor a shape"),
            };
            (name, functions)
        })
        .collect()
}

#[test]
fn the_component_imports_exactly_its_world() {
    let mut found = imports(COMPONENT);
    // Shapes alone reach nothing.
    found.retain(|_, functions| !functions.is_empty());
    for functions in found.values_mut() {
        functions.sort_unstable();
    }
    let expected: BTreeMap<String, Vec<String>> = [
        ("picloud:sandbox/dead-letters@0.1.0", &["get", "list", "replay", "resolve"][..]),
        ("picloud:sandbox/docs@0.1.0", &["count", "create", "delete", "find", "find-one", "get", "list", "patch", "update"]),
        ("picloud:sandbox/email@0.1.0", &["send"]),
        ("picloud:sandbox/files@0.1.0", &["append", "create", "delete", "get", "head", "list", "read", "update"]),
        ("picloud:sandbox/invoke@0.1.0", &["call", "start"]),
        ("picloud:sandbox/http@0.1.0", &["send"]),
        ("picloud:sandbox/kv@0.1.0", &["delete", "get", "get-entry", "has", "increment", "list", "set"]),
        ("picloud:sandbox/log@0.1.0", &["write"]),
        ("picloud:sandbox/pubsub@0.1.0", &["publish", "subscriber-token"]),
        ("picloud:sandbox/queue@0.1.0", &["send", "size"]),
        ("picloud:sandbox/retry@0.1.0", &["pause"]),
        ("picloud:sandbox/secrets@0.1.0", &["delete", "get", "list", "set"]),
        ("wasi:clocks/wall-clock@0.2.6", &["now"]),
        ("wasi:random/random@0.2.6", &["get-random-bytes"]),
    ]
    .into_iter()
    .map(|(name, functions)| (name.to_owned(), functions.iter().map(|function| (*function).to_owned()).collect()))
    .collect();
    // What the guest does not call is not in the component; what it calls is in the world.
    for (name, functions) in &found {
        let allowed = expected.get(name).unwrap_or_else(|| panic!("`{name}` is not of the world"));
        let strange: Vec<_> = functions
            .iter()
            .filter(|function| !allowed.contains(function) && *function != "resolution" && *function != "get-random-u64")
            .collect();
        assert!(strange.is_empty(), "{name}: {strange:?}");
    }
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
}

#[test]
fn nothing_of_the_system_is_even_named() {
    for name in imports(COMPONENT).keys().filter(|name| name.contains(':')) {
        assert!(
            name.starts_with("picloud:sandbox/")
                || name.starts_with("wasi:clocks/wall-clock@")
                || name.starts_with("wasi:random/random@"),
            "{name}"
        );
        // The one way out is ours, and judged.
        if name.starts_with("picloud:sandbox/http@") {
            continue;
        }
        for forbidden in ["filesystem", "sockets", "cli", "environment", "stdin", "stdout", "stderr", "exit", "http", "monotonic"]
        {
            assert!(!name.contains(forbidden), "{name}");
        }
    }
}

/// A memory image holds linear memory and nothing else: so nothing else may differ between two instances.
#[test]
fn the_stack_pointer_is_the_only_mutable_global() {
    let mut mutable = Vec::new();
    for payload in Parser::new(0).parse_all(COMPONENT) {
        match payload.expect("a payload") {
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global.expect("a global");
                    if global.ty.mutable {
                        let mut init = global.init_expr.get_operators_reader();
                        mutable.push((global.ty.content_type, format!("{:?}", init.read().expect("an operator"))));
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let wasmparser::TypeRef::Global(global) = import.expect("an import").ty {
                        assert!(!global.mutable, "an imported mutable global");
                    }
                }
            }
            _ => {}
        }
    }
    let [(kind, init)] = mutable.as_slice() else { panic!("one mutable global, the stack pointer: {mutable:?}") };
    assert_eq!(*kind, wasmparser::ValType::I32);
    let at: u32 =
        init.trim_start_matches("I32Const { value: ").trim_end_matches(" }").parse().unwrap_or_else(|_| panic!("{init}"));
    assert!(at >= 64 << 10 && at.is_multiple_of(16), "it begins at the top of a stack: {at}");
}

#[test]
fn no_instruction_writes_a_table_or_a_segment() {
    let (mut bodies, mut instructions) = (0, 0_u64);
    for payload in Parser::new(0).parse_all(COMPONENT) {
        if let Payload::CodeSectionEntry(body) = payload.expect("a payload") {
            bodies += 1;
            for operator in body.get_operators_reader().expect("operators") {
                instructions += 1;
                let operator = operator.expect("an operator");
                let writes = matches!(
                    operator,
                    Operator::TableSet { .. }
                        | Operator::TableGrow { .. }
                        | Operator::TableInit { .. }
                        | Operator::TableFill { .. }
                        | Operator::TableCopy { .. }
                        | Operator::ElemDrop { .. }
                        | Operator::DataDrop { .. }
                        | Operator::MemoryInit { .. }
                );
                assert!(!writes, "{operator:?}");
            }
        }
    }
    assert!(bodies > 1_000 && instructions > 100_000, "this read the interpreter: {bodies} functions");
}

#[test]
fn the_component_has_one_memory_and_no_threads() {
    let mut memories = 0;
    for payload in Parser::new(0).parse_all(COMPONENT) {
        if let Payload::MemorySection(section) = payload.expect("a payload") {
            for memory in section {
                let memory = memory.expect("a memory");
                assert!(!memory.shared && !memory.memory64, "{memory:?}");
                memories += 1;
            }
        }
    }
    assert_eq!(memories, 1);
}
