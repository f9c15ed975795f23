//! Who may subscribe to topics, as a person says it.

use serde_json::json;

use super::{Of, Sent, Story, Tells};
use crate::rights::people::id;

/// A topic of the app `shop` registered and taken back, and a token for it.
pub(super) async fn change(story: &mut Story, app: Of<'_>) {
    let (set, delete) = ("PUT /api/v1/admin/apps/{app}/topics/{topic}", "DELETE /api/v1/admin/apps/{app}/topics/{topic}");
    let access = |word: &str| Sent::Body(json!({ "access": word }));
    story.does(set, &["shop", "t"], access("public"), ("topic.set", app, Tells::New)).await;
    story.does(set, &["shop", "t"], access("token"), ("topic.set", app, Tells::Changed)).await;
    let (make, row) = ("POST /api/v1/admin/apps/{app}/subscriber_tokens", ("subscriber_token.create", app, Tells::New));
    let token = story.does(make, &["shop"], Sent::Body(json!({ "topics": ["t"] })), row).await;
    let row = ("subscriber_token.delete", app, Tells::Gone);
    let revoke = "DELETE /api/v1/admin/apps/{app}/subscriber_tokens/{token_id}";
    story.does(revoke, &["shop", &id(&token)], Sent::Nothing, row).await;
    story.does(delete, &["shop", "t"], Sent::Nothing, ("topic.delete", app, Tells::Gone)).await;
}
