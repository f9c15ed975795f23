//! The path of a route, and of a request.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::limits;
use crate::model::route::PatternError;

/// `/users`, `/users/:id` or `/files/*`, in the one form that means the same: literals percent-decoded, shown with as
/// few escapes as they need.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern {
    segments: Vec<Segment>,
    /// Ends in `*`, which is not among the segments.
    prefix: bool,
}

/// In the order in which routes are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathKind {
    Exact,
    Param,
    Prefix,
}

/// Why a request's path is refused before any route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    NotAbsolute,
    TooLong,
    Escape,
    NotUtf8,
    ControlCharacter,
    DotSegment,
}

/// A literal is empty only as the last one: the path ends in a slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    Literal(String),
    Param(String),
}

impl PathPattern {
    pub fn kind(&self) -> PathKind {
        if self.prefix {
            PathKind::Prefix
        } else if self.segments.iter().any(|segment| matches!(segment, Segment::Param(_))) {
            PathKind::Param
        } else {
            PathKind::Exact
        }
    }

    /// Literal segments before the first parameter or `*`.
    pub fn leading_literals(&self) -> usize {
        self.segments.iter().take_while(|segment| matches!(segment, Segment::Literal(_))).count()
    }

    /// What of the route order the path decides; smaller goes first.
    pub fn rank(&self) -> (PathKind, Reverse<usize>) {
        (self.kind(), Reverse(self.leading_literals()))
    }

    /// Whether some path matches both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let fits = match (self.prefix, other.prefix) {
            (false, false) => self.segments.len() == other.segments.len(),
            (true, false) => self.reaches_below(other),
            (false, true) => other.reaches_below(self),
            (true, true) => true,
        };
        fits && self.segments.iter().zip(&other.segments).all(|pair| match pair {
            (Segment::Literal(a), Segment::Literal(b)) => a == b,
            (Segment::Param(_), Segment::Param(_)) => true,
            // A parameter is never empty.
            (Segment::Param(_), Segment::Literal(text)) | (Segment::Literal(text), Segment::Param(_)) => !text.is_empty(),
        })
    }

    /// Whether a path as long as `other` has a first segment for this prefix's rest.
    fn reaches_below(&self, other: &Self) -> bool {
        match other.segments.get(self.segments.len()) {
            None => false,
            Some(Segment::Literal(text)) => !text.is_empty(),
            Some(Segment::Param(_)) => true,
        }
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What a path that matches (cut and decoded) gives to the script: the parameters, and behind a prefix the rest.
    pub(super) fn capture(&self, path: &[Cow<'_, str>]) -> (Vec<(String, String)>, Option<String>) {
        let mut params = Vec::new();
        for (segment, text) in self.segments.iter().zip(path) {
            if let Segment::Param(name) = segment {
                params.push((name.clone(), text.to_string()));
            }
        }
        let rest = self.prefix.then(|| path.get(self.segments.len()..).unwrap_or_default().join("/"));
        (params, rest)
    }
}

impl FromStr for PathPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let error = |at: usize, message: String| PatternError { field: "path", at, message };
        let Some(behind) = text.strip_prefix('/') else {
            let mend = if text.contains("://") { "leave out scheme and host" } else { "write it as in `/users`" };
            return Err(error(0, format!("a path begins with `/`: {mend}")));
        };
        if text.chars().count() > limits::ROUTE_PATH_CHARS_MAX {
            let max = limits::ROUTE_PATH_CHARS_MAX;
            return Err(error(max, format!("the path is longer than {max} characters")));
        }
        let count = behind.split('/').count();
        if count > limits::ROUTE_SEGMENTS_MAX {
            let max = limits::ROUTE_SEGMENTS_MAX;
            return Err(error(0, format!("the path has {count} segments, at most {max} are allowed")));
        }
        let mut pattern = Self { segments: Vec::with_capacity(count), prefix: false };
        let mut at = 1;
        for (index, raw) in behind.split('/').enumerate() {
            let last = index + 1 == count;
            let refuse = |offset: usize, why: String| {
                let at = at + offset;
                error(at, format!("segment `{raw}` at {at}: {why}"))
            };
            if raw == "*" {
                if !last {
                    return Err(refuse(0, "`*` is the last segment or none: it stands for all that follows".to_owned()));
                }
                pattern.prefix = true;
                break;
            }
            if raw.is_empty() && !last {
                return Err(error(at, format!("empty segment (`//`) at {at}: leave one slash out")));
            }
            check_characters(raw).map_err(|(offset, why)| refuse(offset, why))?;
            let segment = match raw.strip_prefix(':') {
                Some(name) => {
                    check_name(name).map_err(|(offset, why)| refuse(offset + 1, why))?;
                    if pattern.segments.iter().any(|other| matches!(other, Segment::Param(taken) if taken == name)) {
                        return Err(refuse(0, format!("`:{name}` is there twice; give each parameter its own name")));
                    }
                    Segment::Param(name.to_owned())
                }
                None => Segment::Literal(decode(raw).map_err(|fault| refuse(0, fault.mend().to_owned()))?.into_owned()),
            };
            pattern.segments.push(segment);
            at += raw.chars().count() + 1;
        }
        Ok(pattern)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            f.write_char('/')?;
            match segment {
                Segment::Literal(text) => encode(text, f)?,
                Segment::Param(name) => write!(f, ":{name}")?,
            }
        }
        if self.prefix { f.write_str("/*") } else { Ok(()) }
    }
}

