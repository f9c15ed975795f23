//! The memory image of a prepared script: what an invocation copies in instead of parsing.
//!
//! Instances of one warm component start bit-identical, so the words that `prepare` changed are all there is to a script.
//! An image is made by the host alone and sealed: it names the component, the guest's memory layout and the source it was
//! made of, and ends in a checksum. Whatever does not match is refused, and the script is prepared the long way.

use crate::limits::{IMAGE_BYTES_MAX, IMAGE_EXTENTS_MAX, IMAGE_GAP_BYTES};
use crate::model::script::Code;
use crate::wit::Extent;
use crate::wit::picloud::sandbox::preparation::Layout;

/// The sealed form's own version; also covers the meaning of `place`.
const MAGIC: &[u8; 8] = b"PCIMG\0\0\x01";
const HASH_BYTES: usize = 32;
const WORD: usize = 8;
const COMPRESSION: i32 = 3;
/// A page of linear memory.
pub(super) const WASM_PAGE_BYTES: usize = 64 << 10;

/// An image ready to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryImage {
    /// Memory the prepared instance had, in pages of 64 KiB.
    pub pages: u32,
    pub extents: Vec<Extent>,
}

/// Why an image was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is not an image, or cut short")]
    Format,
    #[error("its checksum does not match")]
    Damaged,
    #[error("it belongs to another component or another source")]
    Foreign,
    #[error("it reaches where an image may not")]
    Extents,
}

impl PartialEq for Extent {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address && self.bytes == other.bytes
    }
}

impl Eq for Extent {}

impl MemoryImage {
    /// What turns `before` into `after`, outside the stack and the control block. None when that is more than an image
    /// may hold.
    pub fn between(before: &[u8], after: &[u8], layout: &Layout) -> Option<Self> {
        let mut gap = IMAGE_GAP_BYTES;
        loop {
            let runs = changed_runs(before, after, layout, gap);
            if runs.iter().map(|(start, end)| end - start).sum::<usize>() > IMAGE_BYTES_MAX {
                return None;
            }
            if runs.len() <= IMAGE_EXTENTS_MAX {
                let extents = runs
                    .into_iter()
                    .map(|(start, end)| {
                        Some(Extent { address: u32::try_from(start).ok()?, bytes: after.get(start..end)?.to_vec() })
                    })
                    .collect::<Option<Vec<_>>>()?;
                return Some(Self { pages: u32::try_from(after.len() / WASM_PAGE_BYTES).ok()?, extents });
            }
            gap *= 2;
        }
    }

    /// Bytes that a call copies.
    pub fn bytes(&self) -> usize {
        self.extents.iter().map(|extent| extent.bytes.len()).sum()
    }

    /// The stored form. `key` is [`key`].
    pub fn seal(&self, key: &[u8; HASH_BYTES]) -> std::io::Result<Vec<u8>> {
        let mut payload = Vec::with_capacity(self.bytes() + 8 * self.extents.len() + 8);
        payload.extend_from_slice(&self.pages.to_le_bytes());
        for extent in &self.extents {
            payload.extend_from_slice(&extent.address.to_le_bytes());
            payload.extend_from_slice(&u32::try_from(extent.bytes.len()).map_err(std::io::Error::other)?.to_le_bytes());
            payload.extend_from_slice(&extent.bytes);
        }
        let mut sealed = Vec::with_capacity(payload.len() / 4);
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(key);
        sealed.extend_from_slice(&zstd::bulk::compress(&payload, COMPRESSION)?);
        let checksum = blake3::hash(&sealed);
        sealed.extend_from_slice(checksum.as_bytes());
        Ok(sealed)
    }

