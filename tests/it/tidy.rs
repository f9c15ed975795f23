//! The rules of the code base that no compiler knows, held against the sources. Each rule is a function from a file to
//! its violations, and each has a sample that it must catch.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::sources::{Split, rust, split, without_tests};
use crate::support::{repository, repository_files};

/// Bottom up; a module may name modules of lower rows only.
const LAYERS: [&[&str]; 9] = [
    &["error", "id", "clock", "limits", "config", "telemetry", "shutdown", "unstoppable", "walls"],
    &["model"],
    &["wit", "auth", "store", "postgres", "vault", "egress", "fair", "blobs", "repository"],
    &["service"],
    &["hostcall"],
    &["sandbox"],
    &["invoke"],
    &["ingress", "api", "trigger"],
    &["cli"],
];
const LINES_MAX: usize = 500;

type Rule = fn(&Path, &Split) -> Vec<String>;

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// `store/kv.rs` → `store`; the crate's own roots have none.
fn module_of(path: &Path) -> Option<&str> {
    let first = path.components().next()?.as_os_str().to_str()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main"].contains(&module)).then_some(module)
}

/// Top-level modules that the code names through `crate::`, with their lines.
fn named_modules(code: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = code[at + "crate::".len()..].trim_start();
        let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            None => named.push((line, word(rest))),
            Some(group) => {
                let (mut depth, mut item) = (0, String::new());
                for c in group.chars() {
                    match c {
                        '}' if depth == 0 => break,
                        ',' if depth == 0 => named.push((line, word(&std::mem::take(&mut item)))),
                        '{' => {
                            depth += 1;
                            item.push(c);
                        }
                        '}' => {
                            depth -= 1;
                            item.push(c);
                        }
                        c => item.push(c),
                    }
                }
                named.push((line, word(&item)));
            }
        }
    }
    named.retain(|(_, name)| !name.is_empty());
    named
}

fn layers(path: &Path, source: &Split) -> Vec<String> {
    let Some(own) = module_of(path) else { return Vec::new() };
    let Some(layer) = layer_of(own) else {
        return vec![format!("`{own}` has no layer: give it one in tests/it/tidy.rs and host/README.md")];
    };
    named_modules(&source.code)
        .into_iter()
        .filter(|(_, other)| other != own)
        .filter_map(|(line, other)| {
            // An item of the crate's root, not a module.
            let below = layer_of(&other)?;
            (below >= layer).then(|| format!("line {line}: `{own}` (layer {layer}) names `{other}` (layer {below})"))
        })
        .collect()
}

/// `super::` from a file at the root of a module must not climb out of it: that would hide a dependency.
fn no_climbing(path: &Path, source: &Split) -> Vec<String> {
    let depth = path.components().count() - usize::from(path.ends_with("mod.rs"));
    let climb = "super::".repeat(depth);
    without_tests(&source.code)
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains(&climb))
        .map(|(n, line)| format!("line {}: {}", n + 1, line.trim()))
        .collect()
}

fn lines_with(code: &str, needles: &[&str]) -> Vec<String> {
    code.lines()
        .enumerate()
        .filter(|(_, line)| needles.iter().any(|needle| line.contains(needle)))
        .map(|(n, line)| format!("line {}: {}", n + 1, line.trim()))
        .collect()
}

fn is_in(path: &Path, homes: &[&str]) -> bool {
    module_of(path).is_some_and(|module| homes.contains(&module))
}

fn sql_only_in_store(path: &Path, source: &Split) -> Vec<String> {
    if is_in(path, &["store", "postgres"]) {
        return Vec::new();
    }
    let code = without_tests(&source.code);
    let mut found = lines_with(code, &["sqlx::query", "query!(", "query_as!(", "query_scalar!(", "raw_sql("]);
    let lines = code.matches('\n').count() + 1;
    let verbs = ["SELECT ", "INSERT INTO ", "DELETE FROM ", "UPDATE ", "LOCK TABLE ", "CREATE TABLE ", "ALTER TABLE ", "NOTIFY "];
    found.extend(
        source
            .strings
            .iter()
            .filter(|(line, text)| *line < lines && verbs.iter().any(|verb| text.trim_start().starts_with(verb)))
            .map(|(line, text)| format!("line {line}: {text:?}")),
    );
    found
}

fn wasmtime_only_at_its_doors(path: &Path, source: &Split) -> Vec<String> {
    if is_in(path, &["wit", "hostcall", "sandbox"]) { Vec::new() } else { lines_with(&source.code, &["wasmtime"]) }
}