impl serde::Serialize for PathPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PathFault {
    /// For the caller.
    pub fn message(self) -> &'static str {
        match self {
            Self::NotAbsolute => "the path does not begin with `/`",
            Self::TooLong => "the path is too long",
            Self::Escape => "the path holds a `%` that is not followed by two hexadecimal digits",
            Self::NotUtf8 => "the path is not UTF-8 once its percent escapes are decoded",
            Self::ControlCharacter => "the path holds a control character",
            Self::DotSegment => "the path holds a `.` or `..` segment",
        }
    }

    fn mend(self) -> &'static str {
        match self {
            Self::NotAbsolute => "begin with `/`",
            Self::TooLong => "write less",
            Self::Escape => "`%` is followed by two hexadecimal digits; for a percent sign itself write `%25`",
            Self::NotUtf8 => "the percent escapes are not UTF-8; leave the character unescaped",
            Self::ControlCharacter => "control characters are never part of a path; leave it out",
            Self::DotSegment => "no request has `.` or `..` segments; write the path that they lead to",
        }
    }
}

/// A request's path, cut at `/` and then percent-decoded; `/` itself is one empty segment.
///
/// # Errors
/// The paths that the platform refuses as malformed.
pub(super) fn split(path: &str) -> Result<Vec<Cow<'_, str>>, PathFault> {
    path.strip_prefix('/').ok_or(PathFault::NotAbsolute)?.split('/').map(decode).collect()
}

/// Adds decoded segments to `key` so that different paths give different keys and a path without escapes its own text.
pub(super) fn push_key(key: &mut String, segment: &str) {
    key.push('/');
    for c in segment.chars() {
        match c {
            '%' => key.push_str("%25"),
            '/' => key.push_str("%2F"),
            c => key.push(c),
        }
    }
}

/// One segment without its escapes, checked as requests are.
fn decode(segment: &str) -> Result<Cow<'_, str>, PathFault> {
    let decoded = if segment.contains('%') {
        let mut bytes = Vec::with_capacity(segment.len());
        let mut rest = segment.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(if byte == b'%' { hex(rest.next())? << 4 | hex(rest.next())? } else { byte });
        }
        Cow::Owned(String::from_utf8(bytes).map_err(|_| PathFault::NotUtf8)?)
    } else {
        Cow::Borrowed(segment)
    };
    if decoded.chars().any(char::is_control) {
        return Err(PathFault::ControlCharacter);
    }
    // Also between slashes that were encoded, and backslashes: no script is handed a way up.
    if decoded.contains('.') && decoded.split(['/', '\\']).any(|piece| piece == "." || piece == "..") {
        return Err(PathFault::DotSegment);
    }
    Ok(decoded)
}

fn hex(byte: Option<u8>) -> Result<u8, PathFault> {
    let digit = byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(PathFault::Escape)?;
    u8::try_from(digit).map_err(|_| PathFault::Escape)
}

