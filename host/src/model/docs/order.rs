//! In which order documents are found, and the cursor that goes on from a place in it.
//!
//! Values are ordered across types: missing, null, false, true, numbers, strings (bytewise, by their first
//! `DOCS_SORT_TEXT_CHARS` characters), arrays, maps. Arrays are not ordered among themselves, nor are maps: as any other tie, the
//! id decides.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::data::kind;
use super::filter::invalid;
use super::path::Path;
use crate::error::{Error, Result};
use crate::limits::{DOCS_CURSOR_BYTES_MAX, DOCS_ID_BYTES_MAX, DOCS_SORT_KEYS_MAX, DOCS_SORT_TEXT_CHARS};

/// The document's id, as a key of `$sort`.
const ID: &str = "$id";
/// Ranks of types in the order, as the store's SQL gives them.
const RANK_NUMBER: i32 = 4;
const RANK_STRING: i32 = 5;
const RANK_LAST: i32 = 7;
/// The longest text of an f64 without an exponent, bytes, and some.
const NUMBER_BYTES: usize = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub path: Path,
    pub direction: Direction,
}

/// At most `DOCS_SORT_KEYS_MAX` keys, then the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    pub keys: Vec<Key>,
    pub id: Direction,
}

/// Where a page ended: a document's values of the keys, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub keys: Vec<KeyPlace>,
    pub id: String,
}

/// A value as the order sees it: its type's rank; its number, or 0; its text, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPlace {
    #[serde(rename = "r")]
    pub rank: i32,
    #[serde(rename = "n")]
    pub number: String,
    #[serde(rename = "t")]
    pub text: String,
}

impl Sort {
    /// By id alone.
    pub fn by_id() -> Self {
        Self { keys: Vec::new(), id: Direction::Up }
    }

    /// The value of `$sort`: a key, or an array of keys. A key is a path (`"age"`, or `"-age"` downwards), or a map of one path to 1
    /// or -1. The last one may be `$id`.
    pub fn read(value: &Value) -> Result<Self> {
        const AT: &str = "filter.$sort";
        let keys = match value {
            Value::Array(keys) => keys.as_slice(),
            key => std::slice::from_ref(key),
        };
        let mut sort = Self::by_id();
        let mut ended = false;
        for (n, key) in keys.iter().enumerate() {
            let at = if value.is_array() { format!("{AT}[{n}]") } else { AT.to_owned() };
            let (name, direction) = named(&at, key)?;
            if ended {
                return Err(invalid(&at, "stands after `$id`, which leaves nothing to order"));
            }
            if name == ID {
                (sort.id, ended) = (direction, true);
            } else if sort.keys.len() == DOCS_SORT_KEYS_MAX {
                return Err(invalid(&at, &format!("is one key too many: at most {DOCS_SORT_KEYS_MAX} are allowed, and `$id`")));
            } else {
                sort.keys.push(Key { path: Path::read(&at, name)?, direction });
            }
        }
        Ok(sort)
    }

