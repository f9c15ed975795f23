use super::*;
use crate::model::backup::{Added, ChunkId, Files};

const PASSPHRASE: &[u8] = b"correct horse battery";

fn snapshot(id: &str, tables: Vec<crate::model::backup::Table>) -> Snapshot {
    let id: SnapshotId = id.parse().unwrap();
    Snapshot {
        created_at: id.begun_at().unwrap(),
        id,
        took_ms: 1,
        version: "0.1.0".to_owned(),
        postgres: "15".to_owned(),
        tick: None,
        migrations: Vec::new(),
        tables,
        sequences: Vec::new(),
        files: Files::default(),
        key_ring: None,
        master_keys: Vec::new(),
        secrets: 0,
        added: Added::default(),
    }
}

/// A snapshot whose one table has these chunks.
fn put(repository: &Repository, id: &str, chunks: &[&[u8]]) -> Snapshot {
    let mut writer = Writer::default();
    for chunk in chunks {
        writer.push(repository, Kind::Rows, chunk, 1).unwrap();
    }
    let (rows, _) = writer.finish(repository).unwrap();
    let table = crate::model::backup::Table { name: "t".to_owned(), columns: Vec::new(), rows };
    let snapshot = snapshot(id, vec![table]);
    repository.add_snapshot(&snapshot).unwrap();
    snapshot
}

fn rows(repository: &Repository, snapshot: &Snapshot) -> Vec<Vec<u8>> {
    let pages = snapshot.tables[0].rows.pages.iter();
    let chunks = pages.flat_map(|page| repository.page(*page).unwrap());
    chunks.map(|chunk| repository.get(Kind::Rows, chunk).unwrap()).collect()
}

fn files(home: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(home).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn what_is_put_is_read_with_the_passphrase_and_not_without() {
    for passphrase in [None, Some(PASSPHRASE)] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        let (repository, is_new) = Repository::open_or_make(&path, passphrase).unwrap();
        assert!(is_new && repository.is_encrypted() == passphrase.is_some());
        let made = put(&repository, "20260131T023000000Z-00000001", &[b"one and only text", b"two", b"two"]);
        assert_eq!(made.tables[0].rows.items, 3);
        drop(repository);
        let (repository, is_new) = Repository::open_or_make(&path, passphrase).unwrap();
        assert!(!is_new);
        assert_eq!(repository.snapshot(&made.id).unwrap(), made);
        assert_eq!(rows(&repository, &made), [&b"one and only text"[..], b"two", b"two"]);
        let found = repository.find(None).unwrap();
        assert_eq!((found.id.clone(), repository.find(Some("2026")).unwrap().id), (made.id.clone(), found.id));
        assert!(matches!(repository.find(Some("2027")), Err(Error::NoSnapshot(_))));
        drop(repository);
        let seen = files(&path).iter().any(|file| {
            let bytes = std::fs::read(file).unwrap();
            bytes.windows(17).any(|window| window == b"one and only text")
        });
        assert_eq!(seen, passphrase.is_none(), "sealed where it is encrypted");
        let wrong = Repository::open(&path, Some(b"correct horse batterx"), Access::Read);
        let without = Repository::open(&path, None, Access::Read);
        match passphrase {
            Some(_) => {
                assert!(matches!(wrong, Err(Error::WrongKey(_))));
                assert!(matches!(without, Err(Error::KeyMissing(_))));
            }
            None => {
                drop((wrong.unwrap(), without.unwrap()));
                assert!(matches!(Repository::open_or_make(&path, Some(PASSPHRASE)), Err(Error::NotEncrypted(_))));
            }
        }
    }
}

#[test]
fn names_of_an_encrypted_repository_tell_nothing() {
    let address = |passphrase| {
        let home = tempfile::tempdir().unwrap();
        let (repository, _) = Repository::open_or_make(home.path(), passphrase).unwrap();
        repository.put(Kind::Rows, b"the same").unwrap().id
    };
    assert_eq!(address(None), address(None));
    assert_ne!(address(Some(PASSPHRASE)), address(Some(PASSPHRASE)), "each has a key of its own");
}

#[test]
fn what_is_there_is_not_written_again() {
    let home = tempfile::tempdir().unwrap();
    let (repository, _) = Repository::open_or_make(home.path(), None).unwrap();
    assert!(repository.put(Kind::Rows, b"x").unwrap().added_bytes.is_some());
    assert!(repository.put(Kind::Rows, b"x").unwrap().added_bytes.is_none());
    assert!(repository.put(Kind::Entries, b"x").unwrap().added_bytes.is_some(), "another kind is another chunk");
    // What a crash of the file system left empty is not there.
    let id = repository.put(Kind::Rows, b"x").unwrap().id;
    std::fs::write(repository.chunk_path(id), b"").unwrap();
    assert!(repository.put(Kind::Rows, b"x").unwrap().added_bytes.is_some());
    assert_eq!(repository.get(Kind::Rows, id).unwrap(), b"x");
    assert!(matches!(repository.get(Kind::Entries, id), Err(Error::Damaged { .. })));
}