/// Characters that mean something else to people than a literal, with what they should have written.
fn check_characters(raw: &str) -> Result<(), (usize, String)> {
    for (offset, c) in raw.chars().enumerate() {
        let mend = match c {
            '?' => "`?` begins the query, which no route matches; leave it out (for the character itself write `%3F`)",
            '#' => "`#` begins a fragment, which no request has; leave it out (for the character itself write `%23`)",
            '*' => "`*` stands alone in the last segment; for the character itself write `%2A`",
            '{' | '}' => "a parameter is written `:name`; for a brace itself write `%7B` or `%7D`",
            c if c.is_control() => "control characters are never part of a path; leave it out",
            c if c.is_whitespace() => "write white space as percent escapes, a blank as `%20`",
            _ => continue,
        };
        return Err((offset, mend.to_owned()));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), (usize, String)> {
    if name.is_empty() {
        return Err((0, "`:` is followed by the parameter's name, as in `:id`; for a colon itself write `%3A`".to_owned()));
    }
    if name.chars().count() > limits::ROUTE_PARAM_CHARS_MAX {
        let max = limits::ROUTE_PARAM_CHARS_MAX;
        return Err((max, format!("the parameter's name is longer than {max} characters")));
    }
    for (offset, c) in name.chars().enumerate() {
        if !(c.is_ascii_alphabetic() || c == '_' || (offset > 0 && c.is_ascii_digit())) {
            let why = format!(
                "{c:?} is not part of a parameter's name (letters, digits, `_`, no digit first), and a parameter is a whole segment"
            );
            return Err((offset, why));
        }
    }
    Ok(())
}

/// The least escapes with which `text` reads back as itself.
fn encode(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, c) in text.chars().enumerate() {
        let special = matches!(c, '%' | '/' | '?' | '#' | '*' | '{' | '}') || c.is_whitespace() || c.is_control();
        if special || (c == ':' && index == 0) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                write!(f, "%{byte:02X}")?;
            }
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> PathPattern {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn kinds_and_leading_literals() {
        use PathKind::{Exact, Param, Prefix};
        let cases = [
            ("/", Exact, 1),
            ("/users", Exact, 1),
            ("/users/", Exact, 2),
            ("/users/:id", Param, 1),
            ("/:a/b", Param, 0),
            ("/files/*", Prefix, 1),
            ("/*", Prefix, 0),
            ("/a/:b/c/*", Prefix, 1),
        ];
        for (text, kind, leading) in cases {
            assert_eq!((pattern(text).kind(), pattern(text).leading_literals()), (kind, leading), "{text}");
        }
    }

    #[test]
    fn a_pattern_is_shown_in_its_one_form() {
        for (text, shown) in [
            ("/", "/"),
            ("/%41%62", "/Ab"),
            ("/a%20b", "/a%20b"),
            ("/k%C3%A4se", "/käse"),
            ("/a%2fb", "/a%2Fb"),
            ("/%3Aid/a:b", "/%3Aid/a:b"),
            ("/%2A", "/%2A"),
            ("/100%25", "/100%25"),
            ("/:id/*", "/:id/*"),
            ("/a/", "/a/"),
        ] {
            assert_eq!(pattern(text).to_string(), shown);
            assert_eq!(pattern(shown), pattern(text));
        }
    }

    #[test]
    fn what_is_malformed_names_place_and_remedy() {
        let cases = [
            ("", 0, "`/users`"),
            ("users", 0, "`/users`"),
            ("http://a/b", 0, "scheme"),
            ("//", 1, "one slash"),
            ("/a//b", 3, "one slash"),
            ("/a//", 3, "one slash"),
            ("/ä//", 3, "one slash"),
            ("/:", 2, ":id"),
            ("/a/:/b", 4, ":id"),
            ("/:id/:id", 5, "twice"),
            ("/:1a", 2, "no digit first"),
            ("/:id.json", 4, "whole segment"),
            ("/*/a", 1, "last"),
            ("/*/", 1, "last"),
            ("/a*", 2, "%2A"),
            ("/**", 1, "%2A"),
            ("/.", 1, "`..`"),
            ("/a/../b", 3, "`..`"),
            ("/%2e%2E", 1, "`..`"),
            ("/a%2F..", 1, "`..`"),
            ("/a?b=c", 2, "query"),
            ("/:a?", 3, "query"),
            ("/a#b", 2, "fragment"),
            ("/{id}", 1, ":name"),
            ("/a b", 2, "%20"),
            ("/%", 1, "%25"),
            ("/%2", 1, "%25"),
            ("/%zz", 1, "%25"),
            ("/%ff", 1, "UTF-8"),
            ("/%00", 1, "control"),
            ("/a\u{7f}", 2, "control"),
        ];
        for (text, at, word) in cases {
            let error = text.parse::<PathPattern>().unwrap_err();
            assert_eq!((error.field, error.at), ("path", at), "{text:?}: {error}");
            assert!(error.message.contains(word), "{text:?}: {error}");
        }
    }

    #[test]
    fn bounds_hold_at_n_and_not_at_n_plus_one() {
        let of_chars = |count: usize| format!("/{}", "ä".repeat(count - 1)).parse::<PathPattern>();
        assert!(of_chars(limits::ROUTE_PATH_CHARS_MAX).is_ok());
        assert!(of_chars(limits::ROUTE_PATH_CHARS_MAX + 1).is_err());
        let of_segments = |count: usize| "/a".repeat(count).parse::<PathPattern>();
        assert!(of_segments(limits::ROUTE_SEGMENTS_MAX).is_ok());
        assert!(of_segments(limits::ROUTE_SEGMENTS_MAX + 1).is_err());
        let of_name = |count: usize| format!("/:{}", "a".repeat(count)).parse::<PathPattern>();
        assert!(of_name(limits::ROUTE_PARAM_CHARS_MAX).is_ok());
        assert!(of_name(limits::ROUTE_PARAM_CHARS_MAX + 1).is_err());
    }

    #[test]
    fn a_request_is_cut_before_it_is_decoded() {
        assert_eq!(split("/a%2Fb/c%20d//").unwrap(), ["a/b", "c d", "", ""]);
        assert_eq!(split("/").unwrap(), [""]);
        for (path, fault) in [
            ("a", PathFault::NotAbsolute),
            ("*", PathFault::NotAbsolute),
            ("/a/./b", PathFault::DotSegment),
            ("/a/%2e%2e/b", PathFault::DotSegment),
            ("/a/..%2Fb", PathFault::DotSegment),
            ("/a/..%5Cb", PathFault::DotSegment),
            ("/%0a", PathFault::ControlCharacter),
            ("/%C2%85", PathFault::ControlCharacter),
            ("/%c3%28", PathFault::NotUtf8),
            ("/%4", PathFault::Escape),
            ("/%+1", PathFault::Escape),
        ] {
            assert_eq!(split(path), Err(fault), "{path}");
        }
        assert!(split("/...").is_ok());
    }
}
