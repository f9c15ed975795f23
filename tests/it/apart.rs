//! Two apps that use the same names everywhere never see each other.

use serde_json::{Value, json};

use crate::support::{Tenant, TestApp};

/// Everything that holds state, under names that both apps use; `mark` tells whose it is.
fn write(mark: &str) -> String {
    format!(
        r#"
        kv::collection("same").set("key", "{mark}");
        kv::collection("same").increment("count", {count});
        docs::collection("same").create(#{{ of: "{mark}" }}, #{{ id: "id" }});
        files::collection("same").create("name", "{mark}");
        secrets::set("name", "{mark}");
        "#,
        count = mark.len()
    )
}

const READ: &str = r#"
    let kv = kv::collection("same"); let docs = docs::collection("same"); let files = files::collection("same");
    let called = ();
    try { called = invoke::call("who", ()); } catch (error) { called = error.code; }
    let file = files.get("name");
    #{
        kv: [kv.get("key"), kv.get("count"), kv.list().items.len()],
        docs: [docs.get("id")?.data?.of, docs.count(), docs.count(#{ of: "one" }), docs.count(#{ of: "second" })],
        files: [if file == () { () } else { file.content.as_string() }, files.list().items.len()],
        secrets: [secrets::get("name"), secrets::list().items],
        called: called,
    }
"#;

fn all_of(mark: &str) -> Value {
    json!({
        "kv": [mark, mark.len(), 2],
        "docs": [mark, 1, u8::from(mark == "one"), u8::from(mark == "second")],
        "files": [mark, 1],
        "secrets": [mark, ["name"]],
        "called": mark,
    })
}

async fn fill(tenant: &Tenant, mark: &str) {
    tenant.run(&write(mark)).await.expect(200);
    tenant.upload("who", &format!("\"{mark}\"")).await;
    tenant.upload_with("lib", &format!("fn who() {{ \"{mark}\" }}"), json!({ "kind": "module" })).await;
}

#[tokio::test]
async fn the_same_names_in_two_apps_are_different_things() {
    let app = TestApp::start().await;
    let (one, two) = (app.create_app("one").await, app.create_app("two").await);
    fill(&one, "one").await;
    let nothing = json!({
        "kv": [null, null, 0],
        "docs": [null, 0, 0, 0],
        "files": [null, 0],
        "secrets": [null, []],
        "called": "not_found",
    });
    assert_eq!(two.run(READ).await.expect(200).json(), nothing);
    two.try_upload("importer", r#"import "lib" as lib; lib::who()"#, json!({})).await.fails(422, "import_missing");
    fill(&two, "second").await;
    assert_eq!(one.run(READ).await.expect(200).json(), all_of("one"));
    assert_eq!(two.run(READ).await.expect(200).json(), all_of("second"));
    assert_eq!(one.run(r#"import "lib" as lib; lib::who()"#).await.expect(200).json(), "one");
    assert_eq!(two.run(r#"import "lib" as lib; lib::who()"#).await.expect(200).json(), "second");

    // What one deletes, the other keeps.
    one.run(
        r#"kv::collection("same").delete("key"); docs::collection("same").delete("id");
           files::collection("same").delete("name"); secrets::delete("name");"#,
    )
    .await
    .expect(200);
    assert_eq!(two.run(READ).await.expect(200).json(), all_of("second"));
    app.delete("/admin/apps/one?force=true").await.expect(204);
    assert_eq!(two.run(READ).await.expect(200).json(), all_of("second"));
}
