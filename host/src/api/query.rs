//! Path and query parameters, read strictly: what nobody knows is refused and named.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Query as Pairs, RawPathParams};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Api;
use super::error::{Answer, Failed};
use crate::error::{Error, Kind, Result};
use crate::model::app::{App, Deletion};
use crate::model::page::PageQuery;
use crate::service;

/// The path's parameters. One that is not of its type names nothing: 404.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => {
                Err(Error::new(Kind::NotFound, "not_found", "nothing is here: the path holds an id that is not one").into())
            }
        }
    }
}

/// The app that the path names, by id or slug; before the body is looked at, so that what names nothing is 404 whatever is sent.
#[derive(Debug)]
pub(crate) struct OfApp(pub(crate) App);

impl FromRequestParts<Api> for OfApp {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Answer<Self> {
        let params = RawPathParams::from_request_parts(parts, api).await.ok();
        let named = params.as_ref().and_then(|params| params.iter().find(|(name, _)| *name == "app"));
        let (_, app) = named.ok_or_else(|| Error::not_found("app"))?;
        Ok(Self(service::apps::get(&api.services, app).await?))
    }
}

/// What an endpoint understands of its query string.
pub(crate) trait Parameters: Sized {
    fn read(given: &mut Given) -> Result<Self>;
}

/// A query string of exactly the parameters of `T`; 422 names every other one.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: Parameters, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let Ok(Pairs(pairs)) = Pairs::<Vec<(String, String)>>::from_request_parts(parts, state).await else {
            return Err(Error::new(Kind::Invalid, "invalid", "the query string cannot be read").into());
        };
        let mut given = Given { pairs };
        let value = T::read(&mut given)?;
        given.finish()?;
        Ok(Self(value))
    }
}

/// The parameters that came and were not yet read.
#[derive(Debug)]
pub(crate) struct Given {
    pairs: Vec<(String, String)>,
}

impl Given {
    /// The parameter of that name, if it came; `expected` says what it must be ("a number").
    pub(crate) fn take<V: FromStr>(&mut self, name: &'static str, expected: &str) -> Result<Option<V>> {
        let mut found = self.pairs.extract_if(.., |(given, _)| given == name);
        let Some((_, text)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(invalid(name, format!("`{name}` came more than once")));
        }
        text.parse().map(Some).map_err(|_| invalid(name, format!("`{name}` must be {expected}")))
    }

    fn finish(self) -> Result<()> {
        let mut unknown: Vec<_> = self.pairs.into_iter().map(|(name, _)| name).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        let plural = if unknown.len() == 1 { "" } else { "s" };
        Err(Error::new(Kind::Invalid, "invalid", format!("unknown query parameter{plural}: {}", unknown.join(", ")))
            .with_details(json!({ "unknown_parameters": unknown })))
    }
}

fn invalid(name: &str, message: String) -> Error {
    Error::new(Kind::Invalid, "invalid", message).with_details(json!({ "parameter": name }))
}

/// `limit` and `cursor`.
impl Parameters for PageQuery {
    fn read(given: &mut Given) -> Result<Self> {
        Self::new(given.take("cursor", "text")?, given.take("limit", "a number")?)
    }
}

/// `force=true`: also with all that it still holds.
impl Parameters for Deletion {
    fn read(given: &mut Given) -> Result<Self> {
        let force = given.take("force", "true or false")?.unwrap_or(false);
        Ok(if force { Self::WithContents } else { Self::OnlyEmpty })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn read<T: Parameters>(query: &str) -> Answer<T> {
        let (mut parts, ()) = Request::get(format!("/x?{query}")).body(()).unwrap().into_parts();
        Query::from_request_parts(&mut parts, &()).await.map(|Query(value)| value)
    }

    #[tokio::test]
    async fn a_page_is_read_and_bounded() {
        assert_eq!(read::<PageQuery>("").await.unwrap(), PageQuery::default());
        let page = read::<PageQuery>("limit=7&cursor=a%20b").await.unwrap();
        assert_eq!((page.limit, page.cursor.as_deref()), (7, Some("a b")));
        for bad in ["limit=0", "limit=201", "limit=-1", "limit=x", "limit=", "limit=1&limit=2"] {
            let failed = read::<PageQuery>(bad).await.unwrap_err();
            assert_eq!(failed.status(), 422, "{bad}");
            assert!(failed.error().message.contains("limit"), "{bad}");
        }
    }

    #[tokio::test]
    async fn all_unknown_parameters_are_named() {
        let failed = read::<PageQuery>("limit=1&ap=x&zz&ap=y").await.unwrap_err();
        assert_eq!(failed.error().details.as_ref().unwrap()["unknown_parameters"], json!(["ap", "zz"]));
        let failed = read::<Deletion>("forced=true").await.unwrap_err();
        assert_eq!(failed.error().message, "unknown query parameter: forced");
    }

    #[tokio::test]
    async fn force_is_a_word_not_a_presence() {
        assert_eq!(read::<Deletion>("").await.unwrap(), Deletion::OnlyEmpty);
        assert_eq!(read::<Deletion>("force=true").await.unwrap(), Deletion::WithContents);
        assert_eq!(read::<Deletion>("force").await.unwrap_err().status(), 422);
    }
}
