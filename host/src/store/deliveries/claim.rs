//! Claiming: what is due, made this node's for a while.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::lease;
use crate::id::{AppId, DeliveryId, EventId, ExecutionId, RequestId, ScriptId, TriggerId, UserId};
use crate::limits;
use crate::model::delivery::{Claim, Registrant, To};
use crate::model::event::{Event, Source};
use crate::model::member::AppRole;
use crate::model::retry::{Backoff, Retry};
use crate::model::trace::Trace;
use crate::model::user::Role;
use crate::store::{natural, word};

struct ClaimRow {
    id: DeliveryId,
    app_id: AppId,
    claims: i32,
    failed: i32,
    lost: i32,
    delivery_trigger_id: Option<TriggerId>,
    delivery_script_id: Option<ScriptId>,
    event_id: EventId,
    source: String,
    op: String,
    at: DateTime<Utc>,
    depth: i32,
    request_id: RequestId,
    execution_id: Option<ExecutionId>,
    about: Option<String>,
    letter: Option<DeliveryId>,
    trace: Option<Vec<u8>>,
    trigger_id: Option<TriggerId>,
    script_id: Option<ScriptId>,
    max_attempts: Option<i32>,
    backoff: Option<String>,
    base_delay_ms: Option<i32>,
    max_delay_ms: Option<i32>,
    jitter: Option<bool>,
    trigger_state: Option<String>,
    user_id: Option<UserId>,
    role: Option<String>,
    app_role: Option<String>,
    deactivated_at: Option<DateTime<Utc>>,
}

impl ClaimRow {
    fn claim(self) -> sqlx::Result<Claim> {
        let (to, is_whole) = (self.to()?, self.about.is_some());
        Ok(Claim {
            id: self.id,
            number: self.claims,
            app_id: self.app_id,
            request_id: self.request_id,
            event: Event {
                id: self.event_id,
                source: word("source", &self.source, Source::from_word)?,
                op: self.op,
                at: self.at,
                attempt: natural("failed", self.failed.saturating_add(1))?,
                depth: natural("depth", self.depth)?,
                about: self.about.unwrap_or_default().into_bytes(),
            },
            is_whole,
            execution_id: self.execution_id,
            letter: self.letter,
            trace: self.trace.as_deref().and_then(Trace::of_bytes),
            lost: natural("lost", self.lost)?,
            to,
        })
    }

    fn to(&self) -> sqlx::Result<To> {
        let policy = (self.max_attempts, &self.backoff, self.base_delay_ms, self.max_delay_ms, self.jitter);
        match (self.trigger_id, self.script_id, policy) {
            (Some(trigger_id), Some(script_id), (Some(attempts), Some(backoff), Some(base), Some(max), Some(jitter))) => {
                let retry = Retry {
                    max_attempts: natural("max_attempts", attempts)?,
                    backoff: word("backoff", backoff, Backoff::from_word)?,
                    base_delay_ms: natural("base_delay_ms", base)?,
                    max_delay_ms: natural("max_delay_ms", max)?,
                    jitter,
                };
                let principal = match (self.user_id, &self.role) {
                    (Some(user_id), Some(role)) => Some(Registrant {
                        user_id,
                        role: word("role", role, Role::from_word)?,
                        app_role: self.app_role.as_deref().map(|role| word("app_role", role, AppRole::from_word)).transpose()?,
                        is_active: self.deactivated_at.is_none(),
                    }),
                    _ => None,
                };
                let is_active = self.trigger_state.as_deref() == Some("active");
                Ok(To::Trigger { trigger_id, script_id, retry, principal, is_active })
            }
            _ => Ok(match (self.delivery_trigger_id, self.delivery_script_id) {
                (None, Some(script_id)) => To::Script { script_id },
                _ => To::Nowhere,
            }),
        }
    }
}

/// How much may be claimed.
#[derive(Debug, Clone, Default)]
pub struct Room {
    pub total: i64,
    /// For each app that holds claims on this node, how many.
    pub held: Vec<(AppId, i64)>,
}

