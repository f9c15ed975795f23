//! Filters of `docs` in memory: hostile documents, filters and orders, asked of a node and of `model::docs::search`. Both give the
//! same documents in the same order, the same pages and the same cursors.

use futures_util::future::join_all;
use picloud::error::Error;
use picloud::id::AppId;
use picloud::limits::{DOCS_DATA_BYTES_MAX, DOCS_PAGE_BYTES_MAX, DOCS_PAGE_ITEMS_DEFAULT, DOCS_SORT_TEXT_CHARS};
use picloud::model::docs::{Data, Document, Find, search};
use picloud::model::page::Page;
use picloud::service::docs;
use picloud::store::ScriptDb;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::TestApp;

const COLLECTIONS: usize = 4;
const DOCUMENTS_EACH: usize = 100;
const FILTERS_EACH: usize = 150;

/// Texts of numbers, with those that floats would take for one another, and those that are written in more than one way.
const NUMBERS: [&str; 38] = [
    "0",
    "-0",
    "0.0",
    "-0.0",
    "1",
    "1.0",
    "1e0",
    "10e-1",
    "1.5",
    "-1",
    "-1.0",
    "2",
    "9",
    "10",
    "10.0",
    "0.1",
    "-0.1",
    "0.10000000000000001",
    "0.30000000000000004",
    "100",
    "1e2",
    "9007199254740992",
    "9007199254740993",
    "9007199254740992.0",
    "9007199254740993.0",
    "9007199254740994",
    "9223372036854775807",
    "9223372036854775808",
    "9223372036854775807.0",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "1e16",
    "1e23",
    "1e300",
    "-1.7976931348623157e308",
    "5e-324",
    "1e-400",
];
/// Strings whose order is another one by bytes than by letters, by UTF-16 or by value.
const STRINGS: [&str; 30] = [
    "",
    " ",
    "a",
    "A",
    "b",
    "B",
    "ab",
    "a ",
    "a\u{1}",
    "Z",
    "z",
    "é",
    "e\u{301}",
    "É",
    "ß",
    "ss",
    "中",
    "\u{ffff}",
    "\u{10000}",
    "😀",
    "\u{7f}",
    "0",
    "1",
    "10",
    "9",
    "null",
    "true",
    "a.b",
    "$gt",
    "'\"\\",
];
/// Keys of documents. The first three are in most of them.
const KEYS: [&str; 14] = ["a", "b", "c", "0", "1", "-1", " 1", "a.b", "", "é", "$gt", "A", "'\"\\", "01"];
/// Paths of conditions and orders: by name, by index in every way that a number can be written in, and to nowhere.
const PATHS: [&str; 32] = [
    "a",
    "b",
    "c",
    "a.a",
    "a.b",
    "b.a",
    "c.c",
    "a.0",
    "a.1",
    "b.-1",
    "b.-2",
    "c.+1",
    "c.00",
    "a. 1",
    "b.\u{b}0",
    "a.1 ",
    "b.-0",
    "a.\u{a0}0",
    "b.1e0",
    "c.2147483648",
    "c.-2147483648",
    "a.99999999999999999999",
    "a.0.b",
    "b.-1.0",
    "c.a.b.c.0",
    "0",
    "-1",
    "é",
    "'\"\\",
    "a.$gt",
    "A",
    "none",
];

