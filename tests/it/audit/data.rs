//! What scripts keep, written by a person: the log tells where, and not what.

use serde_json::json;

use super::{Of, SENTINEL, Sent, Story, Tells};
use crate::rights::people::id;

/// Every change of entries, documents and files, in the app of that id, `shop`.
pub(super) async fn changes(story: &mut Story, shop: &str) {
    let app = Of::App(shop);
    let value = || Sent::Body(json!({ "value": SENTINEL }));
    let (set, key) = ("PUT /api/v1/admin/apps/{app}/kv/{collection}/{key}", ["shop", "kept", "k"]);
    story.does(set, &key, value(), ("kv.set", app, Tells::New)).await;
    story.does(set, &key, value(), ("kv.set", app, Tells::Changed)).await;
    let row = ("kv.delete", app, Tells::Gone);
    story.does("DELETE /api/v1/admin/apps/{app}/kv/{collection}/{key}", &key, Sent::Nothing, row).await;
    let new = Sent::Body(json!({ "id": "d", "data": { "note": SENTINEL } }));
    let row = ("document.create", app, Tells::New);
    story.does("POST /api/v1/admin/apps/{app}/docs/{collection}", &["shop", "kept"], new, row).await;
    let document = ["shop", "kept", "d"];
    for method in ["PUT", "PATCH"] {
        let operation = format!("{method} /api/v1/admin/apps/{{app}}/docs/{{collection}}/{{document_id}}");
        let data = Sent::Body(json!({ "data": { "note": SENTINEL, "by": method } }));
        story.does(&operation, &document, data, ("document.update", app, Tells::Changed)).await;
    }
    let row = ("document.delete", app, Tells::Gone);
    story.does("DELETE /api/v1/admin/apps/{app}/docs/{collection}/{document_id}", &document, Sent::Nothing, row).await;
    let content = Sent::Archive(SENTINEL.as_bytes().to_vec());
    let (create, row) = ("POST /api/v1/admin/apps/{app}/files/{collection}?name=f", ("file.create", app, Tells::New));
    let file = story.does(create, &["shop", "kept"], content, row).await;
    let (delete, row) = ("DELETE /api/v1/admin/apps/{app}/files/{collection}/{file_id}", ("file.delete", app, Tells::Gone));
    story.does(delete, &["shop", "kept", &id(&file)], Sent::Nothing, row).await;
}
