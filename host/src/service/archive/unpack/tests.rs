use std::io::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::error::Kind;
use crate::model::archive::block::{self, BLOCK_BYTES};
use crate::model::script::Limits;

type Entries = Vec<(String, Vec<u8>)>;

const SOURCE: &str = "40 + 2";

fn judge() -> Judge {
    let now = "2026-02-01T00:00:00Z".parse().unwrap();
    Judge { wanted: Wanted::default(), apps_domain: "localhost".into(), now, bounds: Bounds::UPLOADED, quota: Quota::default() }
}

fn manifest() -> Value {
    let limits = Limits::default();
    json!({
        "format": "picloud.app", "format_version": 1, "picloud": "0.1.0", "sdk": "2.0", "exported_at": "2026-01-02T03:04:05Z",
        "app": { "slug": "shop", "name": "Shop", "host": "shop.localhost", "cors_origins": [], "grants": {} },
        "scripts": [{
            "name": "a", "kind": "endpoint", "description": "", "active": 1, "created_at": "2026-01-02T03:04:05Z",
            "versions": [{
                "number": 1, "digest": script::digest(SOURCE, &limits), "limits": limits, "file": "scripts/a/1.rhai",
                "created_at": "2026-01-02T03:04:05Z",
            }],
        }],
        "routes": [], "triggers": [], "secrets": [], "domains": [], "left_out": [],
    })
}

fn file(name: &str, content: &[u8]) -> (String, (String, Vec<u8>)) {
    let sha256 = text::hex(&Sha256::digest(content));
    let line = json!({
        "collection": "c", "name": name, "content_type": "text/plain", "size": content.len(), "sha256": sha256,
        "blob": format!("files/{sha256}"), "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
    });
    (format!("{line}\n"), (format!("files/{sha256}"), content.to_vec()))
}

/// An archive that is right, but for its end.
fn entries() -> Entries {
    let (day, data) = ("2026-01-02T03:04:05Z", json!({}));
    let documents = json!({ "collection": "c", "id": "i", "data": data, "created_at": day, "updated_at": day });
    let ((first, content), (second, other)) = (file("f", b"content"), file("g", b""));
    let mut contents = vec![content, other];
    contents.sort();
    let named = |name: &str, content: String| (name.to_owned(), content.into_bytes());
    let mut entries = vec![
        named(MANIFEST, manifest().to_string()),
        named("scripts/a/1.rhai", SOURCE.to_owned()),
        named(KV, "{\"collection\":\"c\",\"key\":\"k\",\"value\":1}\n".to_owned()),
        named(DOCS, format!("{documents}\n")),
        named(FILES, format!("{first}{second}")),
    ];
    entries.extend(contents);
    entries
}

fn tar_of(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, content) in entries {
        tar.extend_from_slice(&block::header(name, content.len() as u64).unwrap());
        tar.extend_from_slice(content);
        tar.resize(tar.len() + block::padding(content.len() as u64), 0);
    }
    tar
}

fn counts() -> Counts {
    Counts { scripts: 1, versions: 1, kv_entries: 1, documents: 1, files: 2, ..Counts::default() }
}

/// With an end that is right for whatever stands before it.
fn ended(mut tar: Vec<u8>) -> Vec<u8> {
    let end = End { counts: counts(), bytes: tar.len() as u64, sha256: text::hex(&Sha256::digest(&tar)) };
    tar.extend(tar_of(&[(END.to_owned(), serde_json::to_vec(&end).unwrap())]));
    tar.resize(tar.len() + 2 * BLOCK_BYTES, 0);
    tar
}

fn pack(tar: &[u8]) -> Vec<u8> {
    zstd::encode_all(tar, 3).unwrap()
}

fn run_as(judge: &Judge, packed: &[u8]) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    unpack(packed, judge, &mut |item| {
        items.push(item);
        Ok(())
    })?;
    Ok(items)
}

fn refusal(packed: &[u8]) -> String {
    let error = run_as(&judge(), packed).unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Invalid, "invalid_archive"), "{error}");
    error.message.into_owned()
}

/// Of an archive that was changed and ended anew.
fn refusal_of(change: impl FnOnce(&mut Entries)) -> String {
    let mut entries = entries();
    change(&mut entries);
    refusal(&pack(&ended(tar_of(&entries))))
}

#[test]
fn what_is_right_comes_out_in_order() {
    let items = run_as(&judge(), &pack(&ended(tar_of(&entries())))).unwrap();
    let kinds: Vec<_> = items
        .iter()
        .map(|item| match item {
            Item::Plan(_) => "plan",
            Item::Source { .. } => "source",
            Item::Kv(_) => "kv",
            Item::Documents(_) => "documents",
            Item::Content(_) => "content",
            Item::Piece { .. } => "piece",
            Item::End(_) => "end",
        })
        .collect();
    assert_eq!(kinds, ["plan", "source", "kv", "documents", "content", "piece", "content", "piece", "end"]);
}

