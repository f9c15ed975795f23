//! Path and query parameters, read strictly: what nobody knows is refused and named.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Query as Pairs};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::{Answer, Failed};
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::model::app::{App, Deletion};
use crate::model::page::PageQuery;

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

/// The app of what the path names, as the gate found it and permitted it. Only behind a rule about one.
#[derive(Debug)]
pub(crate) struct OfApp(pub(crate) App);

impl<S: Send + Sync> FromRequestParts<S> for OfApp {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let app = parts.extensions.get::<App>().cloned();
        app.map(Self).ok_or_else(|| Error::internal("an endpoint of no app asked for its app").into())
    }
}

/// What an endpoint understands of its query string. The gate refuses every parameter that is not described.
pub(crate) trait Parameters: Sized {
    /// Those that `read` takes, and no other.
    fn describe() -> Vec<Parameter>;

    fn read(given: &mut Given) -> Result<Self>;
}

/// A query parameter, as the API's description tells of it. All of them may be left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// JSON Schema of its value.
    pub(crate) schema: Value,
}

impl Parameter {
    pub(crate) fn new(name: &'static str, about: &'static str, schema: Value) -> Self {
        Self { name, about, schema }
    }

    pub(crate) fn text(name: &'static str, about: &'static str) -> Self {
        Self::new(name, about, json!({ "type": "string" }))
    }

    pub(crate) fn id(name: &'static str, about: &'static str) -> Self {
        Self::new(name, about, json!({ "type": "string", "format": "uuid" }))
    }

    /// False when it is left out.
    pub(crate) fn flag(name: &'static str, about: &'static str) -> Self {
        Self::new(name, about, json!({ "type": "boolean", "default": false }))
    }

    pub(crate) fn one_of(name: &'static str, about: &'static str, words: &[&str]) -> Self {
        Self::new(name, about, json!({ "type": "string", "enum": words }))
    }
}

/// A query string of exactly the parameters of `T`; 422 names every other one.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: Parameters, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let mut given = Given::read(&parts.uri)?;
        let value = T::read(&mut given)?;
        given.only(&[])?;
        Ok(Self(value))
    }
}

/// The parameters that came and were not yet read.
#[derive(Debug)]
pub(crate) struct Given {
    pairs: Vec<(String, String)>,
}

impl Given {
    /// All that came; 422 for a query string that is none.
    pub(crate) fn read(uri: &Uri) -> Result<Self> {
        match Pairs::<Vec<(String, String)>>::try_from_uri(uri) {
            Ok(Pairs(pairs)) => Ok(Self { pairs }),
            Err(_) => Err(Error::new(Kind::Invalid, "invalid", "the query string cannot be read")),
        }
    }

    /// The parameter of that name, if it came; `expected` says what it must be ("a number").
    pub(crate) fn take<V: FromStr>(&mut self, name: &'static str, expected: &str) -> Result<Option<V>> {
        let mut found = self.pairs.extract_if(.., |(given, _)| given == name);
        let Some((_, text)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(invalid(name, format!("`{name}` came more than once")));
        }
        text.parse().map(Some).map_err(|_| invalid(name, format!("`{name}` must be {expected}")))
    }

    /// 422 that names every parameter which is left and not among these.
    pub(crate) fn only(self, known: &[&str]) -> Result<()> {
        let mut unknown: Vec<_> = self.pairs.into_iter().map(|(name, _)| name).collect();
        unknown.retain(|name| !known.contains(&name.as_str()));
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
    fn describe() -> Vec<Parameter> {
        let limit = json!({
            "type": "integer",
            "minimum": 1,
            "maximum": limits::API_PAGE_ITEMS_MAX,
            "default": limits::API_PAGE_ITEMS_DEFAULT,
        });
        vec![
            Parameter::text("cursor", "The `cursor` of the page before; left out: the first page."),
            Parameter::new("limit", "How many items the page has at most.", limit),
        ]
    }

    fn read(given: &mut Given) -> Result<Self> {
        Self::new(given.take("cursor", "text")?, given.take("limit", "a number")?)
    }
}

/// `force=true`: also with all that it still holds.
impl Parameters for Deletion {
    fn describe() -> Vec<Parameter> {
        vec![Parameter::flag("force", "Also with all that it still holds.")]
    }

    fn read(given: &mut Given) -> Result<Self> {
        let force = given.take("force", "true or false")?.unwrap_or(false);
        Ok(if force { Self::WithContents } else { Self::OnlyEmpty })
    }
}

/// `?against=` the number of what something numbered is held against.
pub(super) struct Against(pub(super) Option<i32>);

impl Parameters for Against {
    fn describe() -> Vec<Parameter> {
        let number = json!({ "type": "integer", "format": "int32", "minimum": 1 });
        vec![Parameter::new("against", "The number of the one that it is held against; left out: the one that runs.", number)]
    }

    fn read(given: &mut Given) -> Result<Self> {
        Ok(Self(given.take("against", "a number")?))
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

    #[test]
    fn what_is_described_is_known() {
        let given = |query: &str| Given::read(&format!("/x?{query}").parse().unwrap()).unwrap();
        let known: Vec<_> = PageQuery::describe().into_iter().map(|parameter| parameter.name).collect();
        assert!(given("limit=x&cursor=y").only(&known).is_ok());
        let refused = given("limit=1&zz=1&ap=2").only(&known).unwrap_err();
        assert_eq!(refused.details.unwrap()["unknown_parameters"], json!(["ap", "zz"]));
        assert!(Given::read(&"/x".parse().unwrap()).unwrap().only(&[]).is_ok());
    }

    #[tokio::test]
    async fn force_is_a_word_not_a_presence() {
        assert_eq!(read::<Deletion>("").await.unwrap(), Deletion::OnlyEmpty);
        assert_eq!(read::<Deletion>("force=true").await.unwrap(), Deletion::WithContents);
        assert_eq!(read::<Deletion>("force").await.unwrap_err().status(), 422);
    }
}