#[test]
fn a_byte_that_is_another_is_found_wherever_it_is() {
    for passphrase in [None, Some(PASSPHRASE)] {
        let home = tempfile::tempdir().unwrap();
        let (repository, _) = Repository::open_or_make(home.path(), passphrase).unwrap();
        let made = put(&repository, "20260131T023000000Z-00000001", &[b"text", &[7; 3_000]]);
        drop(repository);
        let read = || -> Result<()> {
            let repository = Repository::open(home.path(), passphrase, Access::Read)?;
            let snapshot = repository.snapshot(&made.id)?;
            for page in &snapshot.tables[0].rows.pages {
                for chunk in repository.page(*page)? {
                    repository.get(Kind::Rows, chunk)?;
                }
            }
            Ok(())
        };
        read().unwrap();
        for file in files(home.path()) {
            if file.ends_with(LOCK) || file.ends_with(WRITING) {
                continue;
            }
            let whole = std::fs::read(&file).unwrap();
            // Making a key of a passphrase takes its time: a few places of that file, all of the others.
            let step = if passphrase.is_some() { (whole.len() / 3).max(1) } else { 1 };
            for at in (0..whole.len()).step_by(step) {
                let mut other = whole.clone();
                other[at] ^= 1;
                std::fs::write(&file, &other).unwrap();
                assert!(read().is_err(), "{} at {at}", file.display());
            }
            for cut in [0, whole.len() - 1] {
                std::fs::write(&file, &whole[..cut]).unwrap();
                assert!(read().is_err(), "{} cut to {cut}", file.display());
            }
            std::fs::write(&file, &whole).unwrap();
        }
        read().unwrap();
    }
}

#[test]
fn a_manifest_under_another_name_is_none() {
    let home = tempfile::tempdir().unwrap();
    let (repository, _) = Repository::open_or_make(home.path(), None).unwrap();
    let made = put(&repository, "20260131T023000000Z-00000001", &[b"text"]);
    let later = "20260201T023000000Z-00000001";
    let snapshots = home.path().join(SNAPSHOTS);
    std::fs::copy(snapshots.join(made.id.as_str()), snapshots.join(later)).unwrap();
    assert!(matches!(repository.snapshot(&later.parse().unwrap()), Err(Error::Damaged { .. })));
}

#[test]
fn pruning_keeps_what_others_need() {
    let home = tempfile::tempdir().unwrap();
    let (repository, _) = Repository::open_or_make(home.path(), None).unwrap();
    let first = put(&repository, "20260131T023000000Z-00000001", &[b"both", b"first alone"]);
    let second = put(&repository, "20260201T023000000Z-00000001", &[b"both", b"second alone"]);
    // What a kill left behind.
    repository.put(Kind::Rows, b"nobody's").unwrap();
    drop(repository);
    let repository = Repository::open(home.path(), None, Access::Prune).unwrap();
    let keep = "last=1".parse().unwrap();
    assert_eq!(repository.outside(&keep).unwrap(), std::slice::from_ref(&first.id));
    let pruned = repository.prune(&[first.id]).unwrap();
    // Its own chunk, its page, and nobody's.
    assert_eq!((pruned.snapshots, pruned.chunks), (1, 3));
    assert_eq!(rows(&repository, &second), [&b"both"[..], b"second alone"]);
    assert_eq!(repository.prune(&[]).unwrap(), Pruned::default());
}

#[test]
fn nothing_is_pruned_while_what_stays_cannot_be_read() {
    let home = tempfile::tempdir().unwrap();
    let (repository, _) = Repository::open_or_make(home.path(), None).unwrap();
    let first = put(&repository, "20260131T023000000Z-00000001", &[b"first"]);
    let second = put(&repository, "20260201T023000000Z-00000001", &[b"second"]);
    drop(repository);
    std::fs::write(home.path().join(SNAPSHOTS).join(second.id.as_str()), b"?").unwrap();
    let repository = Repository::open(home.path(), None, Access::Prune).unwrap();
    assert!(matches!(repository.prune(std::slice::from_ref(&first.id)), Err(Error::Damaged { .. })));
    assert_eq!(rows(&repository, &repository.snapshot(&first.id).unwrap()), [b"first"]);
    // Whoever says that the damaged one shall go too loses it alone.
    assert_eq!(repository.prune(&[second.id]).unwrap().snapshots, 1);
}

