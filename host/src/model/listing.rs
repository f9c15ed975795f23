//! Items of a collection in the order of their names, bytewise: what to list, and the range of an index that this is.

use super::page::check_limit;
use super::text;
use crate::error::Result;

/// Which items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only names that begin so.
    pub prefix: String,
    /// Only names after this one: the `cursor` of the page before.
    pub after: Option<String>,
    pub limit: u32,
}

/// Names from `from` on, after `after`, before `before`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub from: String,
    pub after: String,
    pub before: String,
}

impl Query {
    /// The names that are asked for, where a name has at most `name_bytes_max` bytes; 422 for a prefix or cursor that is none,
    /// and for a limit that is not 1..=`limit_max`.
    pub fn span(self, name_bytes_max: usize, limit_max: u32) -> Result<Span> {
        let after = self.after.unwrap_or_default();
        for (field, value) in [("prefix", &self.prefix), ("cursor", &after)] {
            if !value.is_empty() {
                text::name_bytes(field, value, name_bytes_max)?;
            }
        }
        check_limit(self.limit, limit_max)?;
        Ok(Span { before: end_of_prefix(&self.prefix, name_bytes_max), from: self.prefix, after })
    }
}

/// A text after every name that begins with `prefix` and before every later one, so that a prefix is a range of the index.
/// Bytewise order of UTF-8 is the order of its code points, so the next code point in place of the last one is that text.
fn end_of_prefix(prefix: &str, name_bytes_max: usize) -> String {
    let mut stem = prefix.to_owned();
    while let Some(last) = stem.pop() {
        // The range of `char` steps over the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            stem.push(next);
            return stem;
        }
    }
    // No such prefix: longer than any name can be, of the greatest code point.
    std::iter::repeat_n(char::MAX, name_bytes_max / char::MAX.len_utf8() + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_code_point() {
        let end = |prefix| end_of_prefix(prefix, 512);
        assert_eq!(end("a"), "b");
        assert_eq!(end("user:"), "user;");
        assert_eq!(end("\u{7f}"), "\u{80}");
        assert_eq!(end("\u{d7ff}"), "\u{e000}");
        assert_eq!(end("a\u{10ffff}"), "b");
    }

    #[test]
    fn no_prefix_ends_after_every_name() {
        for bytes_max in [4, 5, 512, 1_024] {
            let greatest = char::MAX.to_string().repeat(bytes_max / 4);
            assert!(end_of_prefix("", bytes_max) > greatest);
            assert!(end_of_prefix("\u{10ffff}", bytes_max) > greatest);
        }
    }

    #[test]
    fn queries_are_bounded() {
        let query = |limit| Query { limit, ..Query::default() };
        let ok = |query: Query| query.span(8, 100).is_ok();
        assert!(ok(query(1)) && ok(query(100)));
        assert!(!ok(query(0)) && !ok(query(101)));
        for (name, fits) in [("n".repeat(8), true), ("n".repeat(9), false), ("\0".to_owned(), false)] {
            assert_eq!(ok(Query { prefix: name.clone(), ..query(1) }), fits, "{name:?}");
            assert_eq!(ok(Query { after: Some(name.clone()), ..query(1) }), fits, "{name:?}");
        }
    }
}
