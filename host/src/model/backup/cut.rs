//! Where what goes into a backup is cut, so that a change touches the chunk that it is in and no other.

use std::mem::take;

use crate::error::{Error, Result};
use crate::limits;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Flags, and the length of what follows them.
const HEADER_BYTES: usize = SIGNATURE.len() + 8;

/// Gathers items into chunks. Where a chunk ends is decided by the item it ends with: whatever is added, changed or removed
/// elsewhere, the same items in the same order make the same chunks again.
#[derive(Debug, Default)]
pub struct Cutter {
    bytes: Vec<u8>,
    items: u64,
}

impl Cutter {
    /// Takes an item; gives the chunk that was complete before it, or is with it, and how many items are in there.
    pub fn push(&mut self, item: &[u8]) -> Option<(Vec<u8>, u64)> {
        let full = self.bytes.len() + item.len() > limits::BACKUP_CHUNK_BYTES_MAX;
        let before = if full { self.end() } else { None };
        self.bytes.extend_from_slice(item);
        self.items += 1;
        // Never both: one that was full has left this one too short, or this item alone is longer than a chunk, and waits.
        before.or_else(|| if ends_with(self.bytes.len(), item) { self.end() } else { None })
    }

    /// What is left.
    pub fn end(&mut self) -> Option<(Vec<u8>, u64)> {
        if self.items == 0 { None } else { Some((take(&mut self.bytes), take(&mut self.items))) }
    }
}

/// Whether a chunk of so many bytes ends with this item. The longer an item, the likelier: chunks are as long whatever is in them.
fn ends_with(bytes: usize, item: &[u8]) -> bool {
    if bytes < limits::BACKUP_CHUNK_BYTES_MIN {
        return false;
    }
    let items = (limits::BACKUP_CHUNK_BYTES_USUAL / item.len().max(1)).max(1) as u64;
    let digest = blake3::hash(item);
    let number = digest.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes);
    number.is_multiple_of(items)
}

/// Parts rows out of a stream in PostgreSQL's binary COPY format, however it is cut on its way.
#[derive(Debug, Default)]
pub struct Rows {
    bytes: Vec<u8>,
    at: usize,
    has_begun: bool,
    has_ended: bool,
}

impl Rows {
    /// Of rows alone, as [`Cutter`] gathers them.
    pub fn bare(bytes: Vec<u8>) -> Self {
        Self { bytes, has_begun: true, ..Self::default() }
    }

    /// What has come.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at.min(self.bytes.len()));
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next row that is whole.
    ///
    /// # Errors
    /// What came is no such stream, or a row of it is longer than `BACKUP_ROW_BYTES_MAX`.
    pub fn next_row(&mut self) -> Result<Option<&[u8]>> {
        if !self.has_begun {
            let Some(header) = self.bytes.get(..HEADER_BYTES) else { return Ok(None) };
            let extra =
                header.get(HEADER_BYTES - 4..).and_then(|bytes| bytes.first_chunk().copied()).map_or(0, u32::from_be_bytes);
            if !header.starts_with(SIGNATURE) || extra != 0 {
                return Err(Error::internal("the database gave rows in a form that is not known"));
            }
            (self.has_begun, self.at) = (true, HEADER_BYTES);
        }
        let Some(length) = self.row_length()? else { return Ok(None) };
        let row = self.bytes.get(self.at..self.at + length);
        self.at += length;
        Ok(row)
    }