/// SplitMix64: the same documents and filters every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn one_of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }

    /// JSON text of some, joined by commas.
    fn several(&mut self, least: usize, most: usize, mut one: impl FnMut(&mut Self) -> String) -> String {
        let many = least + self.below(most - least + 1);
        (0..many).map(|_| one(self)).collect::<Vec<_>>().join(",")
    }

    fn string(&mut self) -> String {
        if self.below(12) > 0 {
            return quoted(self.one_of(&STRINGS));
        }
        // About as long as an order looks.
        let chars = DOCS_SORT_TEXT_CHARS - 1 + self.below(3);
        quoted(&format!("{}{}", "é".repeat(chars), self.one_of(&["", "x", "y"])))
    }

    fn scalar(&mut self) -> String {
        match self.below(10) {
            // Often one of a few, so that they meet.
            0..3 => self.one_of(&NUMBERS[..12]).to_owned(),
            3..5 => self.one_of(&NUMBERS).to_owned(),
            5..8 => self.string(),
            _ => self.one_of(&["true", "false"]).to_owned(),
        }
    }

    fn value(&mut self, depth: usize) -> String {
        match self.below(12) {
            0 => "null".to_owned(),
            1..4 if depth > 0 => format!("[{}]", self.several(0, 3, |chance| chance.value(depth - 1))),
            4..6 if depth > 0 => self.map(depth),
            _ => self.scalar(),
        }
    }

    /// Of keys that may come twice: the last one counts.
    fn map(&mut self, depth: usize) -> String {
        let entry = |chance: &mut Self| format!("{}:{}", quoted(chance.one_of(&KEYS)), chance.value(depth - 1));
        format!("{{{}}}", self.several(0, 3, entry))
    }

    fn document(&mut self) -> String {
        let mut entries = Vec::new();
        for key in &KEYS[..3] {
            if self.below(5) > 0 {
                entries.push(format!("{}:{}", quoted(key), self.value(3)));
            }
        }
        for _ in 0..self.below(3) {
            entries.push(format!("{}:{}", quoted(self.one_of(&KEYS[3..])), self.value(4)));
        }
        format!("{{{}}}", entries.join(","))
    }

    fn path(&mut self) -> String {
        match self.below(2) {
            0 => quoted(self.one_of(&PATHS[..3])),
            _ => quoted(self.one_of(&PATHS)),
        }
    }

    /// The entries of a filter.
    fn conditions(&mut self, depth: usize) -> String {
        match self.below(if depth > 0 { 9 } else { 5 }) {
            5 => {
                let several = self.several(1, 3, |chance| format!("{{{}}}", chance.conditions(depth - 1)));
                format!("\"$and\":[{several}]")
            }
            6 | 7 => {
                let several = self.several(1, 3, |chance| format!("{{{}}}", chance.conditions(depth - 1)));
                format!("\"$or\":[{several}]")
            }
            8 => format!("\"$not\":{{{}}}", self.conditions(depth - 1)),
            4 => {
                let (path, other) = (self.path(), self.conditions(0));
                format!("{path}:{{{}}},{other}", self.operator())
            }
            3 => {
                let (path, value) = (self.path(), self.value(2));
                // A map might be taken for one of operators.
                if value.starts_with('{') { format!("{path}:{{\"$eq\":{value}}}") } else { format!("{path}:{value}") }
            }
            _ => format!("{}:{{{}}}", self.path(), self.several(1, 2, Self::operator)),
        }
    }

    fn operator(&mut self) -> String {
        match self.below(10) {
            0 => format!("\"$eq\":{}", self.value(2)),
            1 => format!("\"$ne\":{}", self.value(2)),
            2 | 3 => format!("{}:[{}]", self.one_of(&["\"$in\"", "\"$nin\""]), self.several(0, 6, |chance| chance.value(2))),
            4 => format!("\"$exists\":{}", self.one_of(&["true", "false"])),
            5 => format!("\"$not\":{{{}}}", self.operator()),
            _ => format!("{}:{}", self.one_of(&["\"$gt\"", "\"$gte\"", "\"$lt\"", "\"$lte\""]), self.scalar()),
        }
    }

    fn sort(&mut self) -> String {
        let key = |chance: &mut Self| format!("{{{}:{}}}", chance.path(), chance.one_of(&["1", "-1"]));
        let keys = self.several(0, 4, key);
        let id = self.one_of(&["", "\"$id\"", "\"-$id\""]);
        format!("[{keys}{}{id}]", if keys.is_empty() || id.is_empty() { "" } else { "," })
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A collection on a node, and the same documents here.
struct Twice<'n> {
    node: &'n TestApp,
    db: ScriptDb,
    app: AppId,
    collection: String,
    documents: Vec<Document>,
    /// Filters that chose some and left some; walks of more than one page.
    chose: usize,
    walked: usize,
}

impl<'n> Twice<'n> {
    fn new(node: &'n TestApp, db: &ScriptDb, app: AppId, collection: &str) -> Self {
        let (db, collection) = (db.clone(), collection.to_owned());
        Self { node, db, app, collection, documents: Vec::new(), chose: 0, walked: 0 }
    }

    async fn put(&mut self, id: &str, data: &str) {
        let (s, origin, id) = (&self.node.services, crate::support::events::origin(), Some(id.to_owned()));
        let made = docs::create(s, self.app, origin, &self.collection, id, data.as_bytes()).await;
        let made = made.unwrap_or_else(|error| panic!("{data}: {error:?}"));
        // Kept in another order than that of ids and of making.
        let at = self.documents.len() / 2;
        self.documents.insert(at, made);
    }

