//! The script reference in `guest/README.md` is true: every `rhai` block runs as it stands, and answers what its
//! `// => value` says.

use serde_json::json;

use crate::support::origin::{Internet, Origin, Received, answer as answers, to};
use crate::support::{Options, Reply, Tenant, TestApp, repository};

struct Example {
    line: usize,
    source: String,
}

impl Example {
    /// The script behind `// => `, which must answer the same.
    fn expected(&self) -> Option<&str> {
        self.source.lines().find_map(|line| line.strip_prefix("// => "))
    }
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
            None => assert!(
                !line.trim_start().starts_with(&format!("```{language}")),
                "line {}: every {language} block runs: {line}",
                n + 1
            ),
        }
    }
    assert!(open.is_none(), "an open block");
    found
}

async fn answer(tenant: &Tenant, name: &str, source: &str) -> Result<Reply, String> {
    let uploaded = tenant.try_upload(name, source, json!({})).await;
    if uploaded.status != 201 {
        return Err(uploaded.shown());
    }
    let id = uploaded.json()["id"].as_str().expect("an id").to_owned();
    let script = crate::support::client::Script { id, name: name.to_owned(), created: uploaded.json() };
    let route = tenant.route(&script, json!({ "path": "/", "method": "GET" })).await;
    let reply = tenant.get("/").await;
    tenant
        .client
        .delete(&format!("/admin/scripts/{}/routes/{}", script.id, route["id"].as_str().expect("an id")))
        .await
        .expect(204);
    // An example may answer what it likes; it may not fail.
    if reply.status < 500 && !reply.text().contains("\"script_error\"") {
        Ok(reply)
    } else {
        Err(format!("{} {}", reply.status, reply.shown()))
    }
}

async fn run(tenant: &Tenant, example: &Example) -> Result<bool, String> {
    let got = answer(tenant, "example", &example.source).await?;
    let Some(expected) = example.expected() else { return Ok(false) };
    let expected = answer(tenant, "expected", expected).await?;
    let seen = |reply: &Reply| {
        (reply.status, reply.text(), reply.header("content-type").map(str::to_owned), reply.header("location").map(str::to_owned))
    };
    if seen(&got) == seen(&expected) { Ok(true) } else { Err(format!("{:?} instead of {:?}", seen(&got), seen(&expected))) }
}

/// What the examples ask of `https://api.example.com`.
fn api(request: &Received) -> Option<Vec<u8>> {
    let json = [("content-type", "application/json")];
    match (request.method.as_str(), request.target.as_str()) {
        ("GET" | "HEAD", "/items/1") => answers("200 OK", &json, r#"{"id":1,"name":"lamp"}"#),
        ("GET", "/search?limit=2&q=red+lamp") => answers("200 OK", &json, "[1,7]"),
        ("POST", "/items") => answers("201 Created", &[json[0], ("location", "/items/2")], &request.body),
        ("PUT" | "PATCH" | "DELETE", "/items/1") => Some(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        ("POST", "/token") => answers("200 OK", &[("content-type", "text/plain")], &request.body),
        ("GET", "/old") => to("301 Moved Permanently", "/items/1"),
        _ => answers("404 Not Found", &json, r#"{"error":"not found"}"#),
    }
}

#[tokio::test]
async fn every_example_of_the_reference_is_true() {
    let markdown = std::fs::read_to_string(repository().join("guest/README.md")).expect("guest/README.md");
    let examples = blocks(&markdown, "rhai");
    let origin = Origin::tls("api.example.com", api).await;
    let network = Internet::default()
        .host("api.example.com", "93.184.216.34:443", &origin)
        .name("nas.example.com", &[&["192.168.1.5"]])
        .network();
    let app = TestApp::start_with(Options { network, ..Options::default() }).await;
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (n, example) in examples.iter().enumerate() {
        // An app each: no example leans on what another stored.
        let tenant = app.create_app(&format!("example-{n}")).await;
        tenant.grant(json!({ "http": ["*.example.com"] })).await;
        match run(&tenant, example).await {
            Ok(has_value) => compared += u32::from(has_value),
            Err(message) => wrong.push(format!("guest/README.md:{}: {message}", example.line)),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(compared >= 20, "{compared} values of {} examples compared", examples.len());
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
fn blocks_are_found_with_what_they_promise() {
    let found = blocks("text\n```rhai\n1 + 1\n// => 2\n```\n```json\n{}\n```\n```rhai\n3\n```\n", "rhai");
    let seen: Vec<_> = found.iter().map(|example| (example.line, example.expected())).collect();
    assert_eq!(seen, [(3, Some("2")), (10, None)]);
}
