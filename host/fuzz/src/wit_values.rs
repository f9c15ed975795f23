//! What guests hand over, and what becomes of it: conversions keep what they are given, what is let through keeps its bounds, and
//! nothing that goes out can end a line that it stands in.

mod answer;
mod email;
mod http;

use chrono::{DateTime, TimeDelta};
use picloud::hostcall::fuzzing;
use picloud::limits;
use picloud::model::listing::Query;
use picloud::model::page::{PageQuery, text_cursor};
use picloud::model::quota::Limits;
use picloud::model::{docs, files, kv, text, trigger};
use picloud::wit;

use crate::draw::Draw;

/// Lines of one log.
const LINES_MOST: usize = 40;

pub fn check(data: &[u8]) {
    let mut draw = Draw::new(data);
    match draw.below(10) {
        0 => values(&mut draw),
        1 => names(&mut draw),
        2 => listings(&mut draw),
        3 => log(&mut draw),
        4 => answer::answers(&mut draw),
        5 => answer::failures(&mut draw),
        6 => email::messages(&mut draw),
        7 => http::targets(&mut draw),
        _ => http::requests(&mut draw),
    }
}

/// KV values and options, documents, options of queues: what goes in comes out, and an integer is the same integer.
fn values(draw: &mut Draw) {
    let is_json = draw.flag();
    let encoding = if is_json { wit::kv::Encoding::Json } else { wit::kv::Encoding::Blob };
    let bytes = draw.bytes(64).to_vec();
    let value = fuzzing::kv_value(wit::kv::Value { encoding, bytes: bytes.clone() });
    assert_eq!((value.encoding == kv::Encoding::Json, &value.bytes), (is_json, &bytes));
    if let Some(number) = value.as_integer() {
        assert!(is_json);
        assert_eq!(kv::Value::of_integer(number).as_integer(), Some(number));
    }
    let at_ms = draw.i64() % (1 << 50);
    let expires_at = draw.option(|_| DateTime::from_timestamp_millis(at_ms).expect("a time"));
    let revision = draw.i64();
    let stored = fuzzing::kv_stored(kv::Stored { value, revision, expires_at });
    assert!(stored.value.bytes == bytes && matches!(stored.value.encoding, wit::kv::Encoding::Json) == is_json);
    assert_eq!((stored.revision, stored.expires_at_ms), (revision, expires_at.map(|_| at_ms)));

    let (ttl_s, if_revision) = (draw.option(Draw::i64), draw.option(Draw::i64));
    let options = fuzzing::kv_options(wit::kv::SetOptions { ttl_s, if_revision });
    assert_eq!(options, kv::SetOptions { ttl_s, if_revision });

    let (delay_s, dedup_key) = (draw.option(Draw::i64), draw.option(|draw| draw.text(limits::QUEUE_KEY_BYTES_MAX)));
    let options = fuzzing::queue_options(wit::queue::SendOptions { delay_s, dedup_key: dedup_key.clone() });
    assert_eq!((options.delay_s, options.dedup_key), (delay_s, dedup_key));

    let created_at = DateTime::from_timestamp_millis(at_ms).expect("a time");
    let (id, data) = (draw.text(limits::DOCS_ID_BYTES_MAX), draw.raw_text(64));
    let updated_at = created_at + TimeDelta::milliseconds(1);
    let document = fuzzing::document(docs::Document { id: id.clone(), data: data.clone(), revision, created_at, updated_at });
    assert_eq!((document.id, document.data, document.revision), (id, data.into_bytes(), revision));
    assert_eq!((document.created_at_ms, document.updated_at_ms), (at_ms, at_ms + 1));
}

/// Names that are let through are within their bounds and hold no NUL; texts are cut where characters end.
fn names(draw: &mut Draw) {
    let name = draw.text(limits::COLLECTION_NAME_BYTES_MAX);
    let fits = |most: usize| (1..=most).contains(&name.len()) && !name.contains('\0');
    assert_eq!(text::collection(&name).is_ok(), fits(limits::COLLECTION_NAME_BYTES_MAX));
    assert_eq!(trigger::check_queue(&name).is_ok(), fits(limits::QUEUE_NAME_BYTES_MAX) && !name.contains('*'));
    assert_eq!(trigger::check_topic(&name).is_ok(), fits(limits::TOPIC_NAME_BYTES_MAX) && !name.contains('*'));
    assert_eq!(files::check_place("c", &name).is_ok(), fits(limits::FILE_NAME_BYTES_MAX));
    if files::check_content_type(&name).is_ok() {
        let value = ::http::HeaderValue::from_str(&name).expect("good for a header");
        assert!(value.to_str().is_ok() && name.contains('/') && name.len() <= limits::FILE_CONTENT_TYPE_BYTES_MAX, "{name:?}");
    }
    let most = draw.below(96);
    let cut = text::cut(&name, most);
    match name.len() > most {
        true => assert!(cut.len() <= most + "…".len() && name.starts_with(cut.strip_suffix('…').expect("a mark")), "{name:?}"),
        false => assert_eq!(cut, name),
    }
    let range = files::Range { start: draw.i64().unsigned_abs(), len: draw.i64().unsigned_abs() };
    let size = draw.i64().unsigned_abs();
    let (start, end) = range.within(size);
    assert!(start <= end && end <= size && end - start <= range.len);
}