    /// The text that `read_cursor` takes, of at most `DOCS_CURSOR_BYTES_MAX` bytes.
    pub fn cursor(&self, place: &Place) -> String {
        let cursor = Cursor { sort: self.mark(), keys: place.keys.clone(), id: place.id.clone() };
        let text = serde_json::to_vec(&cursor).unwrap_or_default();
        text.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where a cursor of this order goes on; 422 for any other text.
    pub fn read_cursor(&self, cursor: &str) -> Result<Place> {
        let foreign = || Error::invalid("cursor", "this is not a cursor that a page of this order gave");
        if cursor.len() > DOCS_CURSOR_BYTES_MAX {
            return Err(foreign());
        }
        let cursor: Cursor = unhex(cursor).and_then(|text| serde_json::from_slice(&text).ok()).ok_or_else(foreign)?;
        let id_fits = (1..=DOCS_ID_BYTES_MAX).contains(&cursor.id.len()) && !cursor.id.contains('\0');
        let fits = cursor.sort == self.mark() && cursor.keys.len() == self.keys.len() && id_fits;
        if !fits || !cursor.keys.iter().all(KeyPlace::fits) {
            return Err(foreign());
        }
        Ok(Place { keys: cursor.keys, id: cursor.id })
    }

    /// Tells one order from another.
    fn mark(&self) -> String {
        let word = |direction| if direction == Direction::Down { "-" } else { "+" };
        let mut text = word(self.id).to_owned();
        for key in &self.keys {
            text.push_str(word(key.direction));
            text.push_str(&key.path.to_string());
            text.push('\0');
        }
        blake3::hash(text.as_bytes()).to_hex().chars().take(16).collect()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    #[serde(rename = "s")]
    sort: String,
    #[serde(rename = "k")]
    keys: Vec<KeyPlace>,
    #[serde(rename = "i")]
    id: String,
}

impl KeyPlace {
    /// Whether a document could have this place.
    fn fits(&self) -> bool {
        let number_fits = if self.rank == RANK_NUMBER { is_decimal(&self.number) } else { self.number == "0" };
        let text_fits = match self.rank {
            RANK_STRING => self.text.chars().count() <= DOCS_SORT_TEXT_CHARS && !self.text.contains('\0'),
            _ => self.text.is_empty(),
        };
        (0..=RANK_LAST).contains(&self.rank) && number_fits && text_fits
    }
}

/// As the database writes what it stored: digits, perhaps a sign and a fraction.
fn is_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    text.len() <= NUMBER_BYTES && digits(whole) && digits(fraction)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = *pair { u8::try_from(digit(high)? << 4 | digit(low)?).ok() } else { None }).collect()
}