/// A transaction that writes begins and ends in a service. The store words how one begins, at one place, because a beginning
/// that is dropped must not stay open on its connection; and it may take a snapshot to read from.
fn transactions_only_in_service(path: &Path, source: &Split) -> Vec<String> {
    let code = without_tests(&source.code);
    let begins: &[&str] = &[".begin()", ".begin_with("];
    if path == Path::new("store/mod.rs") {
        return lines_with(code, &[".commit()"]);
    }
    let mut found = lines_with(code, begins);
    if !is_in(path, &["service"]) {
        found.extend(lines_with(code, &["store::begin(", "super::begin(", "store::begin_relaxed(", "super::begin_relaxed("]));
        if !code.contains("::begin_snapshot(") {
            found.extend(lines_with(code, &[".commit()"]));
        }
    }
    found
}

fn time_only_from_the_clock(path: &Path, source: &Split) -> Vec<String> {
    if is_in(path, &["clock"]) { Vec::new() } else { lines_with(&source.code, &["Utc::now", "Local::now", "SystemTime::now"]) }
}

/// Script traffic leaves through the one judged client. What else connects talks to the node's own: its planes, its database.
fn the_way_out_is_egress(path: &Path, source: &Split) -> Vec<String> {
    if is_in(path, &["egress", "cli", "postgres"]) {
        return Vec::new();
    }
    lines_with(
        without_tests(&source.code),
        &["TcpStream", "UdpSocket", "lookup_host", "to_socket_addrs", "hyper::client", "reqwest"],
    )
}

/// The mail relay's client stands in one place.
fn lettre_only_in_egress(path: &Path, source: &Split) -> Vec<String> {
    if path.starts_with("egress/smtp") || path == Path::new("egress/smtp.rs") {
        return Vec::new();
    }
    lines_with(&source.code, &["lettre"])
}

/// No proxy, no credentials, no certificate authority of the environment's.
fn the_way_out_reads_no_environment(path: &Path, source: &Split) -> Vec<String> {
    if is_in(path, &["egress"]) { lines_with(&source.code, &["env::var", "std::env", "env::vars"]) } else { Vec::new() }
}

/// Only `invoke` runs scripts; the composition root and the tools of the command line may set the sandbox up.
fn the_sandbox_only_through_invoke(path: &Path, source: &Split) -> Vec<String> {
    if is_in(path, &["sandbox", "invoke", "cli"]) { Vec::new() } else { lines_with(&source.code, &["crate::sandbox"]) }
}

fn bounds_only_in_limits(path: &Path, source: &Split) -> Vec<String> {
    if is_in(path, &["limits"]) {
        return Vec::new();
    }
    let integer =
        |line: &str| ["u8", "u16", "u32", "u64", "usize", "i32", "i64"].iter().any(|kind| line.contains(&format!(": {kind} =")));
    let bound = |line: &str| {
        let name: String = line
            .split("const ")
            .nth(1)
            .unwrap_or_default()
            .chars()
            .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_')
            .collect();
        name.split('_').any(|word| ["MAX", "MIN", "LIMIT", "CEILING", "DEFAULT", "TIMEOUT"].contains(&word))
    };
    // A name for a bound that stands in `limits` is no bound of its own.
    let alias = |line: &str| line.contains("limits::");
    let code = without_tests(&source.code);
    code.lines()
        .enumerate()
        .filter(|(_, line)| line.contains("const ") && integer(line) && bound(line) && !alias(line))
        .map(|(n, line)| format!("line {}: {}", n + 1, line.trim()))
        .collect()
}

fn nothing_left_undone(_: &Path, source: &Split) -> Vec<String> {
    lines_with(&source.code, &["todo!(", "unimplemented!(", "#[ignore", "dbg!("])
}