    /// Reads a stored form back; every byte of it is distrusted until the checksum and the key have matched, and the
    /// extents are held against `layout` even then.
    pub fn open(sealed: &[u8], key: &[u8; HASH_BYTES], layout: &Layout, memory_bytes_max: usize) -> Result<Self, Refused> {
        let (body, checksum) = sealed.split_last_chunk::<HASH_BYTES>().ok_or(Refused::Format)?;
        let rest = body.strip_prefix(MAGIC).ok_or(Refused::Format)?;
        if blake3::hash(body).as_bytes() != checksum {
            return Err(Refused::Damaged);
        }
        let (found, compressed) = rest.split_first_chunk::<HASH_BYTES>().ok_or(Refused::Format)?;
        if found != key {
            return Err(Refused::Foreign);
        }
        let payload_max = IMAGE_BYTES_MAX + 8 * IMAGE_EXTENTS_MAX + 8;
        let payload = zstd::bulk::decompress(compressed, payload_max).map_err(|_| Refused::Format)?;
        let image = Self::parse(&payload).ok_or(Refused::Format)?;
        image.judge(layout, memory_bytes_max)?;
        Ok(image)
    }

    fn parse(payload: &[u8]) -> Option<Self> {
        let (pages, mut rest) = take_u32(payload)?;
        let mut extents = Vec::new();
        while !rest.is_empty() {
            let (address, after_address) = take_u32(rest)?;
            let (len, after_len) = take_u32(after_address)?;
            let (bytes, after) = after_len.split_at_checked(usize::try_from(len).ok()?)?;
            extents.push(Extent { address, bytes: bytes.to_vec() });
            rest = after;
        }
        Some(Self { pages, extents })
    }

    /// Extents are in order, apart, not empty, in the memory, and neither in the stack nor in the control block.
    /// The guest judges again (`guest/src/control.rs`): this one is for a clear word, that one is the wall.
    fn judge(&self, layout: &Layout, memory_bytes_max: usize) -> Result<(), Refused> {
        let memory =
            usize::try_from(self.pages).map_err(|_| Refused::Extents)?.checked_mul(WASM_PAGE_BYTES).ok_or(Refused::Extents)?;
        if memory > memory_bytes_max || self.extents.len() > IMAGE_EXTENTS_MAX {
            return Err(Refused::Extents);
        }
        let mut free_from = layout.data_start as usize;
        for extent in &self.extents {
            let start = extent.address as usize;
            let end = start.checked_add(extent.bytes.len()).ok_or(Refused::Extents)?;
            let in_control = start < layout.control_end as usize && end > layout.control_start as usize;
            if extent.bytes.is_empty() || start < free_from || end > memory || in_control {
                return Err(Refused::Extents);
            }
            free_from = end;
        }
        Ok(())
    }
}

