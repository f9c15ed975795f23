//! How an image gets into an instance. Long runs of pages that a fresh instance has blank are mapped: every invocation
//! of a script shares them and pays for those alone that it touches. What is left, a few hundred bytes here and there,
//! is copied by way of the guest's `place`.
//!
//! Invariant: a mapped page is blank again, with nothing of the image behind it, before its instance is dropped.

use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::fd::{AsFd as _, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous};

use super::image::MemoryImage;
use crate::limits::{IMAGE_BRIDGED_BYTES_MAX, IMAGE_EXTENTS_MAX, IMAGE_MAPPED_BYTES_MIN};
use crate::wit::Extent;

/// A mapping as an instance's memory has it, put where something else was.
const ACCESS: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);
const IN_PLACE: MapFlags = MapFlags::PRIVATE.union(MapFlags::FIXED).union(MapFlags::NORESERVE);

/// An image as invocations take it in.
#[derive(Debug, Clone)]
pub struct Placement {
    /// Memory of the prepared instance, in pages of 64 KiB.
    pub(super) pages: u32,
    pub(super) copied: Vec<Extent>,
    shared: Option<Arc<Shared>>,
}

/// Pages in a file without a name that nobody can change any more.
#[derive(Debug)]
struct Shared {
    file: OwnedFd,
    runs: Vec<Run>,
}

/// Whole pages of memory, at `offset` in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    address: usize,
    offset: u64,
    len: usize,
}

/// Which pages of a fresh instance's heap hold zeros only; past its memory all do.
#[derive(Debug)]
pub(super) struct Blank {
    page_bytes: usize,
    pages: Vec<bool>,
}

/// A placement's pages in one instance's memory, until dropped.
pub(super) struct Mapped<'a> {
    memory: NonNull<u8>,
    runs: &'a [Run],
    /// Of the memory's begin: what leaves no page behind.
    spent_bytes: usize,
}

// SAFETY: an address, used by whoever holds this and the instance with it.
unsafe impl Send for Mapped<'_> {}

impl Blank {
    /// Nothing below `heap` counts, blank or not.
    pub(super) fn of(memory: &[u8], heap: usize, page_bytes: usize) -> Self {
        let is_blank = |(at, page): (usize, &[u8])| at * page_bytes >= heap && page.iter().all(|byte| *byte == 0);
        Self { page_bytes, pages: memory.chunks_exact(page_bytes).enumerate().map(is_blank).collect() }
    }

    fn is_blank(&self, page: usize) -> bool {
        self.pages.get(page).copied().unwrap_or(true)
    }

    fn are_blank(&self, mut pages: Range<usize>) -> bool {
        pages.len() * self.page_bytes <= IMAGE_BRIDGED_BYTES_MAX && pages.all(|page| self.is_blank(page))
    }

    /// Runs of blank pages that the extents reach into, long enough to be worth a mapping.
    fn runs(&self, extents: &[Extent]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for extent in extents.iter().filter(|extent| !extent.bytes.is_empty()) {
            let start = extent.address as usize;
            for page in start / self.page_bytes..=(start + extent.bytes.len() - 1) / self.page_bytes {
                let address = page * self.page_bytes;
                match runs.last_mut() {
                    // Already there by the extent before.
                    Some(run) if address < run.address + run.len => {}
                    _ if !self.is_blank(page) => {}
                    // Blank pages between two that are not shall stay so.
                    Some(run) if self.are_blank((run.address + run.len) / self.page_bytes..page) => {
                        run.len = address + self.page_bytes - run.address;
                    }
                    _ => runs.push(Run { address, offset: 0, len: self.page_bytes }),
                }
            }
        }
        runs.retain(|run| run.len >= IMAGE_MAPPED_BYTES_MIN);
        let mut offset = 0;
        for run in &mut runs {
            run.offset = offset;
            offset += run.len as u64;
        }
        runs
    }
}

impl Placement {
    pub(super) fn new(image: MemoryImage, blank: &Blank) -> Self {
        let MemoryImage { pages, extents } = image;
        let runs = blank.runs(&extents);
        if runs.is_empty() {
            return Self { pages, copied: extents, shared: None };
        }
        let (contents, copied) = divide(&extents, &runs);
        // A run in the midst of an extent makes two of it, and `place` takes so many only.
        if copied.len() > IMAGE_EXTENTS_MAX {
            return Self { pages, copied: extents, shared: None };
        }
        match share(&contents) {
            Ok(file) => Self { pages, copied, shared: Some(Arc::new(Shared { file, runs })) },
            Err(error) => {
                tracing::warn!(%error, "a memory image cannot be shared; each call copies it");
                Self { pages, copied: extents, shared: None }
            }
        }
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        let copied: usize = self.copied.iter().map(|extent| extent.bytes.len() + size_of::<Extent>()).sum();
        copied + self.mapped_bytes()
    }

    /// Bytes that invocations share.
    pub(super) fn mapped_bytes(&self) -> usize {
        self.runs().iter().map(|run| run.len).sum()
    }