    async fn there(&self, filter: &str, cursor: Option<&str>, limit: Option<u32>) -> Result<Page<Document>, Error> {
        docs::find(&self.db, self.app, &self.collection, filter.as_bytes(), cursor, limit).await
    }

    fn here(&self, filter: &str, cursor: Option<&str>, limit: Option<u32>) -> Result<Page<Document>, Error> {
        let find = Find::read(filter.as_bytes())?;
        let limit = find.page_limit(limit, DOCS_PAGE_ITEMS_DEFAULT)?;
        search::page(self.documents.iter(), &find, cursor, limit)
    }

    /// Walks a filter on both sides; the ids of each page.
    async fn walk(&self, filter: &str, limit: Option<u32>) -> Vec<Vec<String>> {
        let (mut pages, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let there = self.there(filter, cursor.as_deref(), limit).await.unwrap_or_else(|error| panic!("{filter}: {error:?}"));
            let here = self.here(filter, cursor.as_deref(), limit).unwrap_or_else(|error| panic!("{filter}: {error:?}"));
            assert_eq!(ids(&here), ids(&there), "{filter} {limit:?} {cursor:?}");
            assert_eq!(here.cursor, there.cursor, "{filter} {limit:?} {cursor:?}");
            pages.push(ids(&here));
            cursor = here.cursor;
            if cursor.is_none() {
                return pages;
            }
        }
    }

    /// One filter in one order, by pages of one limit, which stands beside it or inside.
    async fn ask(&mut self, chance: &mut Chance) {
        let conditions = chance.conditions(3);
        let filter = format!("{{{conditions}}}");
        let find = Find::read(filter.as_bytes()).unwrap_or_else(|error| panic!("{filter}: {error:?}"));
        let found = search::count(self.documents.iter(), &find);
        let there = docs::count(&self.db, self.app, &self.collection, filter.as_bytes()).await;
        assert_eq!(there.expect("a count"), found, "{filter}");

        let (found, sort) = (usize::try_from(found).expect("a count"), chance.sort());
        let limit = (found.div_ceil(1 + chance.below(3)) + chance.below(2)).max(1);
        let (beside, inside) = match chance.below(2) {
            0 => (Some(u32::try_from(limit).expect("a limit")), String::new()),
            _ => (None, format!(",\"$limit\":{limit}")),
        };
        let pages = self.walk(&format!("{{{conditions},\"$sort\":{sort}{inside}}}"), beside).await;
        assert_eq!(pages.concat().len(), found, "{filter}");
        self.chose += usize::from(found > 0 && found < self.documents.len());
        self.walked += usize::from(pages.len() > 1);
    }
}

fn ids(page: &Page<Document>) -> Vec<String> {
    page.items.iter().map(|document| document.id.clone()).collect()
}

async fn start() -> (TestApp, ScriptDb, AppId) {
    let node = TestApp::start().await;
    let app = node.create_app("shop").await.id.parse().expect("an id");
    let db = ScriptDb::of(PgPool::connect(&node.database.url()).await.expect("the database answers"));
    (node, db, app)
}

#[tokio::test]
async fn memory_and_database_find_the_same_in_the_same_order_and_pages() {
    let (node, db, app) = start().await;
    let compared = join_all((0..COLLECTIONS).map(|n| {
        let mut twice = Twice::new(&node, &db, app, &format!("c{n}"));
        let mut chance = Chance(n as u64);
        async move {
            for m in 0..DOCUMENTS_EACH {
                let id = format!("{}{m}", chance.one_of(&["", "a", "A", "é", "\u{ffff}", "\u{10000}", "-", " "]));
                twice.put(&id, &chance.document()).await;
            }
            for _ in 0..FILTERS_EACH {
                twice.ask(&mut chance).await;
            }
            // What was found is what is there, to the sign of zero.
            let page = twice.there("{}", None, Some(1_000)).await.expect("a page");
            assert_eq!(page.items.len(), DOCUMENTS_EACH);
            let read = |document: &Document| serde_json::from_str::<Value>(&document.data).expect("JSON").to_string();
            let here = twice.here("{}", None, Some(1_000)).expect("a page");
            for (here, there) in here.items.iter().zip(&page.items) {
                assert_eq!((read(here), here.revision), (read(there), there.revision), "{}", here.id);
            }
            (twice.chose, twice.walked)
        }
    }));
    let (chose, walked): (Vec<_>, Vec<_>) = compared.await.into_iter().unzip();
    let (chose, walked) = (chose.iter().sum::<usize>(), walked.iter().sum::<usize>());
    assert!(chose > 200 && walked > 150, "the draw says something: {chose} filters choose, {walked} walk over pages");
}