/// Names what an image belongs to: the component and its layout, the script's name and source, and those of its modules in
/// their order.
pub fn key(component: &str, layout: &Layout, code: &Code) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new();
    let modules = code.modules.iter().flat_map(|module| [module.name.as_bytes(), module.source.as_bytes()]);
    let script = [MAGIC.as_slice(), component.as_bytes(), b"ast", code.name.as_bytes(), code.source.as_bytes()];
    for part in script.into_iter().chain(modules) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    for word in [layout.data_start, layout.control_start, layout.control_end, layout.memory_bytes] {
        hasher.update(&word.to_le_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// Runs of changed words; runs closer than `gap` bytes are one. Past the end of `before`, memory was zero.
fn changed_runs(before: &[u8], after: &[u8], layout: &Layout, gap: usize) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (start, end) in [(layout.data_start as usize, layout.control_start as usize), (layout.control_end as usize, after.len())]
    {
        let first = runs.len();
        let mut at = start;
        while at < end {
            let stop = (at + WORD).min(end);
            if before.get(at..stop).unwrap_or(&[0; WORD]) != after.get(at..stop).unwrap_or(&[0; WORD]) {
                match runs.get_mut(first..).and_then(<[_]>::last_mut) {
                    Some(run) if at - run.1 <= gap => run.1 = stop,
                    _ => runs.push((at, stop)),
                }
            }
            at = stop;
        }
    }
    runs
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*word), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { data_start: 1 << 10, control_start: 2 << 10, control_end: 3 << 10, memory_bytes: 1 << 16 };
    const MEMORY_MAX: usize = 8 << 16;

    fn changed(at: &[(usize, u8)], len: usize) -> MemoryImage {
        let before = vec![0; 1 << 16];
        let mut after = vec![0; len];
        for (at, byte) in at {
            after[*at] = *byte;
        }
        MemoryImage::between(&before, &after, &LAYOUT).unwrap()
    }

    fn hostile(address: u32, len: usize) -> Vec<u8> {
        MemoryImage { pages: 1, extents: vec![Extent { address, bytes: vec![1; len] }] }.seal(&[7; 32]).unwrap()
    }

    #[test]
    fn an_image_holds_changes_outside_stack_and_control_block_only() {
        let image = changed(&[(512, 1), (1500, 2), (2500, 3), (5000, 4)], 1 << 16);
        let addresses: Vec<u32> = image.extents.iter().map(|extent| extent.address).collect();
        assert_eq!(addresses, [1496, 5000]);
    }

    #[test]
    fn memory_that_grew_is_part_of_it() {
        let image = changed(&[((1 << 16) + 64, 9)], 2 << 16);
        assert_eq!((image.pages, image.extents[0].address), (2, (1 << 16) + 64));
    }

    #[test]
    fn near_changes_become_one_extent() {
        assert_eq!(changed(&[(4000, 1), (4000 + IMAGE_GAP_BYTES, 1)], 1 << 16).extents.len(), 1);
        assert_eq!(changed(&[(4000, 1), (4016 + IMAGE_GAP_BYTES, 1)], 1 << 16).extents.len(), 2);
    }

    #[test]
    fn a_sealed_image_opens_again() {
        let image = changed(&[(1500, 2), (5000, 4)], 1 << 16);
        let sealed = image.seal(&[7; 32]).unwrap();
        assert_eq!(MemoryImage::open(&sealed, &[7; 32], &LAYOUT, MEMORY_MAX), Ok(image));
    }

    #[test]
    fn any_flipped_bit_is_refused() {
        let sealed = changed(&[(1500, 2)], 1 << 16).seal(&[7; 32]).unwrap();
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(MemoryImage::open(&damaged, &[7; 32], &LAYOUT, MEMORY_MAX).is_err(), "byte {at}");
        }
    }

    #[test]
    fn any_truncation_is_refused() {
        let sealed = changed(&[(1500, 2)], 1 << 16).seal(&[7; 32]).unwrap();
        for len in 0..sealed.len() {
            assert!(MemoryImage::open(&sealed[..len], &[7; 32], &LAYOUT, MEMORY_MAX).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn another_key_is_foreign() {
        let sealed = changed(&[(1500, 2)], 1 << 16).seal(&[7; 32]).unwrap();
        assert_eq!(MemoryImage::open(&sealed, &[8; 32], &LAYOUT, MEMORY_MAX), Err(Refused::Foreign));
    }

    #[test]
    fn hostile_extents_are_refused() {
        for (what, address, len) in [
            ("in the stack", 8, 8),
            ("reaching out of the stack", 1020, 8),
            ("in the control block", 2048, 8),
            ("reaching into the control block", 2040, 16),
            ("over the whole control block", 1500, 4096),
            ("past the memory", (1 << 16) - 4, 8),
            ("past all addresses", u32::MAX - 4, 64),
            ("empty", 5000, 0),
        ] {
            assert_eq!(MemoryImage::open(&hostile(address, len), &[7; 32], &LAYOUT, MEMORY_MAX), Err(Refused::Extents), "{what}");
        }
        assert!(MemoryImage::open(&hostile(5000, 8), &[7; 32], &LAYOUT, MEMORY_MAX).is_ok());
    }

    #[test]
    fn more_memory_than_a_script_may_have_is_refused() {
        let image = MemoryImage { pages: 9, extents: vec![] };
        assert_eq!(MemoryImage::open(&image.seal(&[7; 32]).unwrap(), &[7; 32], &LAYOUT, MEMORY_MAX), Err(Refused::Extents));
    }

    #[test]
    fn the_key_tells_all_that_an_image_belongs_to() {
        let base = key("c", &LAYOUT, &Code::alone("n", "s"));
        let other_layout = Layout { data_start: 0, ..LAYOUT };
        for other in [
            key("d", &LAYOUT, &Code::alone("n", "s")),
            key("c", &other_layout, &Code::alone("n", "s")),
            key("c", &LAYOUT, &Code::alone("m", "s")),
            key("c", &LAYOUT, &Code::alone("n", "t")),
            key("c", &LAYOUT, &Code::alone("ns", "")),
        ] {
            assert_ne!(base, other);
        }
    }
}
