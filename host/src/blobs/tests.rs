use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tempfile::TempDir;

use super::*;
use crate::limits::FILE_PIECE_BYTES;

struct Scene {
    data_dir: TempDir,
    volume: VolumeId,
    app: AppId,
    blobs: Blobs,
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_000_000_000).unwrap()
}

impl Scene {
    async fn set() -> Self {
        let (data_dir, volume) = (tempfile::tempdir().unwrap(), VolumeId::at(now()));
        let (blobs, was_there) = Blobs::open(data_dir.path(), volume).await.unwrap();
        assert!(!was_there);
        Self { data_dir, volume, app: AppId::at(now()), blobs }
    }

    async fn place(&self, content: &[u8]) -> Placed {
        let mut upload = self.blobs.begin(self.app, BlobId::at(now())).await.unwrap();
        let mut rest = content;
        while rest.len() > FILE_PIECE_BYTES {
            let (piece, more) = rest.split_at(FILE_PIECE_BYTES);
            upload = upload.append(piece.to_vec()).await.unwrap();
            rest = more;
        }
        upload.place(rest.to_vec()).await.unwrap()
    }

    async fn store(&self, content: &[u8]) -> Blob {
        let placed = self.place(content).await;
        let blob = placed.blob.clone();
        placed.keep();
        blob
    }

    async fn read(&self, blob: &Blob, range: Option<Range>) -> Result<Vec<u8>, ReadError> {
        let reader = self.blobs.open_blob(self.app, blob.clone(), range).await.unwrap().expect("the blob is there");
        drain(reader).await
    }

    /// Every file below the volume, relative to it.
    fn files(&self) -> Vec<PathBuf> {
        fn below(dir: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { below(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        let root = self.root();
        below(&root, &mut found);
        found.into_iter().map(|path| path.strip_prefix(&root).unwrap().to_owned()).collect()
    }

    fn root(&self) -> PathBuf {
        self.data_dir.path().join("files").join(self.volume.to_string())
    }

    fn path_of(&self, blob: &Blob) -> PathBuf {
        self.root().join(self.blobs.place(self.app, blob.id).path())
    }

    async fn until_empty(&self) {
        let empty = async {
            while !self.files().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), empty).await.expect("what was dropped is removed");
    }
}

async fn drain(reader: Reader) -> Result<Vec<u8>, ReadError> {
    let (mut bytes, mut next) = (Vec::new(), Some(reader));
    while let Some(reader) = next {
        let piece = reader.next().await?;
        assert!(piece.bytes.len() <= FILE_PIECE_BYTES && piece.bytes.len() <= piece.read_bytes);
        bytes.extend(piece.bytes);
        next = piece.rest;
    }
    Ok(bytes)
}

/// Once.
fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + n / 251) as u8).collect()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}

#[tokio::test]
async fn what_is_written_is_what_is_read() {
    let scene = Scene::set().await;
    for len in
        [0, 1, FILE_PIECE_BYTES - 1, FILE_PIECE_BYTES, FILE_PIECE_BYTES + 1, 3 * FILE_PIECE_BYTES, 3 * FILE_PIECE_BYTES + 5]
    {
        let content = content(len);
        let blob = scene.store(&content).await;
        assert_eq!((blob.size_bytes, blob.sha256), (len as u64, sha256(&content)), "{len}");
        assert_eq!(blob.pieces_sha256.len(), 32 * len.div_ceil(FILE_PIECE_BYTES), "{len}");
        assert!(scene.read(&blob, None).await.unwrap() == content, "{len}");
        for (start, end) in [(0, 0), (0, 1), (0, len), (len / 2, len), (len, len), (FILE_PIECE_BYTES - 1, FILE_PIECE_BYTES + 1)] {
            let range = Range { start: start as u64, len: (end - start) as u64 };
            let expected = &content[start.min(len)..end.min(len)];
            assert!(scene.read(&blob, Some(range)).await.unwrap() == expected, "{len}: {start}..{end}");
        }
    }
}

#[tokio::test]
async fn paths_are_made_of_ids_alone_and_closed_to_others() {
    let scene = Scene::set().await;
    let blob = scene.store(b"x").await;
    let id = blob.id.to_string();
    let expected = PathBuf::from(scene.app.to_string()).join(&id[id.len() - 2..]).join(&id);
    assert_eq!(scene.files(), [expected]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&scene.data_dir.path().join("files")), 0o700);
    assert_eq!(mode(&scene.path_of(&blob)), 0o600);
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    let scene = Scene::set().await;
    let upload = scene.blobs.begin(scene.app, BlobId::at(now())).await.unwrap();
    let upload = upload.append(content(FILE_PIECE_BYTES)).await.unwrap();
    assert_eq!(scene.files().len(), 1);
    drop(upload);
    scene.until_empty().await;
    let placed = scene.place(b"whole").await;
    assert_eq!(scene.files().len(), 1);
    drop(placed);
    scene.until_empty().await;
}

