//! Removing snapshots, and the chunks that no other one needs.
//!
//! What is needed is known by the first eight bytes of each address: a million chunks are 8 MB. Two that share these, which does not
//! happen, would keep one too many.

use std::collections::HashSet;

use super::{CHUNKS, Error, Kind, Repository, Result, SNAPSHOTS, io_error, sync_directory};
use crate::model::backup::{ChunkId, Entries, Keep, List, Snapshot, SnapshotId};

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pruned {
    pub snapshots: u64,
    pub chunks: u64,
    pub bytes: u64,
}

impl Repository {
    /// The snapshots that are not kept.
    pub fn outside(&self, keep: &Keep) -> Result<Vec<SnapshotId>> {
        let all = self.snapshots()?;
        let times: Vec<_> = all.iter().map(|id| id.begun_at().unwrap_or_default()).collect();
        Ok(all.into_iter().zip(keep.choose(&times)).filter(|(_, is_kept)| !is_kept).map(|(id, _)| id).collect())
    }

    /// Removes these snapshots, and every chunk that none of the others names. Asks for [`super::Access::Prune`].
    ///
    /// # Errors
    /// Before anything is removed, when a snapshot that stays, or a page that it names, cannot be read: what it needs is not known.
    pub fn prune(&self, gone: &[SnapshotId]) -> Result<Pruned> {
        let staying: Vec<_> = self.snapshots()?.into_iter().filter(|id| !gone.contains(id)).collect();
        let mut needed = HashSet::new();
        for id in &staying {
            self.need(&self.snapshot(id)?, &mut needed)?;
        }
        let mut pruned = Pruned::default();
        for id in gone {
            let path = self.path.join(SNAPSHOTS).join(id.as_str());
            std::fs::remove_file(&path).map_err(io_error("removed", &path))?;
            pruned.snapshots += 1;
        }
        sync_directory(&self.path.join(SNAPSHOTS))?;
        for shard in 0..=u8::MAX {
            self.prune_shard(shard, &needed, &mut pruned)?;
        }
        Ok(pruned)
    }

    /// Adds every chunk that a snapshot names: pages, what they name, and the contents of files.
    fn need(&self, snapshot: &Snapshot, needed: &mut HashSet<u64>) -> Result<()> {
        let lists = snapshot.tables.iter().map(|table| &table.rows);
        for list in lists.chain([&snapshot.files.lost]) {
            self.need_list(list, needed)?;
        }
        for page in &snapshot.files.entries.pages {
            needed.insert(short(*page));
            for chunk in self.page(*page)? {
                // Files of a chunk of entries that was seen were seen with it.
                if needed.insert(short(chunk)) {
                    let entries = self.get(Kind::Entries, chunk)?;
                    for entry in Entries(&entries) {
                        let unreadable = |_| Error::Damaged { what: format!("the chunk {chunk}"), why: "it is no list of files" };
                        let entry = entry.map_err(unreadable)?;
                        needed.extend(entry.chunks().map(|pieces| short(self.address_of_pieces(pieces))));
                    }
                }
            }
        }
        needed.extend(snapshot.key_ring.map(short));
        Ok(())
    }

    fn need_list(&self, list: &List, needed: &mut HashSet<u64>) -> Result<()> {
        for page in &list.pages {
            needed.insert(short(*page));
            needed.extend(self.page(*page)?.into_iter().map(short));
        }
        Ok(())
    }

    fn prune_shard(&self, shard: u8, needed: &HashSet<u64>, pruned: &mut Pruned) -> Result<()> {
        let directory = self.path.join(CHUNKS).join(format!("{shard:02x}"));
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(io_error("read", &directory))?,
        };
        for entry in entries {
            let entry = entry.map_err(io_error("read", &directory))?;
            // What is none of ours is left alone.
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<ChunkId>().ok()) else { continue };
            if needed.contains(&short(id)) {
                continue;
            }
            let path = entry.path();
            pruned.bytes += entry.metadata().map_or(0, |found| found.len());
            std::fs::remove_file(&path).map_err(io_error("removed", &path))?;
            pruned.chunks += 1;
        }
        Ok(())
    }
}

fn short(id: ChunkId) -> u64 {
    id.0.first_chunk().copied().map_or(0, u64::from_be_bytes)
}
