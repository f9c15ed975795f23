//! Domains: claimed by apps, proven, given up.
//!
//! **Invariant.** The data plane never answers the token of a claim by itself. A name that leads to this platform already would
//! otherwise be anybody's who claims it: the proof over HTTP is given by whoever serves the host now. Such a name is proven by
//! the DNS, or an administrator of the instance vouches for it. For the same reason no app proves a name over HTTP that lies
//! below another app's wildcard, whose scripts would answer.
//!
//! Nothing is locked while a proof is looked for: what was found counts for the claim of that id and token alone, and who of
//! several is first is decided by the unique index over what is verified.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::audit::{self, Change};
use super::{Services, access, apps};
use crate::auth;
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, DomainId};
use crate::limits;
use crate::model::access::{Principal, Scope};
use crate::model::domain::{Domain, Method, State, claimable};
use crate::model::http::Response;
use crate::model::page::{Page, PageQuery, id_cursor};
use crate::model::route::{HostPattern, Route};
use crate::model::text;
use crate::store;

/// Claims a name for an app, which is in nobody's way. 404 for the app; 422 as [`claimable`], and for one claim too many
/// (`limit_reached`); 409 naming the claim that the app has to that name already.
pub async fn claim(s: &Services, by: &Principal, app: AppId, host: &str) -> Result<Domain> {
    let host = claimable(host, &s.apps_domain, &s.reserved_hosts)?;
    let now = s.now();
    let domain = Domain {
        id: DomainId::at(now),
        app_id: app,
        host,
        token: text::hex(&auth::random::<32>()?),
        state: State::Pending,
        created_by: Some(by.user_id),
        created_at: now,
        updated_at: now,
    };
    let mut tx = store::begin(&s.db).await?;
    let app = store::apps::lock(&mut tx, app).await?.ok_or_else(|| Error::not_found("app"))?;
    if let Some(other) = store::domains::by_host(&mut tx, app.id, &domain.host).await? {
        let message = format!("the app has claimed {} already", domain.host);
        let other = json!({ "id": other.id, "host": other.host, "state": other.state.as_str() });
        return Err(Error::conflict(message, json!({ "field": "host", "domain": other })));
    }
    let allowed = limits::DOMAINS_PER_APP_MAX;
    if store::domains::count(&mut tx, app.id).await? >= allowed {
        let message = format!("the app {} has {allowed} domains, which is all it may have; delete one first", app.slug);
        return Err(Error::new(Kind::Invalid, "limit_reached", message));
    }
    if !store::domains::insert(&mut tx, &domain).await.map_err(store::refusal)? {
        return Err(Error::internal("a claim was added in spite of the app's lock"));
    }
    audit::append(&mut tx, now, Some(by), changed("domain.claim", None, Some(&domain))).await?;
    tx.commit().await?;
    tracing::info!(app.id = %app.id, domain.id = %domain.id, host = %domain.host, user.id = %by.user_id, "domain claimed");
    Ok(domain)
}

/// An app's claims, oldest first.
pub async fn list(s: &Services, app: AppId, query: &PageQuery) -> Result<Page<Domain>> {
    let after = query.after_id()?;
    let rows = store::domains::list(&mut *s.db.acquire().await?, app, after, query.rows()).await?;
    Ok(Page::cut(rows, query.limit, |domain| id_cursor(domain.id.0)))
}

/// One of an app's claims; 404, also for another app's.
pub async fn get(s: &Services, app: AppId, id: DomainId) -> Result<Domain> {
    store::domains::get(&mut *s.db.acquire().await?, app, id).await?.ok_or_else(gone)
}