#[test]
fn files_that_have_no_room_are_refused_before_one_of_them_comes_out() {
    let packed = pack(&ended(tar_of(&entries())));
    let used = storage::file_use("c", "f", 7) + storage::file_use("c", "g", 0);
    let under = |file_bytes| Judge { quota: Quota { file_bytes, ..Quota::default() }, ..judge() };
    assert!(run_as(&under(used), &packed).is_ok());
    let mut contents = 0;
    let refused = unpack(&packed[..], &under(used - 1), &mut |item| {
        contents += usize::from(matches!(item, Item::Content(_)));
        Ok(())
    });
    assert_eq!((refused.unwrap_err().code, contents), ("quota_exceeded", 0));
}

#[test]
fn what_is_cut_short_anywhere_is_refused() {
    let packed = pack(&ended(tar_of(&entries())));
    for length in 0..packed.len() {
        refusal(&packed[..length]);
    }
    let tar = ended(tar_of(&entries()));
    for length in (0..tar.len()).step_by(BLOCK_BYTES / 2) {
        refusal(&pack(&tar[..length]));
    }
}

#[test]
fn a_byte_that_was_changed_is_found() {
    let tar = ended(tar_of(&entries()));
    for at in (0..tar.len() - 2 * BLOCK_BYTES).step_by(7) {
        let mut changed = tar.clone();
        changed[at] ^= 1;
        refusal(&pack(&changed));
    }
}

#[test]
fn every_entry_is_there_once_and_in_its_place() {
    for at in 0..entries().len() {
        let name = entries()[at].0.clone();
        assert!(refusal_of(|entries| drop(entries.remove(at))).contains(&name), "{name} is missing");
        let twice = refusal_of(|entries| {
            let entry = entries[at].clone();
            entries.insert(at, entry);
        });
        assert!(twice.contains(&format!("`{name}` stands there")), "{name}: {twice}");
        if at > 0 {
            assert!(refusal_of(|entries| entries.swap(at, at - 1)).contains("stands there"), "{name} is early");
        }
        for strange in ["novel", "files/x", "scripts/a/2.rhai"] {
            assert!(refusal_of(|entries| entries.insert(at, (strange.into(), Vec::new()))).contains("stands there"), "{strange}");
        }
    }
    assert!(refusal_of(|entries| entries.push(("novel".into(), Vec::new()))).starts_with("end.json: `novel` stands there"));
}

#[test]
fn nothing_follows_the_end() {
    let right = pack(&ended(tar_of(&entries())));
    let follows = |tail: &[u8]| refusal(&[&right[..], tail].concat());
    // A byte, another frame, a frame that tools skip.
    for tail in [b"x".to_vec(), pack(b"x"), vec![0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0]] {
        assert!(follows(&tail).contains("something follows"), "{tail:?}");
    }
    let mut tar = ended(tar_of(&entries()));
    tar.push(0);
    assert!(refusal(&pack(&tar)).contains("something follows"));
    let at = tar.len() - 10;
    tar.pop();
    tar[at] = 1;
    assert!(refusal(&pack(&tar)).contains("something follows"));
}

#[test]
fn an_end_that_lies_is_refused() {
    let counted = refusal_of(|entries| entries[2].1.extend_from_slice(b"{\"collection\":\"c\",\"key\":\"l\",\"value\":1}\n"));
    assert!(counted.contains("counts"), "{counted}");
    let mut tar = tar_of(&entries());
    let end = End { counts: counts(), bytes: tar.len() as u64, sha256: "0".repeat(64) };
    tar.extend(tar_of(&[(END.to_owned(), serde_json::to_vec(&end).unwrap())]));
    tar.resize(tar.len() + 2 * BLOCK_BYTES, 0);
    assert!(refusal(&pack(&tar)).contains("hash"));
}

#[test]
fn contents_are_those_of_their_hashes_and_sources_those_of_their_digests() {
    assert!(refusal_of(|entries| entries[1].1 = b"41 + 1".to_vec()).contains("digest"));
    assert!(refusal_of(|entries| entries[1].1 = vec![0xff]).contains("UTF-8"));
    let at = entries().iter().position(|(_, content)| content == b"content").unwrap();
    assert!(refusal_of(|entries| entries[at].1 = b"comtent".to_vec()).contains("not those of its hash"));
    assert!(refusal_of(|entries| entries[at].1 = b"contents".to_vec()).contains("another size"));
}

