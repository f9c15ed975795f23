//! Signals: NOTIFYs that carry no data and mean "look again". Sent at commit, and not at all if there is none.

use sqlx::PgConnection;

/// The channel of everything that decides which script answers a request.
pub const ROUTING: &str = "picloud_routing";

/// The channel of events that other nodes added.
pub const EVENTS: &str = "picloud_events";

/// The channel of records that were written.
pub const RECORDS: &str = "picloud_records";

/// The channel of roll calls.
pub const NODES: &str = "picloud_nodes";

/// Asks every node to say that it is there.
pub async fn roll_called(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(r#"SELECT pg_notify($1, '') IS NULL AS "sent""#, NODES).fetch_one(db).await?;
    Ok(())
}

/// The channel of messages that were published to topics that can be subscribed to.
pub const TOPICS: &str = "picloud_topics";

/// The channel of what decides who may subscribe: topics' access, tokens.
pub const SUBSCRIBERS: &str = "picloud_subscribers";

/// Tells every node that subscribers may be waiting for something.
pub async fn published(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(r#"SELECT pg_notify($1, '') IS NULL AS "sent""#, TOPICS).fetch_one(db).await?;
    Ok(())
}

/// Tells every node to judge subscribers anew.
pub async fn subscribers_changed(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(r#"SELECT pg_notify($1, '') IS NULL AS "sent""#, SUBSCRIBERS).fetch_one(db).await?;
    Ok(())
}

/// Tells every node that there are records to be read on from.
pub async fn records_written(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(r#"SELECT pg_notify($1, '') IS NULL AS "sent""#, RECORDS).fetch_one(db).await?;
    Ok(())
}

/// Tells every node that something may have to be delivered.
pub async fn events_added(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(r#"SELECT pg_notify($1, '') IS NULL AS "sent""#, EVENTS).fetch_one(db).await?;
    Ok(())
}

/// Tells every node that apps, scripts, versions or routes have changed.
pub async fn routing_changed(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(r#"SELECT pg_notify($1, '') IS NULL AS "sent""#, ROUTING).fetch_one(db).await?;
    Ok(())
}