/// Looks for the proof of a claim now; from then on the app answers at the name, on this node when this returns. Nothing is
/// looked for where it was proven before.
///
/// 404; 409 `domain_taken` when another app holds the name, naming it where it is the caller's to see; 422 `not_proven` with
/// what was found instead, and 422 for a method that cannot prove such a name; 403 for `operator` without `instance:admin`;
/// 429, 503 and 504 as `egress::Client::txt` and `probe`.
pub async fn verify(s: &Services, by: &Principal, app: AppId, id: DomainId, method: Method) -> Result<Domain> {
    let domain = get(s, app, id).await?;
    if domain.is_verified() {
        return Ok(domain);
    }
    refuse_taken(s, by, &domain).await?;
    match method {
        Method::Dns => prove_by_dns(s, &domain).await?,
        Method::Http => prove_by_http(s, &domain).await?,
        Method::Operator if by.decide_on_instance(Scope::InstanceAdmin).is_ok() => {}
        Method::Operator => return Err(access::forbidden(Scope::InstanceAdmin)),
    }
    let now = s.now();
    let mut tx = store::begin(&s.db).await?;
    store::apps::lock(&mut tx, app).await?.ok_or_else(gone)?;
    let verified = match store::domains::verify(&mut tx, app, id, method, now).await.map_err(Error::from) {
        Ok(Some(verified)) => verified,
        // Proven by somebody else of the app meanwhile, or given up.
        Ok(None) => return store::domains::get(&mut tx, app, id).await?.ok_or_else(gone),
        Err(error) if store::is_taken(&error) => {
            drop(tx);
            refuse_taken(s, by, &domain).await?;
            let message = format!("another app proved {} at the same time and gave it up; try again", domain.host);
            return Err(Error::new(Kind::Conflict, "domain_taken", message));
        }
        Err(error) => return Err(error),
    };
    store::signals::routing_changed(&mut tx).await?;
    audit::append(&mut tx, now, Some(by), changed("domain.verify", Some(&domain), Some(&verified))).await?;
    tx.commit().await?;
    s.reload_routing().await;
    let (host, by) = (&verified.host, by.user_id);
    tracing::info!(app.id = %app, domain.id = %id, %host, method = method.as_str(), user.id = %by, "domain verified");
    Ok(verified)
}

/// Gives a name up: the app does not answer there any more, at once on this node. `if_match` is a `Domain::tag`: 412. 404; 409
/// naming a route that names a host which the app has by this claim alone.
pub async fn release(s: &Services, by: &Principal, app: AppId, id: DomainId, if_match: Option<&str>) -> Result<()> {
    let mut tx = store::begin(&s.db).await?;
    store::apps::lock(&mut tx, app).await?.ok_or_else(gone)?;
    let domain = store::domains::get(&mut tx, app, id).await?.ok_or_else(gone)?;
    if if_match.is_some_and(|tag| tag != domain.tag()) {
        return Err(Error::changed_meanwhile("domain", domain.tag()));
    }
    if domain.is_verified() {
        refuse_while_routed(&mut tx, &domain).await?;
    }
    store::domains::delete(&mut tx, app, id).await?;
    store::signals::routing_changed(&mut tx).await?;
    audit::append(&mut tx, s.now(), Some(by), changed("domain.release", Some(&domain), None)).await?;
    tx.commit().await?;
    s.reload_routing().await;
    tracing::info!(app.id = %app, domain.id = %id, host = %domain.host, user.id = %by.user_id, "domain given up");
    Ok(())
}

async fn refuse_taken(s: &Services, by: &Principal, domain: &Domain) -> Result<()> {
    let mut db = s.db.acquire().await?;
    let Some(holder) = store::domains::holder(&mut db, &domain.host).await?.filter(|holder| *holder != domain.app_id) else {
        return Ok(());
    };
    let mut details = json!({ "field": "host", "host": domain.host });
    if apps::is_seen(&mut db, by, holder).await?
        && let Some(other) = store::apps::get(&mut db, holder).await?
        && let Some(details) = details.as_object_mut()
    {
        details.insert("app".to_owned(), json!({ "id": other.id, "slug": other.slug }));
    }
    let message = format!("another app has proven {} and holds it; it must give it up first", domain.host);
    Err(Error::new(Kind::Conflict, "domain_taken", message).with_details(details))
}

