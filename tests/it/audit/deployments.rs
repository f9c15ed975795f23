//! An app as a whole: its part of the story.

use serde_json::json;

use super::{Of, SENTINEL, Sent, Story, Tells};

/// Planned, applied, put back; stored and made active; kept from something.
pub(super) async fn change(story: &mut Story, app: Of<'_>) {
    let mut manifest = story.app.get("/admin/apps/shop/manifest").await.expect(200).json()["manifest"].clone();
    manifest["scripts"]["more"] = json!({ "source": format!("/* {SENTINEL} */ 1") });
    let body = || Sent::Body(json!({ "manifest": manifest }));
    story.leaves_none("POST /api/v1/admin/apps/{app}/plan", &["shop"], body()).await;
    let (apply, row) = ("POST /api/v1/admin/apps/{app}/deployments", ("deployment.apply", app, Tells::Changed));
    story.does(apply, &["shop"], body(), row).await;
    let (rollback, row) = ("POST /api/v1/admin/apps/{app}/rollback", ("deployment.rollback", app, Tells::Changed));
    story.does(rollback, &["shop"], Sent::Body(json!({})), row).await;
    let mut later = manifest.clone();
    later["scripts"]["later"] = json!({ "source": "1" });
    let stored = Sent::Body(json!({ "manifest": later, "activate": false }));
    let stored = story.does(apply, &["shop"], stored, ("deployment.store", app, Tells::Changed)).await["stored"].to_string();
    let (activate, row) =
        ("POST /api/v1/admin/apps/{app}/deployments/{number}/activate", ("deployment.activate", app, Tells::Changed));
    story.does(activate, &["shop", &stored], Sent::Body(json!({})), row).await;
    story.does(rollback, &["shop"], Sent::Body(json!({})), ("deployment.rollback", app, Tells::Changed)).await;
    let (restrict, row) = ("PUT /api/v1/admin/apps/{app}/restrictions", ("restrictions.update", app, Tells::Changed));
    let kept_from = Sent::Body(json!({ "capabilities": ["http"], "trigger_kinds": [] }));
    story.does(restrict, &["shop"], kept_from, row).await;
    let (link, row) = ("POST /api/v1/admin/apps/{app}/deployments/{number}/preview", ("preview.link", app, Tells::New));
    story.does(link, &["shop", "1"], Sent::Body(json!({})), row).await;
    let split = "PUT /api/v1/admin/apps/{app}/split";
    let part = |percent: u8| Sent::Body(json!({ "deployment": 1, "percent": percent }));
    story.does(split, &["shop"], part(10), ("split.set", app, Tells::New)).await;
    story.does(split, &["shop"], part(20), ("split.set", app, Tells::Changed)).await;
    story.does("DELETE /api/v1/admin/apps/{app}/split", &["shop"], Sent::Nothing, ("split.end", app, Tells::Gone)).await;
}