    /// Whether the stream came to its end.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    fn row_length(&mut self) -> Result<Option<usize>> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(fields) = rest.first_chunk().copied().map(i16::from_be_bytes) else { return Ok(None) };
        let Ok(fields) = usize::try_from(fields) else {
            self.has_ended = true;
            return Ok(None);
        };
        let mut length = 2_usize;
        for _ in 0..fields {
            let field = rest.get(length..).and_then(|rest| rest.first_chunk().copied()).map(i32::from_be_bytes);
            let Some(field) = field else { return self.within(rest.len()).map(|()| None) };
            // None is written as -1.
            length = length.saturating_add(4).saturating_add(usize::try_from(field).unwrap_or(0));
            self.within(length)?;
        }
        Ok((length <= rest.len()).then_some(length))
    }

    fn within(&self, bytes: usize) -> Result<()> {
        let allowed = limits::BACKUP_ROW_BYTES_MAX;
        if bytes <= allowed {
            return Ok(());
        }
        Err(Error::internal(format!("a row of {bytes} bytes; {allowed} are allowed")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunks(items: &[Vec<u8>]) -> Vec<(Vec<u8>, u64)> {
        let mut cutter = Cutter::default();
        let mut chunks: Vec<_> = items.iter().filter_map(|item| cutter.push(item)).collect();
        chunks.extend(cutter.end());
        chunks
    }

    fn items(n: u32, bytes: usize) -> Vec<Vec<u8>> {
        (0..n).map(|n| n.to_le_bytes().repeat(bytes / 4)).collect()
    }

    #[test]
    fn a_change_touches_the_chunk_it_is_in() {
        let before = items(20_000, 400);
        let old = chunks(&before);
        assert!(old.len() > 4, "{}", old.len());
        let sizes = old.iter().map(|(bytes, _)| bytes.len());
        assert!(sizes.clone().all(|bytes| bytes <= limits::BACKUP_CHUNK_BYTES_MAX), "{:?}", sizes.collect::<Vec<_>>());
        for change in [0, 9_999, 19_999] {
            let (mut added, mut changed, mut removed) = (before.clone(), before.clone(), before.clone());
            added.insert(change, b"new".to_vec());
            changed[change] = b"other".to_vec();
            removed.remove(change);
            for after in [added, changed, removed] {
                let new = chunks(&after);
                assert_eq!(new.iter().map(|(_, items)| items).sum::<u64>(), after.len() as u64);
                assert_eq!(new.iter().flat_map(|(bytes, _)| bytes.clone()).collect::<Vec<_>>(), after.concat());
                let fresh = new.iter().filter(|chunk| !old.contains(chunk)).count();
                assert!(fresh <= 2, "{fresh} of {} chunks are new", new.len());
            }
        }
    }

    #[test]
    fn a_chunk_is_as_long_as_it_may_be_and_no_longer() {
        let never_last = |n: u8, bytes: usize| {
            let mut item = vec![n; bytes];
            while ends_with(limits::BACKUP_CHUNK_BYTES_MAX, &item) {
                item[0] = item[0].wrapping_add(1);
            }
            item
        };
        // Items so long end every chunk that is long enough: two short ones stay together, and a third does not fit.
        let short = never_last(1, limits::BACKUP_CHUNK_BYTES_MIN / 2 - 1);
        assert_eq!(chunks(&[short.clone(), short.clone()]).len(), 1);
        assert_eq!(chunks(&[short.clone(), vec![0; limits::BACKUP_CHUNK_BYTES_MAX - short.len()]]).len(), 1);
        assert_eq!(chunks(&[short.clone(), vec![0; limits::BACKUP_CHUNK_BYTES_MAX - short.len() + 1]]).len(), 2);
        // One that is longer than a chunk is one by itself.
        let long = vec![9; limits::BACKUP_CHUNK_BYTES_MAX + 1];
        assert_eq!(chunks(&[short.clone(), long, short]).len(), 3);
    }

    fn stream(rows: &[Vec<Option<Vec<u8>>>]) -> Vec<u8> {
        let mut bytes = [SIGNATURE, &[0; 8]].concat();
        for row in rows {
            bytes.extend((row.len() as i16).to_be_bytes());
            for field in row {
                match field {
                    Some(field) => {
                        bytes.extend((field.len() as i32).to_be_bytes());
                        bytes.extend(field);
                    }
                    None => bytes.extend((-1_i32).to_be_bytes()),
                }
            }
        }
        bytes.extend((-1_i16).to_be_bytes());
        bytes
    }

    fn parted(stream: &[u8], piece: usize) -> Result<Vec<Vec<u8>>> {
        let (mut rows, mut found) = (Rows::default(), Vec::new());
        for piece in stream.chunks(piece) {
            rows.feed(piece);
            while let Some(row) = rows.next_row()? {
                found.push(row.to_vec());
            }
        }
        assert_eq!(rows.has_ended(), stream.ends_with(&[0xff, 0xff]));
        Ok(found)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn rows_are_found_however_they_come(
            rows in prop::collection::vec(prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..20)), 0..4), 0..8),
            piece in 1_usize..40,
        ) {
            let stream = stream(&rows);
            let found = parted(&stream, piece).unwrap();
            prop_assert_eq!(found.len(), rows.len());
            prop_assert_eq!(found.concat(), &stream[HEADER_BYTES..stream.len() - 2]);
        }
    }

    #[test]
    fn what_is_no_stream_of_rows_is_refused() {
        assert!(parted(&[0; 64], 64).is_err());
        let mut with_extension = stream(&[]);
        with_extension[HEADER_BYTES - 1] = 1;
        assert!(parted(&with_extension, 64).is_err());
        let row = |bytes: usize| {
            let mut head = stream(&[]);
            head.truncate(HEADER_BYTES);
            head.extend([0, 1]);
            head.extend(((bytes - 6) as i32).to_be_bytes());
            let mut rows = Rows::default();
            rows.feed(&head);
            rows.next_row().map(|row| row.is_none())
        };
        assert!(row(limits::BACKUP_ROW_BYTES_MAX).unwrap());
        assert!(row(limits::BACKUP_ROW_BYTES_MAX + 1).is_err());
    }
}