async fn prove_by_dns(s: &Services, domain: &Domain) -> Result<()> {
    let (name, expected) = (domain.txt_name(), domain.txt_value());
    let found = s.egress.txt(domain.app_id, &name).await?;
    if found.contains(&expected) {
        return Ok(());
    }
    let what = if found.is_empty() { "has no TXT record" } else { "has other TXT records" };
    let message = format!("`{name}` {what}; add one that says `{expected}`, and give name servers time to take it over");
    Err(not_proven(Method::Dns, &expected, found, message))
}

async fn prove_by_http(s: &Services, domain: &Domain) -> Result<()> {
    let (Some(url), Some(above)) = (domain.proof_url(), domain.wildcard_above()) else {
        return Err(Error::invalid("method", "a wildcard is no host that could answer; prove it by dns"));
    };
    let holder = store::domains::holder(&mut *s.db.acquire().await?, &above).await?;
    if holder.is_some_and(|holder| holder != domain.app_id) {
        let message = format!("{} lies below a wildcard of another app, which would answer for it; prove it by dns", domain.host);
        return Err(Error::invalid("method", message));
    }
    let Response { status, body, .. } = match s.egress.probe(domain.app_id, &url).await {
        Ok(response) => response,
        Err(error) if matches!(error.kind, Kind::Forbidden | Kind::TooLarge) => {
            let message = format!("{}; serve the token at {url}, or prove the domain by dns", error.message);
            return Err(not_proven(Method::Http, &domain.token, vec![error.message.into_owned()], message));
        }
        Err(error) => return Err(error),
    };
    if status == 200 && body.len() <= limits::DOMAIN_PROOF_BODY_BYTES_MAX && body.trim_ascii() == domain.token.as_bytes() {
        return Ok(());
    }
    let found = vec![format!("status {status}"), String::from_utf8_lossy(&body).into_owned()];
    let message = format!("{url} answers with something else; serve the token there with status 200, and no redirect");
    Err(not_proven(Method::Http, &domain.token, found, message))
}

/// 422, with what was found: of others, so cut and without what steers its reader.
fn not_proven(method: Method, expected: &str, found: Vec<String>, message: String) -> Error {
    let shown = |one: String| {
        let seen: String = one.chars().map(|c| if c.is_control() || text::is_unseen(c) { '\u{fffd}' } else { c }).collect();
        text::cut(&seen, limits::DOMAIN_FOUND_BYTES_MAX).into_owned()
    };
    let found: Vec<_> = found.into_iter().take(limits::DOMAIN_FOUND_ITEMS_MAX).map(shown).collect();
    let details = json!({ "method": method, "expected": expected, "found": found });
    Error::new(Kind::Invalid, "not_proven", message).with_details(details)
}

/// Such a route would never match again, silently.
async fn refuse_while_routed(tx: &mut PgConnection, domain: &Domain) -> Result<()> {
    let mut others = store::domains::verified_of(tx, domain.app_id).await?;
    others.retain(|other| *other != domain.host);
    let is_lost = |host: &HostPattern| host.is_within(&domain.host) && !others.iter().any(|other| host.is_within(other));
    let routes = store::routes::of_app(tx, domain.app_id).await?;
    let names_it = |route: &&Route| route.host.as_ref().is_some_and(&is_lost);
    let Some(route) = routes.iter().find(names_it) else { return Ok(()) };
    Err(Error::conflict(
        format!("the route {route} names a host of the domain {}; delete it first", domain.host),
        json!({ "route": { "id": route.id, "script_id": route.script_id, "host": route.host } }),
    ))
}

fn gone() -> Error {
    Error::not_found("domain")
}

/// Without the token: whoever reads the log proves nothing with it.
fn changed(action: &'static str, before: Option<&Domain>, after: Option<&Domain>) -> Change {
    let told = |domain: &Domain| {
        let proven_by = match domain.state {
            State::Pending => Value::Null,
            State::Verified { by, .. } => by.as_str().into(),
        };
        json!({ "host": domain.host, "state": domain.state.as_str(), "proven_by": proven_by })
    };
    let (app_id, target) = before.or(after).map(|domain| (Some(domain.app_id), domain.id.to_string())).unwrap_or_default();
    Change { action, app_id, target, before: before.map(told), after: after.map(told) }
}