    fn runs(&self) -> &[Run] {
        self.shared.as_ref().map_or(&[], |shared| &shared.runs)
    }

    /// Puts the shared pages in place.
    ///
    /// # Safety
    /// `memory` is the whole linear memory of an instance in which these pages are blank and private to it; it does not
    /// move, and outlives what is returned.
    pub(super) unsafe fn map(&self, memory: NonNull<[u8]>) -> io::Result<Mapped<'_>> {
        let mut mapped = Mapped { memory: memory.cast(), runs: &[], spent_bytes: 0 };
        let Some(shared) = &self.shared else { return Ok(mapped) };
        if shared.runs.iter().any(|run| run.address + run.len > memory.len()) {
            return Err(io::Error::other("the memory is smaller than its image"));
        }
        for (at, run) in shared.runs.iter().enumerate() {
            // SAFETY: inside the memory, by the check above; the caller vouches for what is there.
            unsafe {
                let address = mapped.memory.as_ptr().add(run.address).cast();
                mmap(address, run.len, ACCESS, IN_PLACE, shared.file.as_fd(), run.offset)?;
            }
            mapped.runs = shared.runs.get(..=at).unwrap_or_default();
        }
        Ok(mapped)
    }
}

impl Mapped<'_> {
    /// Has the instance, whose memory is that large now, leave no page to the next one in its place: what stays is wiped
    /// after every later run, whoever's it is.
    pub(super) fn leave_nothing(&mut self, memory_bytes: usize) {
        self.spent_bytes = memory_bytes;
    }
}

impl Drop for Mapped<'_> {
    fn drop(&mut self) {
        for run in self.runs {
            // SAFETY: the range that `map` has replaced, in a memory that is still there.
            let blanked = unsafe {
                let address = self.memory.as_ptr().add(run.address).cast();
                mmap_anonymous(address, run.len, ACCESS, IN_PLACE)
            };
            if let Err(error) = blanked {
                // The next tenant of this memory would find a script in it.
                tracing::error!(%error, "an instance's memory cannot be blanked");
                std::process::abort();
            }
        }
        if self.spent_bytes > 0 {
            // SAFETY: the memory's own range; its instance ends.
            unsafe { blank(NonNull::slice_from_raw_parts(self.memory, self.spent_bytes)) };
        }
    }
}

/// Makes written pages what they were at first, without a page of their own. Where that fails they are wiped as all others are.
///
/// # Safety
/// `memory` is an instance's, from its begin, and nothing runs in it any more.
pub(super) unsafe fn blank(memory: NonNull<[u8]>) {
    // SAFETY: the caller's.
    let _ = unsafe { madvise(memory.as_ptr().cast(), memory.len(), Advice::LinuxDontNeed) };
}

/// The runs' contents one after the other, and what of the extents is in none of them.
fn divide(extents: &[Extent], runs: &[Run]) -> (Vec<u8>, Vec<Extent>) {
    let mut contents = vec![0; runs.iter().map(|run| run.len).sum()];
    let mut copied = Vec::new();
    for extent in extents {
        let mut rest: &[u8] = &extent.bytes;
        let mut address = extent.address as usize;
        for run in runs.iter().filter(|run| run.address + run.len > extent.address as usize) {
            let (before, from_run) = rest.split_at(run.address.saturating_sub(address).min(rest.len()));
            copied.extend(piece(address, before));
            address += before.len();
            let (inside, after) = from_run.split_at((run.address + run.len).saturating_sub(address).min(from_run.len()));
            let offset = usize::try_from(run.offset).unwrap_or(usize::MAX).saturating_add(address.saturating_sub(run.address));
            if let Some(target) = contents.get_mut(offset..).and_then(|to| to.get_mut(..inside.len())) {
                target.copy_from_slice(inside);
            }
            address += inside.len();
            rest = after;
        }
        copied.extend(piece(address, rest));
    }
    (contents, copied)
}

fn piece(address: usize, bytes: &[u8]) -> Option<Extent> {
    let address = u32::try_from(address).ok()?;
    if bytes.is_empty() { None } else { Some(Extent { address, bytes: bytes.to_vec() }) }
}