#[test]
fn two_write_one_after_the_other_and_nobody_prunes_meanwhile() {
    let home = tempfile::tempdir().unwrap();
    let (writer, _) = Repository::open_or_make(home.path(), None).unwrap();
    assert!(matches!(Repository::open(home.path(), None, Access::Write), Err(Error::Locked { .. })));
    let reader = Repository::open(home.path(), None, Access::Read).unwrap();
    drop(writer);
    assert!(matches!(Repository::open(home.path(), None, Access::Prune), Err(Error::Locked { .. })));
    drop(Repository::open(home.path(), None, Access::Write).unwrap());
    drop(reader);
    let pruning = Repository::open(home.path(), None, Access::Prune).unwrap();
    assert!(matches!(Repository::open(home.path(), None, Access::Read), Err(Error::Locked { .. })));
    drop(pruning);
}

#[test]
fn a_foreign_directory_and_a_newer_form_are_refused() {
    let home = tempfile::tempdir().unwrap();
    assert!(matches!(Repository::open(home.path(), None, Access::Read), Err(Error::NotThere(_))));
    std::fs::write(home.path().join("thesis.tex"), b"mine").unwrap();
    assert!(matches!(Repository::open_or_make(home.path(), None), Err(Error::Foreign(_))));
    assert_eq!(files(home.path()).len(), 1);
    let home = tempfile::tempdir().unwrap();
    // A draft that a kill left is no repository, and in nobody's way.
    std::fs::write(home.path().join(MARK_DRAFT), b"{").unwrap();
    drop(Repository::open_or_make(home.path(), None).unwrap());
    let json = r#"{"format":2,"what":"is not known yet"}"#;
    let mark = format!("{json}\n{}\n", blake3::hash(json.as_bytes()).to_hex());
    std::fs::write(home.path().join(MARK), mark).unwrap();
    assert!(matches!(Repository::open(home.path(), None, Access::Read), Err(Error::Newer { format: 2, .. })));
}

#[test]
fn a_chunk_may_be_as_long_as_a_row_and_no_longer() {
    let home = tempfile::tempdir().unwrap();
    let (repository, _) = Repository::open_or_make(home.path(), None).unwrap();
    let longest = vec![0; limits::BACKUP_ROW_BYTES_MAX];
    let put = repository.put(Kind::Rows, &longest).unwrap();
    assert_eq!(repository.get(Kind::Rows, put.id).unwrap().len(), longest.len());
    let put = repository.put(Kind::Rows, &vec![0; limits::BACKUP_ROW_BYTES_MAX + 1]).unwrap();
    assert!(matches!(repository.get(Kind::Rows, put.id), Err(Error::Damaged { .. })));
}

#[test]
fn a_page_turns_when_it_is_full() {
    let home = tempfile::tempdir().unwrap();
    let (repository, _) = Repository::open_or_make(home.path(), None).unwrap();
    let pages = |chunks: usize| {
        let mut writer = Writer::default();
        for _ in 0..chunks {
            writer.push(&repository, Kind::Rows, b"x", 1).unwrap();
        }
        writer.finish(&repository).unwrap().0
    };
    assert_eq!(pages(limits::BACKUP_PAGE_CHUNKS).pages.len(), 1);
    let more = pages(limits::BACKUP_PAGE_CHUNKS + 1);
    let named: usize = more.pages.iter().map(|page| repository.page(*page).unwrap().len()).sum();
    assert_eq!((more.pages.len(), named as u64), (2, more.chunks));
    assert_eq!(ChunkId::all_of(&[]).count(), 0);
}

#[test]
fn how_the_last_one_went_is_noted() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(State::read(home.path()), State::default());
    let at = |second| chrono::DateTime::from_timestamp(second, 0).unwrap();
    let snapshot: SnapshotId = "20260131T023000000Z-00000001".parse().unwrap();
    let failure = |second| Some(LastFailure { at: at(second), message: "the disk is gone".to_owned() });
    let success = |second| Some(LastSuccess { at: at(second), snapshot: snapshot.clone() });
    let state = State { last_success: success(1), last_failure: failure(2) };
    state.write(home.path()).unwrap();
    assert_eq!(State::read(home.path()), state);
    assert!(state.trouble().is_some());
    assert!(State { last_success: success(3), last_failure: failure(2) }.trouble().is_none());
    assert!(State { last_success: None, last_failure: failure(2) }.trouble().is_some());
    std::fs::write(home.path().join(STATE), b"{").unwrap();
    assert_eq!(State::read(home.path()), State::default());
}