/// A span is exactly the names that begin with the prefix and come after the cursor; a cursor reads back as its name alone.
fn listings(draw: &mut Draw) {
    let most = limits::KV_KEY_BYTES_MAX;
    let (prefix, after) = (draw.text(most), draw.option(|draw| draw.text(most)));
    let limit = draw.u32() % (2 * limits::KV_PAGE_ENTRIES_MAX);
    let query = Query { prefix: prefix.clone(), after: after.clone(), limit };
    if let Ok(span) = query.span(most, limits::KV_PAGE_ENTRIES_MAX) {
        assert!((1..=limits::KV_PAGE_ENTRIES_MAX).contains(&limit));
        let beyond = |text: &str| format!("{prefix}{text}");
        for name in [draw.text(most), beyond(""), beyond("\u{1}"), beyond("\u{10ffff}"), beyond(&draw.text(most))] {
            if text::name_bytes("key", &name, most).is_ok() {
                let is_in = span.from <= name && name > span.after && name < span.before;
                let wanted = name.starts_with(&prefix) && name.as_str() > after.as_deref().unwrap_or_default();
                assert_eq!(is_in, wanted, "{name:?} of {span:?}");
            }
        }
    }
    let cursor = draw.raw_text(64);
    let page = |cursor: &str| PageQuery { cursor: Some(cursor.to_owned()), limit: 1 };
    if let Ok(Some(name)) = page(&cursor).after_text() {
        assert_eq!(text_cursor(&name), cursor);
        assert!(!name.is_empty() && !name.contains('\0'));
    }
    if text::name_bytes("key", &prefix, most).is_ok() {
        assert_eq!(page(&text_cursor(&prefix)).after_text().ok(), Some(Some(prefix)));
    }
    let page = page(&cursor);
    let _ = (page.after_id(), page.after_id_and_seq(), page.after_seq(), page.after_number());
}

/// Each line within its bound, all of them within theirs, every line kept or counted, and what is kept of one is its beginning.
fn log(draw: &mut Draw) {
    let (floor, ceiling) = (limits::LOG_LINE_BYTES_MIN, limits::LOG_LINE_BYTES_CEILING);
    let line_bytes = if draw.flag() { floor + draw.below(64) } else { floor + draw.below(ceiling - floor) };
    let log_bytes = draw.below(limits::LOG_BYTES_CEILING);
    let asked = Limits {
        log_line_bytes: u32::try_from(line_bytes).expect("a bound"),
        log_bytes: u32::try_from(log_bytes).expect("a bound"),
        ..Limits::default()
    };
    let lines: Vec<fuzzing::Written> = draw.list(LINES_MOST, |draw| {
        let levels = [wit::log::Level::Trace, wit::log::Level::Info, wit::log::Level::Error];
        (draw.one_of(&levels), draw.text(line_bytes), draw.option(|draw| draw.text(line_bytes / 2)))
    });
    let (kept, dropped) = fuzzing::logged(asked, lines.clone());
    assert_eq!(kept.len() + dropped as usize, lines.len());
    let size = |message: &str, data: Option<&str>| message.len() + data.map_or(0, str::len);
    let costs = kept.iter().map(|line| size(&line.message, line.data.as_deref()).max(limits::LOG_LINE_COST_MIN));
    assert!(costs.sum::<usize>() <= log_bytes);
    let mut written = lines.iter();
    for line in &kept {
        assert!(size(&line.message, line.data.as_deref()) <= line_bytes);
        let is_of = |(_, message, data): &&fuzzing::Written| {
            if size(message, data.as_deref()) <= line_bytes {
                return *message == line.message && *data == line.data;
            }
            let begins = message == &line.message || line.message.strip_suffix('…').is_some_and(|text| message.starts_with(text));
            begins && (*data == line.data || line.data.as_deref().is_some_and(|text| text.ends_with(" bytes of data left out\"")))
        };
        assert!(written.any(|one| is_of(&one)), "nobody wrote {line:?}");
    }
}