fn check(dirs: &[&str], rule: Rule) {
    let mut violations = Vec::new();
    for dir in dirs {
        for (path, text) in rust(dir) {
            violations
                .extend(rule(&path, &split(&text)).into_iter().map(|violation| format!("{dir}/{}: {violation}", path.display())));
        }
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn a_module_names_lower_layers_only() {
    check(&["host/src"], layers);
}

#[test]
fn no_module_climbs_out_of_itself() {
    check(&["host/src"], no_climbing);
}

#[test]
fn sql_stands_in_the_store() {
    check(&["host/src"], sql_only_in_store);
}

#[test]
fn wasmtime_is_named_at_its_doors_only() {
    check(&["host/src"], wasmtime_only_at_its_doors);
}

#[test]
fn transactions_begin_in_the_services() {
    check(&["host/src"], transactions_only_in_service);
}

#[test]
fn time_comes_from_the_clock() {
    check(&["host/src", "guest/src"], time_only_from_the_clock);
}

#[test]
fn scripts_run_through_invoke() {
    check(&["host/src"], the_sandbox_only_through_invoke);
}

#[test]
fn script_traffic_leaves_through_egress() {
    check(&["host/src"], the_way_out_is_egress);
    check(&["host/src"], the_way_out_reads_no_environment);
    check(&["host/src"], lettre_only_in_egress);
}

#[test]
fn bounds_stand_in_limits() {
    check(&["host/src", "guest/src"], bounds_only_in_limits);
}

#[test]
fn nothing_is_left_undone() {
    check(&["host/src", "host/benches", "guest/src", "tests/it"], nothing_left_undone);
}

#[test]
fn each_rule_catches_its_sample() {
    let samples: [(Rule, &str, &str, usize); 16] = [
        (layers, "store/kv.rs", "use crate::service::kv;", 1),
        (layers, "api/mod.rs", "use crate::{error::{Error, Kind}, ingress::x, store};", 1),
        (layers, "error.rs", "fn f() { crate::id::x() }", 1),
        (layers, "novel/mod.rs", "", 1),
        (no_climbing, "store/kv.rs", "use super::super::service;\nuse super::x;", 1),
        (sql_only_in_store, "service/kv.rs", "sqlx::query!(\"x\");\nlet s = \"SELECT 1\"; // SELECT 2\n", 2),
        (wasmtime_only_at_its_doors, "invoke/mod.rs", "use wasmtime::Store; // wasmtime\nlet s = \"wasmtime\";", 1),
        (transactions_only_in_service, "api/kv.rs", "store::begin(&db).await", 1),
        (transactions_only_in_service, "service/kv.rs", "pool.begin().await", 1),
        (transactions_only_in_service, "store/kv.rs", "db.begin_with(\"BEGIN\").await;\ntx.commit().await", 2),
        (time_only_from_the_clock, "service/x.rs", "let now = Utc::now();", 1),
        (the_way_out_is_egress, "service/http.rs", "use tokio::net::TcpStream;", 1),
        (lettre_only_in_egress, "service/email.rs", "use lettre::Message; // lettre", 1),
        (the_way_out_reads_no_environment, "egress/client.rs", "let proxy = std::env::var(name);", 1),
        (the_sandbox_only_through_invoke, "api/execute.rs", "use crate::sandbox::Sandbox;", 1),
        (
            bounds_only_in_limits,
            "api/x.rs",
            "const BODY_BYTES_MAX: usize = 7;\nconst NAME: &str = \"MAX\";\nconst X_MAX: usize = limits::X;\n",
            1,
        ),
    ];
    for (rule, path, source, expected) in samples {
        assert_eq!(rule(Path::new(path), &split(source)).len(), expected, "{path}: {source}");
    }
    assert_eq!(
        layers(
            Path::new("service/kv.rs"),
            &split("use crate::store; // crate::api\nuse crate::{limits, model::kv::{Entry, Page}};")
        ),
        Vec::<String>::new()
    );
    assert_eq!(lines_with("// fine\n#[ignore = \"x\"]", &["#[ignore"]).len(), 1);
}

#[test]
fn files_stay_short_enough_to_read() {
    let mut long = Vec::new();
    for dir in ["host/src", "host/benches", "guest/src", "tests/it"] {
        for (path, text) in rust(dir) {
            let lines = text.lines().count();
            if lines > LINES_MAX {
                long.push(format!("{dir}/{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "split these by noun:\n{}", long.join("\n"));
}

#[test]
fn the_host_does_not_link_the_interpreter() {
    let manifest = std::fs::read_to_string(repository().join("host/Cargo.toml")).expect("a manifest");
    let own = manifest.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next()).expect("dependencies");
    assert!(own.contains("wasmtime ="), "this reads the right table");
    assert!(!own.lines().any(|line| line.starts_with("rhai")), "rhai reads tenants' sources: it belongs into the guest alone");
}

/// Names of integer constants with what they are set to.
fn constants(source: &str) -> std::collections::BTreeMap<String, String> {
    let lines = split(source).code;
    let pairs = lines.lines().filter_map(|line| line.split("const ").nth(1)?.split_once(": "));
    pairs.filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once(" = ")?.1.trim_end_matches(';').to_owned()))).collect()
}

#[test]
fn a_bound_that_the_guest_repeats_is_the_hosts() {
    let read = |path: &str| constants(&std::fs::read_to_string(repository().join(path)).expect("limits"));
    let mut host = read("host/src/limits.rs");
    host.extend(read("host/src/limits/events.rs"));
    let guest = read("guest/src/limits.rs");
    let shared: Vec<_> = guest.iter().filter(|(name, _)| host.contains_key(*name)).collect();
    assert!(!shared.is_empty(), "the guest knows at least the size of a KV value");
    for (name, value) in shared {
        assert_eq!(Some(value), host.get(name), "{name}");
    }
}

#[test]
fn no_tracked_file_names_a_persons_machine() {
    let homes = ["work", "home", "root", "Users"].map(|dir| format!("/{dir}/"));
    let mut found = Vec::new();
    for file in repository_files() {
        let Ok(text) = std::fs::read_to_string(repository().join(&file)) else { continue };
        for (n, line) in text.lines().enumerate() {
            // A path, not a word between slashes in a URL.
            let named = homes.iter().any(|home| {
                line.match_indices(home.as_str()).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| {
                        c.is_alphanumeric() || c == '.' || c == '/' || c == '}' || c == '-' || c == '_' || c == ']'
                    })
                })
            });
            if named {
                found.push(format!("{}:{}: {}", file.display(), n + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_directory_at_the_top_has_its_manual() {
    let directories: BTreeSet<_> = repository_files()
        .into_iter()
        .filter_map(|file| {
            (file.components().count() > 1).then(|| file.components().next().expect("a part").as_os_str().to_owned())
        })
        .filter(|name| !name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(directories.len() >= 5, "{directories:?}");
    let missing: Vec<_> = directories.iter().filter(|dir| !repository().join(dir).join("README.md").is_file()).collect();
    assert!(missing.is_empty(), "without README.md: {missing:?}");
    assert!(repository().join("README.md").is_file());
}

#[test]
fn the_top_level_holds_what_was_agreed() {
    let agreed = [
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "rustfmt.toml",
        "clippy.toml",
        "Makefile",
        "README.md",
        "CHANGELOG.md",
        "host",
        "guest",
        "wit",
        "migrations",
        "dashboard",
        "caddy",
        "docker",
        "tests",
    ];
    let strange: BTreeSet<_> = repository_files()
        .into_iter()
        .map(|file| file.components().next().expect("a part").as_os_str().to_string_lossy().into_owned())
        .filter(|name| !agreed.contains(&name.as_str()) && !name.starts_with('.') && !name.starts_with("LICENSE"))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
}

/// Columns of a migration without a comment above them.
fn uncommented_columns(sql: &str) -> Vec<String> {
    let (mut in_table, mut commented, mut found) = (false, false, Vec::new());
    for line in sql.lines().map(str::trim) {
        let first = line.split_whitespace().next().unwrap_or_default();
        let is_column = in_table
            && line.split_whitespace().count() > 1
            && first.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
        let is_added = line.starts_with("ADD COLUMN") || (line.starts_with("ALTER TABLE") && line.contains(" ADD COLUMN "));
        if (is_column || is_added) && !commented {
            found.push(line.to_owned());
        }
        if line.starts_with("CREATE TABLE") {
            in_table = true;
        } else if line.starts_with(");") || line.starts_with(") ") {
            in_table = false;
        }
        commented = line.starts_with("--");
    }
    found
}

#[test]
fn every_column_says_what_it_is() {
    let sample = "CREATE TABLE t (\n    -- fine\n    id uuid NOT NULL,\n    bare text,\n    CONSTRAINT t_pkey PRIMARY KEY (id)\n);\nALTER TABLE t ADD COLUMN more text;\n";
    assert_eq!(uncommented_columns(sample), ["bare text,", "ALTER TABLE t ADD COLUMN more text;"]);

    let mut found = Vec::new();
    let migrations: Vec<_> = repository_files()
        .into_iter()
        .filter(|file| file.starts_with("migrations") && file.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    assert!(!migrations.is_empty());
    for file in migrations {
        let sql = std::fs::read_to_string(repository().join(&file)).expect("a migration");
        found.extend(uncommented_columns(&sql).into_iter().map(|column| format!("{}: {column}", file.display())));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}
