//! Pages of a list. A cursor is opaque to callers: the lower-case hex of where the page before ended.

use serde_json::json;
use uuid::Uuid;

use super::text;
use crate::error::{Error, Result};
use crate::limits;

/// Items in their list's order; `cursor` asks for the next page and is absent on the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page from up to `limit + 1` rows: the row too many says that more follow, and is left for the next page.
    pub fn cut(mut rows: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let cursor = rows.last().filter(|_| more).map(cursor);
        Self { items: rows, cursor }
    }
}

/// Which page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    /// The `cursor` of the page before; `None` asks for the first.
    pub cursor: Option<String>,
    pub limit: u32,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { cursor: None, limit: limits::API_PAGE_ITEMS_DEFAULT }
    }
}

impl PageQuery {
    /// `limit` is 1..=`API_PAGE_ITEMS_MAX`, by default `API_PAGE_ITEMS_DEFAULT`; any other is 422.
    pub fn new(cursor: Option<String>, limit: Option<u32>) -> Result<Self> {
        let limit = limit.unwrap_or(limits::API_PAGE_ITEMS_DEFAULT);
        check_limit(limit, limits::API_PAGE_ITEMS_MAX)?;
        Ok(Self { cursor, limit })
    }

    /// One row more than the page, for [`Page::cut`].
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Where a list by id goes on, if this is not its first page; 422 for a cursor that is not one of ours.
    pub fn after_id(&self) -> Result<Option<Uuid>> {
        self.cursor.as_deref().map(|c| uuid_of(c).ok_or_else(foreign)).transpose()
    }

    /// Where a list by id and sequence number goes on; 422 for a cursor that is not one of ours.
    pub fn after_id_and_seq(&self) -> Result<Option<(Uuid, i32)>> {
        let parse = |c: &str| {
            let (id, seq) = c.split_at_checked(32)?;
            Some((uuid_of(id)?, number_of(seq)?))
        };
        self.cursor.as_deref().map(|c| parse(c).ok_or_else(foreign)).transpose()
    }

    /// Where a list by name goes on, if this is not its first page; 422 for a cursor that is not one of ours.
    pub fn after_text(&self) -> Result<Option<String>> {
        let parse = |c: &str| {
            let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let byte = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
            let bytes = c.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
            String::from_utf8(bytes).ok().filter(|text| !text.is_empty() && !text.contains('\0') && text_cursor(text) == c)
        };
        self.cursor.as_deref().map(|c| parse(c).ok_or_else(foreign)).transpose()
    }

    /// Where a list by sequence number goes on, if this is not its first page; 422 for a cursor that is not one of ours.
    pub fn after_seq(&self) -> Result<Option<i64>> {
        let parse = |c: &str| i64::from_str_radix(c, 16).ok().filter(|seq| *seq >= 0 && seq_cursor(*seq) == c);
        self.cursor.as_deref().map(|c| parse(c).ok_or_else(foreign)).transpose()
    }

    /// Where a list by number goes on, if this is not its first page; 422 for a cursor that is not one of ours.
    pub fn after_number(&self) -> Result<Option<i32>> {
        self.cursor.as_deref().map(|c| number_of(c).ok_or_else(foreign)).transpose()
    }
}

/// A page's `limit` is 1..=`allowed`; any other is 422.
pub fn check_limit(asked: u32, allowed: u32) -> Result<()> {
    if (1..=allowed).contains(&asked) {
        return Ok(());
    }
    Err(Error::invalid("limit", format!("limit is {asked}; 1 to {allowed} are allowed"))
        .with_details(json!({ "field": "limit", "asked": asked, "floor": 1, "allowed": allowed })))
}

/// The cursor of a list by number (not negative).
pub fn number_cursor(number: i32) -> String {
    format!("{:08x}", number.max(0))
}

/// The cursor of a list by sequence number (not negative).
pub fn seq_cursor(seq: i64) -> String {
    format!("{:016x}", seq.max(0))
}