/// One key's path and direction.
fn named<'a>(at: &str, key: &'a Value) -> Result<(&'a str, Direction)> {
    match key {
        Value::String(text) => Ok(match text.strip_prefix('-') {
            Some(name) => (name, Direction::Down),
            None => (text, Direction::Up),
        }),
        Value::Object(map) => {
            let mut entries = map.iter();
            let (Some((name, direction)), None) = (entries.next(), entries.next()) else {
                let keys = map.len();
                return Err(invalid(
                    at,
                    &format!("is a map of {keys} keys, which have no order: write an array, such as [\"-age\", \"name\"]"),
                ));
            };
            match direction.as_i64() {
                Some(1) => Ok((name, Direction::Up)),
                Some(-1) => Ok((name, Direction::Down)),
                _ => Err(invalid(at, &format!("orders `{name}` by {direction}: it must be 1 or -1"))),
            }
        }
        other => Err(invalid(
            at,
            &format!("is {}: a key is a path such as \"age\" or \"-age\", or a map of one path to 1 or -1", kind(other)),
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sort(value: Value) -> Sort {
        Sort::read(&value).unwrap()
    }

    fn keys(sort: &Sort) -> Vec<String> {
        sort.keys.iter().map(|key| format!("{}{}", if key.direction == Direction::Down { "-" } else { "" }, key.path)).collect()
    }

    fn number(text: &str) -> KeyPlace {
        KeyPlace { rank: RANK_NUMBER, number: text.into(), text: String::new() }
    }

    fn string(text: &str) -> KeyPlace {
        KeyPlace { rank: RANK_STRING, number: "0".into(), text: text.into() }
    }

    #[test]
    fn a_key_is_a_path_or_a_map_of_one() {
        for (value, expected) in [
            (json!("age"), vec!["age"]),
            (json!("-a.b"), vec!["-a.b"]),
            (json!({ "age": -1 }), vec!["-age"]),
            (json!(["-age", { "name": 1 }]), vec!["-age", "name"]),
            (json!({ "-age": 1 }), vec!["-age"]),
            (json!([]), vec![]),
        ] {
            assert_eq!(keys(&sort(value.clone())), expected, "{value}");
        }
        assert_eq!(sort(json!("-$id")), Sort { keys: vec![], id: Direction::Down });
        assert_eq!(sort(json!(["a", "-$id"])).id, Direction::Down);
    }

    #[test]
    fn other_keys_are_refused_with_their_place() {
        for (value, message) in [
            (json!(1), "filter.$sort is a number: a key is a path"),
            (json!(["a", 1]), "filter.$sort[1] is a number"),
            (json!({ "a": 1, "b": 1 }), "filter.$sort is a map of 2 keys, which have no order"),
            (json!({}), "filter.$sort is a map of 0 keys"),
            (json!({ "a": 2 }), "filter.$sort orders `a` by 2: it must be 1 or -1"),
            (json!(["$id", "a"]), "filter.$sort[1] stands after `$id`"),
            (json!(""), "filter.$sort: a path has no empty step"),
            (json!("a.b.c.d.e.f"), "filter.$sort: a path of 6 steps; at most 5"),
        ] {
            let refused = Sort::read(&value).unwrap_err().message;
            assert!(refused.starts_with(message), "{value}: {refused}");
        }
        let many = |keys: usize| json!(vec!["a"; keys]);
        assert!(Sort::read(&many(DOCS_SORT_KEYS_MAX)).is_ok());
        assert!(Sort::read(&many(DOCS_SORT_KEYS_MAX + 1)).is_err());
    }

    #[test]
    fn a_cursor_comes_back_as_the_place_it_was_made_of() {
        let sort = sort(json!(["a", "-b"]));
        let place = Place { keys: vec![number("-12.50"), string("é\u{1}")], id: "x".into() };
        assert_eq!(sort.read_cursor(&sort.cursor(&place)).unwrap(), place);
    }

    #[test]
    fn the_longest_cursor_is_one_too() {
        let sort = sort(json!(vec!["a"; DOCS_SORT_KEYS_MAX]));
        let long = string(&"\u{1}".repeat(DOCS_SORT_TEXT_CHARS));
        let place = Place { keys: vec![long; DOCS_SORT_KEYS_MAX], id: "\u{1}".repeat(DOCS_ID_BYTES_MAX) };
        let cursor = sort.cursor(&place);
        assert!(cursor.len() <= DOCS_CURSOR_BYTES_MAX, "{}", cursor.len());
        assert_eq!(sort.read_cursor(&cursor).unwrap(), place);
        assert!(sort.read_cursor(&"0".repeat(DOCS_CURSOR_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let place = |key: KeyPlace| Place { keys: vec![key], id: "x".into() };
        let cursor = sort(json!("a")).cursor(&place(number("1")));
        for other in [json!("b"), json!("-a"), json!([]), json!(["a", "a"]), json!(["a", "-$id"])] {
            assert!(sort(other.clone()).read_cursor(&cursor).is_err(), "{other}");
        }
    }

    #[test]
    fn a_forged_cursor_is_refused() {
        let sort = sort(json!("a"));
        let forged = |key: KeyPlace, id: &str| sort.read_cursor(&sort.cursor(&Place { keys: vec![key], id: id.into() }));
        for text in ["NaN", "1e9", "", "-", "1.", ".1", "--1", "+1", " 1", "Infinity", &"1".repeat(NUMBER_BYTES + 1)] {
            assert!(forged(number(text), "x").is_err(), "{text}");
        }
        for text in ["0", "-1", "1.0", "-0.5", &"1".repeat(NUMBER_BYTES)] {
            assert!(forged(number(text), "x").is_ok(), "{text}");
        }
        assert!(forged(string(&"x".repeat(DOCS_SORT_TEXT_CHARS + 1)), "x").is_err());
        assert!(forged(string("\0"), "x").is_err());
        assert!(forged(KeyPlace { rank: 8, ..number("0") }, "x").is_err());
        assert!(forged(KeyPlace { rank: -1, ..number("0") }, "x").is_err());
        assert!(forged(KeyPlace { rank: 0, ..number("1") }, "x").is_err());
        assert!(forged(KeyPlace { rank: 0, ..string("x") }, "x").is_err());
        for id in ["", "\0", &"x".repeat(DOCS_ID_BYTES_MAX + 1)] {
            assert!(forged(number("0"), id).is_err(), "{id:?}");
        }
        let good = sort.cursor(&Place { keys: vec![number("0")], id: "x".into() });
        for bad in ["", "x", "0", "00", "7b7d", "é", &good.to_uppercase(), &good[..good.len() - 1], &format!("{good}20x")] {
            assert!(sort.read_cursor(bad).is_err(), "{bad}");
        }
    }
}