#[tokio::test]
async fn memory_and_database_end_a_page_at_the_same_byte() {
    let (node, db, app) = start().await;
    let mut twice = Twice::new(&node, &db, app, "big");
    // {"a":"…"}
    let sized = |bytes: usize| json!({ "a": "x".repeat(bytes - 8) }).to_string();
    let full = DOCS_PAGE_BYTES_MAX / DOCS_DATA_BYTES_MAX;
    assert_eq!(full * DOCS_DATA_BYTES_MAX, DOCS_PAGE_BYTES_MAX, "a page of the largest documents ends at its bound");
    // A page that is full, then one that two bytes more would take one byte past its bound.
    for n in 0..2 * full - 1 {
        twice.put(&format!("{n}"), &sized(DOCS_DATA_BYTES_MAX)).await;
    }
    twice.put("7", &sized(DOCS_DATA_BYTES_MAX - 1)).await;
    twice.put("8", "{}").await;
    assert_eq!(twice.walk("{}", None).await, [vec!["0", "1", "2", "3"], vec!["4", "5", "6", "7"], vec!["8"]]);
    twice.walk(r#"{"$sort":["-a","-$id"]}"#, Some(3)).await;

    // Floats count as they are written out, not as they are shown.
    let mut twice = Twice::new(&node, &db, app, "floats");
    for n in 0..5 {
        twice.put(&format!("{n}"), &json!({ "a": vec![1e300; 700] }).to_string()).await;
    }
    assert_eq!(twice.walk("{}", None).await, [vec!["0", "1", "2", "3"], vec!["4"]]);
}

#[tokio::test]
async fn memory_and_database_refuse_the_same_in_the_same_words() {
    let (node, db, app) = start().await;
    let mut twice = Twice::new(&node, &db, app, "c");
    for n in 0..3 {
        twice.put(&format!("{n}"), &json!({ "a": n }).to_string()).await;
    }
    let words = |error: Error| (error.kind, error.code, error.message, error.details);
    let cursor = twice.here(r#"{"$sort":"a"}"#, None, Some(1)).expect("a page").cursor;
    for (filter, cursor, limit) in [
        ("{}", None, Some(0)),
        ("{}", None, Some(1_001)),
        (r#"{"$limit":0}"#, None, None),
        (r#"{"$limit":-1}"#, None, None),
        (r#"{"$limit":1001}"#, None, None),
        (r#"{"$limit":1}"#, None, Some(1)),
        (r#"{"a":1e400}"#, None, None),
        ("{}", cursor.as_deref(), None),
        (r#"{"$sort":"-a"}"#, cursor.as_deref(), None),
        (r#"{"$sort":"a"}"#, Some("00"), None),
        (r#"{"$sort":"a"}"#, cursor.as_deref(), Some(0)),
    ] {
        let here = twice.here(filter, cursor, limit).expect_err(filter);
        let there = twice.there(filter, cursor, limit).await.expect_err(filter);
        assert_eq!(words(here), words(there), "{filter} {cursor:?} {limit:?}");
    }
    for filter in [r#"{"$limit":1}"#, r#"{"$sort":"a","$limit":1}"#] {
        let there = docs::find_one(&db, app, "c", filter.as_bytes()).await.expect_err(filter);
        assert_eq!(words(Find::read_for_one(filter.as_bytes()).expect_err(filter)), words(there), "{filter}");
    }
    for filter in [r#"{"$limit":1}"#, r#"{"$sort":"a"}"#] {
        let there = docs::count(&db, app, "c", filter.as_bytes()).await.expect_err(filter);
        assert_eq!(words(Find::read_for_count(filter.as_bytes()).expect_err(filter)), words(there), "{filter}");
    }
    // What is no number of 64 bits is in no document.
    let data = br#"{"a":1e400}"#;
    let origin = crate::support::events::origin();
    let there = docs::create(&node.services, app, origin, "c", None, data).await.expect_err("too large a number");
    assert_eq!(words(Data::read(data).expect_err("too large a number")), words(there));
}