#[test]
fn lines_are_held_to_their_rules_with_their_number() {
    let line = |key: &str| format!("{{\"collection\":\"c\",\"key\":\"{key}\",\"value\":1}}\n");
    let kv = |lines: String| refusal_of(|entries| entries[2].1 = lines.into_bytes());
    for (lines, why) in [
        (format!("{}{}", line("b"), line("a")), "kv.ndjson, line 2: lines stand in the order"),
        (format!("{}{}", line("a"), line("a")), "kv.ndjson, line 2: lines stand in the order"),
        (line("a").trim_end().to_owned(), "kv.ndjson, line 1: the line has no end"),
        (format!("{}\n", line("a")), "kv.ndjson, line 2: a line is a JSON object"),
        (format!("{}x\n", line("a")), "kv.ndjson, line 2: a line is a JSON object"),
        (line(&"k".repeat(limits::KV_KEY_BYTES_MAX + 1)), "kv.ndjson, line 1: key is 513 bytes"),
        (format!("{}\n", "x".repeat(limits::ARCHIVE_LINE_BYTES_MAX + 1)), "kv.ndjson, line 1: the line is longer"),
        ("x".repeat(3 * limits::ARCHIVE_LINE_BYTES_MAX), "kv.ndjson, line 1: the line is longer"),
    ] {
        let told = kv(lines);
        assert!(told.starts_with(why), "{told}");
    }
    let other_size = refusal_of(|entries| {
        let (line, _) = file("h", b"content");
        entries[4].1.extend_from_slice(line.replace("\"size\":7", "\"size\":8").as_bytes());
    });
    assert!(other_size.starts_with("files.ndjson, line 3: another file with this hash"), "{other_size}");
}

#[test]
fn what_has_expired_since_is_counted_and_not_given() {
    let mut entries = entries();
    entries[2].1 = b"{\"collection\":\"c\",\"key\":\"k\",\"value\":1,\"expires_at\":\"2026-01-31T00:00:00Z\"}\n".to_vec();
    let items = run_as(&judge(), &pack(&ended(tar_of(&entries)))).unwrap();
    assert!(!items.iter().any(|item| matches!(item, Item::Kv(_))));
    assert!(matches!(items.last(), Some(Item::End(Counts { kv_entries: 1, .. }))));
}

#[test]
fn sizes_are_bounded_at_n_and_at_one_more() {
    let (tar, with) = (ended(tar_of(&entries())), |bounds| Judge { bounds, ..judge() });
    let packed = pack(&tar);
    let packed_bytes = packed.len() as u64;
    assert!(run_as(&with(Bounds { packed_bytes, ..Bounds::UPLOADED }), &packed).is_ok());
    let error = run_as(&with(Bounds { packed_bytes: packed_bytes - 1, ..Bounds::UPLOADED }), &packed).unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::TooLarge, "request_too_large"));
    let unpacked_bytes = (tar.len() - 2 * BLOCK_BYTES) as u64;
    assert!(run_as(&with(Bounds { unpacked_bytes, ..Bounds::UPLOADED }), &packed).is_ok());
    let error = run_as(&with(Bounds { unpacked_bytes: unpacked_bytes - 1, ..Bounds::UPLOADED }), &packed).unwrap_err();
    assert_eq!((error.code, error.message.contains("which are all that may")), ("invalid_archive", true));
    let sized = |bytes: u64| {
        let mut entries = entries();
        entries[0].1.resize(usize::try_from(bytes).unwrap(), b' ');
        run_as(&judge(), &pack(&ended(tar_of(&entries))))
    };
    assert!(sized(limits::ARCHIVE_MANIFEST_BYTES_MAX).is_ok());
    assert!(sized(limits::ARCHIVE_MANIFEST_BYTES_MAX + 1).unwrap_err().message.contains("at most 4194304"));
}

#[test]
fn a_bomb_is_refused_before_it_went_off() {
    let mut entries = entries();
    entries[0].1.resize(usize::try_from(limits::ARCHIVE_MANIFEST_BYTES_MAX).unwrap(), b' ');
    let packed = pack(&ended(tar_of(&entries)));
    let judge = Judge { bounds: Bounds { free_bytes: 64 << 10, ..Bounds::UPLOADED }, ..judge() };
    let error = run_as(&judge, &packed).unwrap_err();
    assert!(error.message.contains("come out for each"), "{error}");
    // Its header says more than may come out at all: nothing of it is unpacked.
    let mut tar = tar_of(&self::entries()[..1]);
    tar.extend_from_slice(&block::header("scripts/a/1.rhai", (8 << 30) - 1).unwrap());
    assert!(refusal(&pack(&tar)).contains("all that may"));
}

#[test]
fn a_frame_that_refers_back_too_far_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(limits::ARCHIVE_WINDOW_LOG_MAX + 1).unwrap();
    encoder.write_all(&ended(tar_of(&entries()))).unwrap();
    assert!(refusal(&encoder.finish().unwrap()).contains("cannot be unpacked"));
    assert!(refusal(b"PK\x03\x04 a zip").contains("cannot be unpacked"));
}

#[test]
fn a_failure_to_receive_is_told_as_it_is() {
    let packed = pack(&ended(tar_of(&entries())));
    let (to, source) = source();
    to.try_send(Ok(Bytes::copy_from_slice(&packed[..20]))).unwrap();
    to.try_send(Err(Error::new(Kind::Malformed, "incomplete_body", "the connection broke inside the body"))).unwrap();
    let error = unpack(source, &judge(), &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.code, "incomplete_body");
    let gone = unpack(&packed[..], &judge(), &mut |_| Err(Error::internal("gone"))).unwrap_err();
    assert_eq!(gone.kind, Kind::Internal);
}