fn share(contents: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("picloud-image", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(contents)?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 4096;
    const LONG: usize = IMAGE_MAPPED_BYTES_MIN;

    /// Two pages in use, blank from there on.
    fn blank() -> Blank {
        Blank::of(&[vec![1; 2 * PAGE], vec![0; 6 * PAGE]].concat(), PAGE, PAGE)
    }

    fn extent(address: usize, len: usize) -> Extent {
        let bytes = (0..len).map(|at| (at % 251) as u8 + 1).collect();
        Extent { address: u32::try_from(address).unwrap(), bytes }
    }

    /// Memory as it would be with what is copied and what is mapped in it.
    fn laid_out(copied: &[Extent], runs: &[Run], contents: &[u8], len: usize) -> Vec<u8> {
        let mut memory = vec![0; len];
        for run in runs {
            let offset = usize::try_from(run.offset).unwrap();
            memory[run.address..run.address + run.len].copy_from_slice(&contents[offset..offset + run.len]);
        }
        for extent in copied {
            memory[extent.address as usize..][..extent.bytes.len()].copy_from_slice(&extent.bytes);
        }
        memory
    }

    #[test]
    fn what_is_copied_and_what_is_mapped_are_the_image() {
        let end = 64 * LONG;
        for extents in [
            vec![extent(100, 50)],
            vec![extent(PAGE, LONG + 3 * PAGE)],
            vec![extent(2 * PAGE, LONG), extent(2 * PAGE + LONG + 8, 16)],
            vec![extent(64, 8), extent(2 * PAGE + 24, 2 * LONG), extent(8 * LONG, LONG + 1), extent(20 * LONG, 8)],
            vec![extent(2 * PAGE + 8, PAGE), extent(3 * PAGE + 16, LONG)],
        ] {
            let runs = blank().runs(&extents);
            let (contents, copied) = divide(&extents, &runs);
            assert_eq!(laid_out(&copied, &runs, &contents, end), laid_out(&extents, &[], &[], end), "{runs:?}");
            let in_runs = |extent: &Extent| {
                let (start, end) = (extent.address as usize, extent.address as usize + extent.bytes.len());
                runs.iter().any(|run| start < run.address + run.len && end > run.address)
            };
            assert!(!copied.iter().any(in_runs));
        }
    }

    #[test]
    fn only_blank_pages_are_mapped_and_only_long_runs_of_them() {
        assert_eq!(blank().runs(&[extent(0, 2 * PAGE)]), []);
        assert_eq!(blank().runs(&[extent(2 * PAGE, LONG - PAGE)]), []);
        let stack = Blank::of(&vec![0; 4 * LONG], 2 * LONG, PAGE);
        assert_eq!(stack.runs(&[extent(0, 2 * LONG)]), []);
        let runs = blank().runs(&[extent(PAGE, PAGE + LONG)]);
        assert_eq!(runs, [Run { address: 2 * PAGE, offset: 0, len: LONG }]);
    }

    #[test]
    fn an_image_that_mapping_would_split_too_far_is_copied() {
        let run = extent(PAGE, LONG + 2 * PAGE);
        let end = run.address as usize + run.bytes.len();
        let small = |count: usize| (1..=count).map(move |at| extent(end + 16 * LONG * at, 8));
        for (small_ones, mapped) in [(IMAGE_EXTENTS_MAX - 1, true), (IMAGE_EXTENTS_MAX, false)] {
            let image = MemoryImage { pages: 1, extents: std::iter::once(run.clone()).chain(small(small_ones)).collect() };
            let extents = image.extents.len();
            let placement = Placement::new(image, &blank());
            assert_eq!(placement.mapped_bytes() > 0, mapped, "{small_ones}");
            assert_eq!(placement.copied.len(), if mapped { IMAGE_EXTENTS_MAX } else { extents });
        }
    }

    #[test]
    fn nobody_can_change_what_is_shared() {
        let file = File::from(share(&[7; PAGE]).unwrap());
        assert!((&file).write_all(b"x").is_err() && file.set_len(0).is_err());
    }

    #[test]
    fn a_mapped_page_is_blank_again_afterwards() {
        let len = 4 * LONG;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a fresh range, seen by nobody else and never given back.
        let memory = unsafe { mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, flags) }.unwrap();
        let memory = NonNull::slice_from_raw_parts(NonNull::new(memory.cast::<u8>()).unwrap(), len);
        let image = MemoryImage { pages: 1, extents: vec![extent(LONG, LONG)] };
        let placement = Placement::new(image, &blank());
        assert_eq!((placement.mapped_bytes(), placement.copied.len()), (LONG, 0));
        // SAFETY: the range above; each reference to it ends before the next change.
        unsafe {
            for _ in 0..2 {
                assert!(memory.as_ref().iter().all(|byte| *byte == 0));
                let mapped = placement.map(memory).unwrap();
                assert_eq!(memory.as_ref()[LONG..2 * LONG], extent(LONG, LONG).bytes);
                (*memory.as_ptr())[LONG] = 99;
                drop(mapped);
            }
            assert!(memory.as_ref().iter().all(|byte| *byte == 0));
            assert!(placement.map(NonNull::slice_from_raw_parts(memory.cast(), LONG)).is_err());
            // What was written beside the image is for wasmtime to wipe, or goes with all pages.
            for spent_bytes in [0, len] {
                (*memory.as_ptr())[2 * LONG] = 99;
                let mut mapped = placement.map(memory).unwrap();
                mapped.leave_nothing(spent_bytes);
                drop(mapped);
                assert_eq!(memory.as_ref()[2 * LONG], if spent_bytes == 0 { 99 } else { 0 });
            }
        }
    }
}