/// Claims what is due, `CLAIM_BATCH` at most: of each app the longest due first, of apps that hold few first, and of none more than
/// half of what the others leave of the room. Under a lease from `now`; leaves alone what another node is claiming, and apps that are being deleted. A row that this
/// node cannot read is left to one that can, and is not among them.
pub async fn claim(db: &mut PgConnection, now: DateTime<Utc>, room: &Room) -> sqlx::Result<Vec<Claim>> {
    let apps: Vec<_> = room.held.iter().map(|(app, _)| app.0).collect();
    let counts: Vec<_> = room.held.iter().map(|(_, count)| *count).collect();
    let per_app = i64::try_from(limits::DELIVERIES_CLAIMED_PER_APP_MAX).unwrap_or(i64::MAX);
    let rows = sqlx::query_as!(
        ClaimRow,
        r#"WITH RECURSIVE waiting AS (
               (SELECT app_id FROM deliveries WHERE state <> 'dead' ORDER BY app_id LIMIT 1)
               UNION ALL
               SELECT next.app_id FROM waiting, LATERAL (
                   SELECT app_id FROM deliveries WHERE state <> 'dead' AND app_id > waiting.app_id ORDER BY app_id LIMIT 1
               ) AS next
           ), open AS (
               SELECT id FROM apps WHERE id = ANY (ARRAY(SELECT app_id FROM waiting)) FOR KEY SHARE SKIP LOCKED
           ), app AS (
               SELECT waiting.app_id, coalesce(held.count, 0) AS held
               FROM waiting JOIN open ON open.id = waiting.app_id LEFT JOIN unnest($3::uuid[], $4::bigint[]) AS held (app_id, count) ON held.app_id = waiting.app_id
               ORDER BY held
           ), picked AS (
               SELECT due.id FROM app, LATERAL (
                   SELECT id FROM deliveries
                   WHERE app_id = app.app_id AND state <> 'dead' AND due_at <= $1
                   ORDER BY due_at LIMIT greatest(least($5, greatest(($2 + app.held) / 2, 1)) - app.held, 0)
                   FOR UPDATE SKIP LOCKED
               ) AS due
               LIMIT least($2, $7)
           ), claimed AS (
               UPDATE deliveries SET state = 'claimed', due_at = $6, claims = claims + 1, lost = lost + (state = 'claimed')::integer,
                                     first_attempt_at = coalesce(first_attempt_at, $1), last_attempt_at = $1
               WHERE id = ANY (ARRAY(SELECT id FROM picked))
               RETURNING id, app_id, claims, failed, lost, replay, trigger_id, script_id, event_id, depth
           )
           SELECT c.id AS "id: DeliveryId", c.app_id AS "app_id: AppId", c.claims, c.failed, c.lost,
                  c.trigger_id AS "delivery_trigger_id: TriggerId", c.script_id AS "delivery_script_id: ScriptId",
                  e.id AS "event_id: EventId", e.source, e.op, e.at, c.depth, e.request_id AS "request_id: RequestId",
                  CASE WHEN e.execution_id IS NOT NULL AND c.failed = 0 AND c.replay = 0
                       AND (c.claims = 1 OR NOT EXISTS (SELECT FROM executions x WHERE x.id = e.execution_id))
                       THEN e.execution_id END AS "execution_id: ExecutionId",
                  CASE WHEN octet_length(e.about) <= $8 THEN e.about END AS about,
                  CASE WHEN e.source = 'dead_letter' THEN letter_of(e.about) END AS "letter: DeliveryId", e.trace,
                  t.id AS "trigger_id?: TriggerId", t.script_id AS "script_id?: ScriptId", t.max_attempts AS "max_attempts?",
                  t.backoff AS "backoff?", t.base_delay_ms AS "base_delay_ms?", t.max_delay_ms AS "max_delay_ms?",
                  t.jitter AS "jitter?", t.state AS "trigger_state?",
                  u.id AS "user_id?: UserId", u.role AS "role?", m.role AS "app_role?", u.deactivated_at
           FROM claimed c JOIN events e ON e.id = c.event_id AND e.id = ANY (ARRAY(SELECT event_id FROM claimed))
           LEFT JOIN triggers t ON t.id = c.trigger_id
           LEFT JOIN users u ON u.id = t.registered_by
           LEFT JOIN members m ON m.app_id = t.app_id AND m.user_id = t.registered_by"#,
        now,
        room.total,
        &apps,
        &counts,
        per_app,
        now + lease(),
        limits::CLAIM_BATCH,
        limits::CLAIM_ABOUT_BYTES_MAX
    )
    .fetch_all(db)
    .await?;
    let claims = rows.into_iter().filter_map(|row| {
        let id = row.id;
        row.claim().inspect_err(|error| tracing::error!(delivery.id = %id, %error, "a delivery cannot be read")).ok()
    });
    Ok(claims.collect())
}
