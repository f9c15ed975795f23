//! The blocks of a tar, as an archive has them: one header for a name and a size, and no other.

use tar::{EntryType, Header};

use super::refused;
use crate::error::{Error, Result};
use crate::model::text;

/// Everything in a tar begins at a multiple of this.
pub const BLOCK_BYTES: usize = 512;
/// What ends a tar.
pub const END_BLOCKS: usize = 2;
const MODE: u32 = 0o644;

pub type Block = [u8; BLOCK_BYTES];

/// The header of a plain file.
///
/// # Errors
/// `internal` for a name that is none of an archive's.
pub fn header(name: &str, size_bytes: u64) -> Result<Block> {
    let mut header = Header::new_ustar();
    header.set_path(name).map_err(Error::internal)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size_bytes);
    header.set_mode(MODE);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(*header.as_bytes())
}

/// Zeros behind a content of that size.
pub fn padding(size_bytes: u64) -> usize {
    let block = BLOCK_BYTES as u64;
    usize::try_from((block - size_bytes % block) % block).unwrap_or_default()
}

/// A header and a content of that size, with its padding, bytes.
pub fn whole_bytes(size_bytes: u64) -> u64 {
    (BLOCK_BYTES as u64).saturating_add(size_bytes).saturating_add(padding(size_bytes) as u64)
}

/// The size that a header says; `invalid_archive` unless it is the header of a plain file of the name that belongs there.
pub fn read(block: &Block, expected: &str) -> Result<u64> {
    if block.iter().all(|byte| *byte == 0) {
        return Err(refused(expected, None, "the archive ends before it"));
    }
    let mut found = Header::new_ustar();
    *found.as_mut_bytes() = *block;
    let size = found.entry_size().map_err(|_| refused(expected, None, "its header is damaged"))?;
    if header(expected, size)? == *block {
        return Ok(size);
    }
    let name = String::from_utf8_lossy(&found.path_bytes()).into_owned();
    let name = text::cut(&name, BLOCK_BYTES / 4).into_owned();
    let kind = found.entry_type();
    let why = if !kind.is_file() {
        format!("`{name}` stands there, which is no plain file but {kind:?}")
    } else if name != expected {
        format!("`{name}` stands there")
    } else {
        "its header is not one that an export writes".to_owned()
    };
    Err(refused(expected, None, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(change: impl FnOnce(&mut Header)) -> Block {
        let mut header = Header::new_ustar();
        *header.as_mut_bytes() = self::header("manifest.json", 7).unwrap();
        change(&mut header);
        header.set_cksum();
        *header.as_bytes()
    }

    fn why(block: Block) -> String {
        read(&block, "manifest.json").unwrap_err().message.into_owned()
    }

    #[test]
    fn a_header_reads_back_and_any_tool_reads_it() {
        for size in [0, 1, 511, 512, 513, (8 << 30) - 1] {
            let block = header("files/x", size).unwrap();
            assert_eq!(read(&block, "files/x").unwrap(), size);
        }
        let mut tar = header("manifest.json", 3).unwrap().to_vec();
        tar.extend_from_slice(b"{}\n");
        tar.resize(tar.len() + padding(3) + END_BLOCKS * BLOCK_BYTES, 0);
        let mut archive = tar::Archive::new(&tar[..]);
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!((entry.path().unwrap().to_str(), entry.size()), (Some("manifest.json"), 3));
        assert_eq!(tar.len() as u64, whole_bytes(3) + (END_BLOCKS * BLOCK_BYTES) as u64);
    }

    #[test]
    fn no_other_header_is_taken() {
        for (kind, word) in [
            (EntryType::Symlink, "Symlink"),
            (EntryType::Link, "Link"),
            (EntryType::Directory, "Directory"),
            (EntryType::Fifo, "Fifo"),
            (EntryType::Char, "Char"),
            (EntryType::GNULongName, "GNULongName"),
            (EntryType::XHeader, "XHeader"),
            (EntryType::GNUSparse, "GNUSparse"),
        ] {
            assert!(why(changed(|header| header.set_entry_type(kind))).contains(word), "{kind:?}");
        }
        for name in ["../manifest.json", "/manifest.json", "kv.ndjson", "./manifest.json", "manifest.json/"] {
            let named = changed(|header| {
                let field = &mut header.as_old_mut().name;
                field.fill(0);
                field[..name.len()].copy_from_slice(name.as_bytes());
            });
            assert!(why(named).contains("stands there"), "{name}");
        }
        for other in [
            changed(|header| header.set_mode(0o777)),
            changed(|header| header.set_mtime(1)),
            changed(|header| header.set_uid(1)),
            changed(|header| header.as_old_mut().linkname[0] = b'x'),
        ] {
            assert!(why(other).contains("not one that an export writes"));
        }
        let mut damaged = header("manifest.json", 7).unwrap();
        damaged[200] ^= 1;
        assert!(read(&damaged, "manifest.json").is_err());
        damaged = header("manifest.json", 7).unwrap();
        damaged[124] = b'x';
        assert!(why(damaged).contains("damaged"));
        assert!(why([0; BLOCK_BYTES]).contains("ends before it"));
    }
}