/// The cursor of a list by id.
pub fn id_cursor(id: Uuid) -> String {
    id.simple().to_string()
}

/// The cursor of a list by name.
pub fn text_cursor(name: &str) -> String {
    text::hex(name.as_bytes())
}

/// The cursor of a list by id and sequence number (not negative).
pub fn id_and_seq_cursor(id: Uuid, seq: i32) -> String {
    format!("{}{:08x}", id.simple(), seq.max(0))
}

fn uuid_of(text: &str) -> Option<Uuid> {
    is_hex(text, 32).then(|| Uuid::try_parse(text).ok()).flatten()
}

fn number_of(text: &str) -> Option<i32> {
    is_hex(text, 8).then(|| i32::from_str_radix(text, 16).ok()).flatten()
}

/// Exactly as our cursors are written: parsers of numbers also take a sign, those of ids also other forms.
fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn foreign() -> Error {
    Error::invalid("cursor", "this is not a cursor that a page of this list gave")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(cursor: &str) -> PageQuery {
        PageQuery { cursor: Some(cursor.into()), limit: 1 }
    }

    #[test]
    fn the_row_too_many_becomes_the_cursor_and_is_left_out() {
        let page = Page::cut(vec![1, 2, 3], 2, |n| n.to_string());
        assert_eq!(page, Page { items: vec![1, 2], cursor: Some("2".into()) });
        assert_eq!(Page::cut(vec![1, 2], 2, |n| n.to_string()).cursor, None);
        assert_eq!(Page::<i32>::cut(vec![], 2, |n| n.to_string()).cursor, None);
    }

    #[test]
    fn cursors_read_back() {
        let id = Uuid::from_u128(0x0190_aaaa_bbbb_7ccc_8ddd_eeee_ffff_0000);
        assert_eq!(asked(&id_cursor(id)).after_id().unwrap(), Some(id));
        for seq in [0, 7, i32::MAX] {
            assert_eq!(asked(&id_and_seq_cursor(id, seq)).after_id_and_seq().unwrap(), Some((id, seq)));
            assert_eq!(asked(&number_cursor(seq)).after_number().unwrap(), Some(seq));
        }
        for text in ["a", "grün/7", "\u{10FFFF}"] {
            assert_eq!(asked(&text_cursor(text)).after_text().unwrap().as_deref(), Some(text));
        }
        assert_eq!(PageQuery::default().after_id().unwrap(), None);
    }

    #[test]
    fn foreign_cursors_are_refused() {
        for bad in ["", "x", "é", &"é".repeat(20), &"0".repeat(31), &"0".repeat(33), &"g".repeat(40), &"f".repeat(40)] {
            assert!(asked(bad).after_id().is_err(), "{bad:?}");
            assert!(asked(bad).after_id_and_seq().is_err(), "{bad:?}");
            assert!(asked(bad).after_number().is_err(), "{bad:?}");
        }
        for bad in ["", "a", "zz", "4A", "ff", "00", "610", "+1"] {
            assert!(asked(bad).after_text().is_err(), "{bad:?}");
        }
        let signed = format!("{}+0000001", id_cursor(Uuid::max()));
        assert!(asked(&signed).after_id_and_seq().is_err());
        for bad in ["ffffffff", "-0000001", "+0000001", "0000000A"] {
            assert!(asked(bad).after_number().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_limit_is_bounded() {
        assert_eq!(PageQuery::new(None, None).unwrap().limit, limits::API_PAGE_ITEMS_DEFAULT);
        assert!(PageQuery::new(None, Some(limits::API_PAGE_ITEMS_MAX)).is_ok());
        assert!(PageQuery::new(None, Some(limits::API_PAGE_ITEMS_MAX + 1)).is_err());
        assert!(PageQuery::new(None, Some(0)).is_err());
    }
}
