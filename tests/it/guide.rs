//! The script reference in `guest/README.md` is true: every `rhai` block runs, and every `// => value` in it is compared.

use serde_json::{Value, json};

use crate::support::{Tenant, TestApp, repository};

struct Example {
    line: usize,
    source: String,
}

/// Fenced blocks of a language. `rhai,ignore`-like words are not a thing here: every block runs.
fn blocks(markdown: &str, language: &str) -> Vec<Example> {
    let (mut found, mut open) = (Vec::new(), None::<Example>);
    for (n, line) in markdown.lines().enumerate() {
        match &mut open {
            Some(_) if line.trim() == "```" => found.extend(open.take()),
            Some(example) => {
                example.source.push_str(line);
                example.source.push('\n');
            }
            None if line.trim() == format!("```{language}") => open = Some(Example { line: n + 2, source: String::new() }),
            None => assert!(!line.trim_start().starts_with(&format!("```{language}")), "line {}: every {language} block runs: {line}", n + 1),
        }
    }
    assert!(open.is_none(), "an open block");
    found
}

/// `expression; // => value`: the value of each annotated statement, in the script's own words, and what it must equal.
fn instrumented(source: &str) -> (String, usize) {
    let (mut out, mut count) = (String::new(), 0);
    for line in source.lines() {
        match line.split_once("// => ") {
            Some((code, expected)) if !expected.trim().starts_with("throws") => {
                let code = code.trim().trim_end_matches(';');
                let (binding, value) = match code.strip_prefix("let ") {
                    Some(rest) => (format!("{code};"), rest.split('=').next().expect("a name").trim().to_owned()),
                    None => (String::new(), code.to_owned()),
                };
                out.push_str(&format!("{binding} expect__.push([`{count}`, {value}, {}]);\n", expected.trim()));
                count += 1;
            }
            Some((code, expected)) => {
                let code = code.trim().trim_end_matches(';');
                let wanted = expected.trim().trim_start_matches("throws").trim();
                out.push_str(&format!("try {{ {code}; expect__.push([`{count}`, \"nothing was thrown\", {wanted}]); }} catch (e__) {{ expect__.push([`{count}`, if type_of(e__) == \"map\" {{ e__.code }} else {{ e__ }}, {wanted}]); }}\n"));
                count += 1;
            }
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    (out, count)
}

async fn run(tenant: &Tenant, example: &Example) -> Result<usize, String> {
    let at = format!("guest/README.md:{}", example.line);
    // As it stands, first: what a reader copies must work.
    let plain = tenant.try_upload(&format!("plain-{}", example.line), &example.source, json!({})).await;
    if plain.status != 201 {
        return Err(format!("{at}: {}", plain.text()));
    }
    let id = plain.json()["id"].as_str().expect("an id").to_owned();
    let reply = tenant.client.post(&format!("/execute/{id}"), json!({ "name": "Ada" })).await;
    // A block may answer with an error of its own choosing; it may not fail.
    if reply.status == 422 || reply.status >= 500 {
        return Err(format!("{at}: {} {}", reply.status, reply.text()));
    }

    let (source, count) = instrumented(&example.source);
    if count == 0 {
        return Ok(0);
    }
    let uploaded = tenant.try_upload(&format!("checked-{}", example.line), &format!("let expect__ = [];\n{source}\nexpect__"), json!({})).await;
    if uploaded.status != 201 {
        return Err(format!("{at}: instrumented: {}\n{source}", uploaded.text()));
    }
    let id = uploaded.json()["id"].as_str().expect("an id").to_owned();
    let reply = tenant.client.post(&format!("/execute/{id}"), json!({ "name": "Ada" })).await;
    if reply.status != 200 {
        return Err(format!("{at}: instrumented: {}\n{source}", reply.text()));
    }
    let pairs: Vec<[Value; 3]> = serde_json::from_value(reply.json()).map_err(|error| format!("{at}: {error}: {}", reply.text()))?;
    if pairs.len() != count {
        return Err(format!("{at}: {} of {count} annotations were reached", pairs.len()));
    }
    for [n, got, expected] in pairs {
        if got != expected {
            return Err(format!("{at}: annotation {n}: {got} instead of {expected}"));
        }
    }
    Ok(count)
}

#[tokio::test]
async fn every_example_of_the_reference_is_true() {
    let markdown = std::fs::read_to_string(repository().join("guest/README.md")).expect("guest/README.md");
    let examples = blocks(&markdown, "rhai");
    assert!(examples.len() >= 10, "{} examples", examples.len());
    let app = TestApp::start().await;
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (n, example) in examples.iter().enumerate() {
        // An app each: no example leans on what another stored.
        let tenant = app.create_app(&format!("example-{n}")).await;
        match run(&tenant, example).await {
            Ok(count) => compared += count,
            Err(message) => wrong.push(message),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(compared >= 20, "{compared} values compared");
}

/// Every function that the library registers has its place in the reference.
#[test]
fn every_function_is_in_the_reference() {
    let markdown = std::fs::read_to_string(repository().join("guest/README.md")).expect("guest/README.md");
    let mut missing = Vec::new();
    for (path, text) in crate::support::sources::rust("guest/src/api") {
        let module = path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned();
        for call in text.split("function(&mut module, \"").skip(1) {
            let name = call.split('"').next().expect("a name");
            if !markdown.contains(&format!("{module}::{name}")) {
                missing.push(format!("{module}::{name}"));
            }
        }
        for call in text.split(".register_fn(\"").skip(1) {
            let name = call.split('"').next().expect("a name");
            if !markdown.contains(&format!(".{name}(")) {
                missing.push(format!("{module}: .{name}("));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn annotations_become_comparisons() {
    let (source, count) = instrumented("let a = 1 + 1; // => 2\na * 2 // => 4\nf(\"\"); // => throws \"invalid_argument\"\nplain();\n");
    assert_eq!(count, 3);
    assert!(source.starts_with("let a = 1 + 1; expect__.push([`0`, a, 2]);\n expect__.push([`1`, a * 2, 4]);\ntry { f(\"\");"), "{source}");
    assert!(source.ends_with("plain();\n"));
}
