//! Domains of an app: claimed, proven, given up.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Created, NoContent, Tagged};
use super::error::Answer;
use super::etag::IfMatch;
use super::gate::Caller;
use super::query::{Given, OfApp, Parameter, Parameters, Path, Query};
use super::{Api, List, body};
use crate::error::{Error, Kind, Result};
use crate::id::{AppId, DomainId, UserId};
use crate::limits;
use crate::model::domain::{Domain, Method, State as DomainState};
use crate::model::page::PageQuery;
use crate::service;

/// A host name that an app claims, and how to prove whose it is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Domain", example = example())]
pub(super) struct DomainJson {
    id: DomainId,
    app_id: AppId,
    /// A name, or `*.` and one: every name of one label below it.
    host: String,
    /// `pending`: claimed, which keeps nobody else from it; `verified`: proven, and the app answers there.
    state: &'static str,
    /// What proved it; null while pending.
    proven_by: Option<Method>,
    proofs: Proofs,
    /// Null once that person is gone.
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    /// Null while pending.
    verified_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

/// What to set up for `verify` to find; one of them is enough.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct Proofs {
    dns: DnsProof,
    /// Null for a wildcard, which is no host that could answer.
    http: Option<HttpProof>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct DnsProof {
    /// Where the record stands.
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// What it says.
    value: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct HttpProof {
    /// Where whoever serves the host now answers, with status 200.
    url: String,
    /// What with.
    body: String,
}

/// A name for which a proxy may get a certificate.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CertifiedName", example = json!({ "domain": "shop.example.com" }))]
pub(super) struct CertifiedJson {
    domain: String,
}

/// `domain`.
#[derive(Debug)]
pub(super) struct AskedName(String);

impl Parameters for AskedName {
    fn describe() -> Vec<Parameter> {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": limits::ROUTE_HOST_CHARS_MAX });
        vec![Parameter::new("domain", "The name; it has to be given.", schema)]
    }

    fn read(given: &mut Given) -> Result<Self> {
        let domain = given.take::<String>("domain", "a host name")?.unwrap_or_default();
        if domain.is_empty() || domain.len() > limits::ROUTE_HOST_CHARS_MAX {
            let most = limits::ROUTE_HOST_CHARS_MAX;
            return Err(Error::invalid("domain", format!("domain is a host name of 1 to {most} characters")));
        }
        Ok(Self(domain))
    }
}

/// A domain to be claimed.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewDomain", example = json!({ "host": "shop.example.com" }))]
pub(super) struct Create {
    /// `shop.example.com`, or `*.example.com` for every name of one label below.
    host: String,
}

/// How a domain is to be proven.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DomainVerification", example = json!({ "method": "dns" }))]
pub(super) struct Verify {
    /// `operator` takes `instance:admin`: one's word, for a name that public name servers do not know.
    method: Method,
}

fn example() -> Value {
    let token = "4f9a0c71be22d3880e5b6f1a9c3d7e24".repeat(2);
    json!({
        "id": "01990a6e-6b51-7a10-8f3c-5e2d1c0b9a88",
        "app_id": "01990a6e-5a40-7c3e-9d0b-0d8f3b1c2a4e",
        "host": "shop.example.com",
        "state": "pending",
        "proven_by": null,
        "proofs": {
            "dns": { "name": "_picloud.shop.example.com", "type": "TXT", "value": format!("picloud-verify={token}") },
            "http": { "url": "http://shop.example.com/.well-known/picloud-domain", "body": token }
        },
        "created_by": "01990a6e-4a40-7c3e-9d0b-0d8f3b1c2a4e",
        "created_at": "2026-01-02T03:04:05.678901Z",
        "verified_at": null,
        "updated_at": "2026-01-02T03:04:05.678901Z"
    })
}

impl From<Domain> for DomainJson {
    fn from(domain: Domain) -> Self {
        let dns = DnsProof { name: domain.txt_name(), kind: "TXT", value: domain.txt_value() };
        let http = domain.proof_url().map(|url| HttpProof { url, body: domain.token.clone() });
        let (proven_by, verified_at) = match domain.state {
            DomainState::Pending => (None, None),
            DomainState::Verified { by, at } => (Some(by), Some(at)),
        };
        let Domain { id, app_id, host, token: _, state, created_by, created_at, updated_at } = domain;
        let (host, state, proofs) = (host.to_string(), state.as_str(), Proofs { dns, http });
        Self { id, app_id, host, state, proven_by, proofs, created_by, created_at, verified_at, updated_at }
    }
}

impl DomainJson {
    fn tagged(domain: Domain) -> Tagged<Self> {
        Tagged { tag: domain.tag(), body: domain.into() }
    }
}

pub(super) async fn list(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Query(page): Query<PageQuery>,
) -> Answer<Json<List<DomainJson>>> {
    Ok(List::of(service::domains::list(&api.services, app.id, &page).await?, DomainJson::from))
}

pub(super) async fn create(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Caller(by): Caller,
    body::Json(new): body::Json<Create>,
) -> Answer<Created<DomainJson>> {
    let domain = service::domains::claim(&api.services, &by, app.id, &new.host).await?;
    let location = format!("/api/v1/admin/apps/{}/domains/{}", app.id, domain.id);
    Ok(Created { location, tag: Some(domain.tag()), body: domain.into() })
}

pub(super) async fn get(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, DomainId)>,
) -> Answer<Tagged<DomainJson>> {
    Ok(DomainJson::tagged(service::domains::get(&api.services, app.id, id).await?))
}

/// Asked by the proxy in front for every name that it has no certificate for: answered from memory.
pub(super) async fn ask(State(api): State<Api>, Query(AskedName(domain)): Query<AskedName>) -> Answer<Json<CertifiedJson>> {
    if api.config.is_at(&domain) || api.services.routing.current().has_certificate(&domain) {
        return Ok(Json(CertifiedJson { domain }));
    }
    let message = "neither an app that has proven to own this name answers there, nor the administration";
    Err(Error::new(Kind::NotFound, "not_found", message).into())
}

/// Looks for the proof now.
pub(super) async fn verify(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, DomainId)>,
    Caller(by): Caller,
    body::Json(asked): body::Json<Verify>,
) -> Answer<Tagged<DomainJson>> {
    Ok(DomainJson::tagged(service::domains::verify(&api.services, &by, app.id, id, asked.method).await?))
}

pub(super) async fn delete(
    State(api): State<Api>,
    OfApp(app): OfApp,
    Path((_, id)): Path<(String, DomainId)>,
    Caller(by): Caller,
    if_match: IfMatch,
) -> Answer<NoContent> {
    service::domains::release(&api.services, &by, app.id, id, if_match.tag()).await?;
    Ok(NoContent)
}
