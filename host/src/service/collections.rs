//! What entries, documents and files have in common where people browse and change them.

use serde_json::json;

use super::audit::Change;
use crate::error::{Error, Kind};
use crate::id::AppId;
use crate::model::event::Op;
use crate::store;

/// What the audit log tells of a person's change: its place, and nothing of what is kept there. `field` says what the name is.
pub(super) fn changed(app: AppId, action: &'static str, op: Op, collection: &str, field: &str, name: &str) -> Change {
    let place = || json!({ "collection": collection, (field): name });
    Change {
        action,
        app_id: Some(app),
        target: format!("{collection}/{name}"),
        before: (op != Op::Insert).then(place),
        after: (op != Op::Delete).then(place),
    }
}

/// A count that the database ended at its bound of time.
pub(super) fn uncounted(error: sqlx::Error) -> Error {
    if !store::is_out_of_time(&error) {
        return error.into();
    }
    let message = "there is more in these collections than can be counted in time; ask for fewer of them at once (`limit`)";
    Error::new(Kind::TimedOut, "timed_out", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_the_place_and_nothing_else() {
        let app = AppId(uuid::Uuid::nil());
        let place = json!({ "collection": "c/d", "key": "k" });
        for (op, before, after) in [
            (Op::Insert, None, Some(place.clone())),
            (Op::Update, Some(place.clone()), Some(place.clone())),
            (Op::Delete, Some(place.clone()), None),
        ] {
            let change = changed(app, "kv.set", op, "c/d", "key", "k");
            assert_eq!((change.target.as_str(), change.before, change.after), ("c/d/k", before, after), "{op:?}");
        }
    }
}
