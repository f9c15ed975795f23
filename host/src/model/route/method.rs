//! The method of a route.

use std::fmt;
use std::str::FromStr;

use crate::limits;
use crate::model::route::PatternError;

/// An HTTP method in upper case. CONNECT and TRACE are none that a script may answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Method(String);

/// How well a route's method fits a request's; smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MethodRank {
    Named,
    /// A HEAD request at a GET route.
    HeadAsGet,
    Any,
}

impl Method {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A route's method as people write it: `None`, `ANY` and `*` are any method (`Ok(None)`); letters of either case.
    ///
    /// # Errors
    /// What `Method::from_str` refuses.
    pub fn parse_optional(text: Option<&str>) -> Result<Option<Self>, PatternError> {
        match text {
            None => Ok(None),
            Some(text) if text == "*" || text.eq_ignore_ascii_case("any") => Ok(None),
            Some(text) => text.parse().map(Some),
        }
    }
}

impl FromStr for Method {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let error = |at: usize, message: String| PatternError { field: "method", at, message };
        if text.is_empty() {
            return Err(error(0, "the method is empty; write one such as `GET`, or leave it out for any".to_owned()));
        }
        if text.chars().count() > limits::ROUTE_METHOD_CHARS_MAX {
            let max = limits::ROUTE_METHOD_CHARS_MAX;
            return Err(error(max, format!("the method is longer than {max} characters")));
        }
        if let Some((at, wrong)) = text.chars().enumerate().find(|(_, c)| !c.is_ascii_alphanumeric() && *c != '-' && *c != '_') {
            return Err(error(
                at,
                format!("{wrong:?} at {at} is not part of a method; write one such as `GET`, or leave it out for any"),
            ));
        }
        let method = text.to_ascii_uppercase();
        if !answerable(&method) {
            return Err(error(0, format!("{method} is never passed to a script; choose another method")));
        }
        Ok(Self(method))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Method {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// CONNECT asks for a tunnel and TRACE for an echo of credentials: no route answers either, ANY included.
pub(super) fn answerable(method: &str) -> bool {
    !matches!(method, "CONNECT" | "TRACE")
}

/// How `request` fits a route of `method`; `None` when it does not.
pub(super) fn rank(method: Option<&Method>, request: &str) -> Option<MethodRank> {
    match method {
        None => answerable(request).then_some(MethodRank::Any),
        Some(method) if method.0 == request => Some(MethodRank::Named),
        Some(method) if request == "HEAD" && method.0 == "GET" => Some(MethodRank::HeadAsGet),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_upper_case_and_any_is_none() {
        assert_eq!(Method::parse_optional(Some("get")).unwrap().unwrap().as_str(), "GET");
        assert_eq!(Method::parse_optional(Some("purge-all")).unwrap().unwrap().as_str(), "PURGE-ALL");
        for any in [None, Some("*"), Some("ANY"), Some("any")] {
            assert_eq!(Method::parse_optional(any), Ok(None));
        }
    }

    #[test]
    fn what_is_no_method_is_refused_with_its_place() {
        for (text, at) in [("", 0), ("GE T", 2), ("GET,POST", 3), ("TRACE", 0), ("connect", 0), ("É", 0)] {
            assert_eq!(text.parse::<Method>().unwrap_err().at, at, "{text}");
        }
        assert!("A".repeat(limits::ROUTE_METHOD_CHARS_MAX).parse::<Method>().is_ok());
        assert!("A".repeat(limits::ROUTE_METHOD_CHARS_MAX + 1).parse::<Method>().is_err());
    }

    #[test]
    fn head_runs_get_and_any_runs_neither_trace_nor_connect() {
        let get: Method = "GET".parse().unwrap();
        assert_eq!(rank(Some(&get), "HEAD"), Some(MethodRank::HeadAsGet));
        assert_eq!(rank(Some(&get), "POST"), None);
        assert_eq!(rank(None, "POST"), Some(MethodRank::Any));
        assert_eq!(rank(None, "TRACE"), None);
    }
}