#[tokio::test]
async fn a_call_that_is_dropped_at_any_await_leaves_nothing() {
    let scene = Scene::set().await;
    for polls in 0..40 {
        let mut storing = Box::pin(scene.place(b"some bytes"));
        for _ in 0..polls {
            if poll(storing.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(storing);
    }
    scene.until_empty().await;
}

#[tokio::test]
async fn a_commit_that_nobody_heard_of_is_left_for_a_sweep() {
    let scene = Scene::set().await;
    let mut placed = scene.place(b"named or not").await;
    placed.committing();
    let blob = placed.blob.clone();
    assert!(poll(Box::pin(scene.blobs.leftovers()).as_mut()).is_pending());
    drop(placed);
    scene.blobs.leftovers().await;
    assert_eq!(scene.read(&blob, None).await.unwrap(), b"named or not");
}

#[tokio::test]
async fn a_deletion_that_nobody_heard_of_asks_for_a_sweep() {
    let scene = Scene::set().await;
    scene.blobs.doubt().settle();
    assert!(poll(Box::pin(scene.blobs.leftovers()).as_mut()).is_pending());
    drop(scene.blobs.doubt());
    scene.blobs.leftovers().await;
}

#[tokio::test]
async fn damage_is_found_before_the_last_byte_is_handed_over() {
    let scene = Scene::set().await;
    let blob = scene.store(&content(3 * FILE_PIECE_BYTES)).await;
    let path = scene.path_of(&blob);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[FILE_PIECE_BYTES + 7] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(scene.read(&blob, None).await, Err(ReadError::Corrupt(_))));
    let piece = |n: usize| Some(Range { start: (n * FILE_PIECE_BYTES) as u64, len: 1 });
    assert!(scene.read(&blob, piece(0)).await.is_ok());
    assert!(matches!(scene.read(&blob, piece(1)).await, Err(ReadError::Corrupt(_))));
    assert!(scene.read(&blob, piece(2)).await.is_ok());

    std::fs::write(&path, content(3 * FILE_PIECE_BYTES - 1)).unwrap();
    assert!(matches!(scene.read(&blob, None).await, Err(ReadError::Corrupt(_))));
    assert!(scene.read(&blob, piece(1)).await.is_ok());
    assert!(matches!(scene.read(&blob, piece(2)).await, Err(ReadError::Corrupt(_))));
}

#[tokio::test]
async fn who_reads_goes_on_when_the_blob_is_removed() {
    let scene = Scene::set().await;
    let content = content(3 * FILE_PIECE_BYTES);
    let blob = scene.store(&content).await;
    let reader = scene.blobs.open_blob(scene.app, blob.clone(), None).await.unwrap().unwrap();
    let piece = reader.next().await.unwrap();
    scene.blobs.remove(scene.app, blob.id).await;
    assert!(scene.blobs.open_blob(scene.app, blob, None).await.unwrap().is_none());
    let rest = drain(piece.rest.expect("more")).await.unwrap();
    assert!([piece.bytes, rest].concat() == content);
}

#[tokio::test]
async fn what_is_being_written_is_not_found() {
    let scene = Scene::set().await;
    let id = BlobId::at(now());
    let shard = id.0.as_bytes()[15];
    let found = async || scene.blobs.found(scene.app, shard).await.unwrap();
    let upload = scene.blobs.begin(scene.app, id).await.unwrap();
    assert_eq!((scene.files().len(), found().await), (1, Vec::new()));
    let placed = upload.place(b"x".to_vec()).await.unwrap();
    assert_eq!((scene.files().len(), found().await), (1, Vec::new()));
    placed.keep();
    assert_eq!(found().await, [Found { blob: id, is_part: false }]);

    let part = BlobId(uuid::Uuid::from_u128(id.0.as_u128() ^ 1 << 64));
    std::fs::write(scene.root().join(scene.blobs.place(scene.app, part).part_path()), b"y").unwrap();
    std::fs::write(
        scene.path_of(&Blob { id, size_bytes: 0, sha256: [0; 32], pieces_sha256: Vec::new() }).with_file_name("theirs"),
        b"z",
    )
    .unwrap();
    let mut all = found().await;
    all.sort_by_key(|found| found.is_part);
    assert_eq!(all, [Found { blob: id, is_part: false }, Found { blob: part, is_part: true }]);
    scene.blobs.remove_part(scene.app, part).await;
    assert_eq!(found().await.len(), 1);
}

#[tokio::test]
async fn an_app_goes_with_all_its_blobs_and_no_others() {
    let scene = Scene::set().await;
    let other =
        Scene { app: AppId::at(now()), blobs: scene.blobs.clone(), data_dir: tempfile::tempdir().unwrap(), volume: scene.volume };
    scene.store(b"one").await;
    let kept = other.store(b"two").await;
    let mut apps = scene.blobs.apps().await.unwrap();
    apps.sort();
    let mut both = [scene.app, other.app];
    both.sort();
    assert_eq!(apps, both);
    scene.blobs.remove_app(scene.app).await.unwrap();
    scene.blobs.remove_app(scene.app).await.unwrap();
    assert_eq!(scene.blobs.apps().await.unwrap(), [other.app]);
    assert_eq!(other.read(&kept, None).await.unwrap(), b"two");
}

#[tokio::test]
async fn a_link_in_the_way_leads_nowhere() {
    let scene = Scene::set().await;
    let outside = tempfile::tempdir().unwrap();
    let id = BlobId::at(now());
    std::fs::create_dir(scene.root().join(scene.app.to_string())).unwrap();
    let shard = scene.root().join(scene.blobs.place(scene.app, id).shard_path());
    std::os::unix::fs::symlink(outside.path(), shard).unwrap();
    assert!(scene.blobs.begin(scene.app, id).await.is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn each_database_has_a_directory_of_its_own() {
    let scene = Scene::set().await;
    scene.store(b"one").await;
    let (other, was_there) = Blobs::open(scene.data_dir.path(), VolumeId::at(now())).await.unwrap();
    assert!(!was_there && other.apps().await.unwrap().is_empty());
    let (again, was_there) = Blobs::open(scene.data_dir.path(), scene.volume).await.unwrap();
    assert!(was_there);
    assert_eq!(again.apps().await.unwrap(), [scene.app]);
}
