//! The door of the fuzz targets (`host/fuzz`) to what is this module's own. No other build has it.

use std::io;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::image::{MemoryImage, WASM_PAGE_BYTES};
use super::outcome;
use super::placement::{Blank, Placement};
use crate::model::execution::Failure;
use crate::model::invocation::Answer;
use crate::wit::{Extent, program};

/// What a run would do to its instance's memory.
#[derive(Debug)]
pub struct Placed {
    /// What is copied; the rest is mapped.
    pub copied: Vec<Extent>,
    pub mapped_bytes: usize,
    /// The memory as the script finds it.
    pub during: Vec<u8>,
    /// The same once the run is over.
    pub after: Vec<u8>,
}

pub fn of_answer(answer: program::Answer, body_bytes_max: usize) -> Result<Answer, Failure> {
    outcome::of_answer(answer, body_bytes_max)
}

pub fn of_failure(failure: program::Failure, faulted: bool) -> Failure {
    outcome::of_failure(failure, faulted)
}

/// Places an image, whose extents lie inside its own pages, in a memory that begins as `fresh` does and is blank from there on;
/// nothing below `heap` counts as blank.
pub fn placed(image: MemoryImage, fresh: &[u8], heap: usize) -> io::Result<Placed> {
    let len = (image.pages as usize * WASM_PAGE_BYTES).max(fresh.len());
    let placement = Placement::new(image, &Blank::of(fresh, heap, rustix::param::page_size()));
    let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
    // SAFETY: a fresh range of addresses.
    let start = unsafe { mmap_anonymous(std::ptr::null_mut(), len, access, flags)? };
    let memory = NonNull::new(start.cast::<u8>()).ok_or_else(|| io::Error::other("a memory at address 0"))?;
    // What the guest's `place` does.
    let copied = placement.copied.iter().map(|extent| (extent.address as usize, extent.bytes.as_slice()));
    for (at, bytes) in std::iter::once((0, fresh)).chain(copied) {
        if at.saturating_add(bytes.len()) > len {
            return Err(io::Error::other("an extent reaches out of the memory"));
        }
        // SAFETY: inside the range above, which nobody else knows.
        unsafe { memory.as_ptr().add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }
    // SAFETY: the whole range, readable all the time; what is seen is copied before anything changes.
    let seen = || unsafe { std::slice::from_raw_parts(memory.as_ptr(), len) }.to_vec();
    // SAFETY: the range is this function's own, stays where it is, and is given back after `mapped` is gone.
    let mapped = unsafe { placement.map(NonNull::slice_from_raw_parts(memory, len)) }?;
    let during = seen();
    drop(mapped);
    let after = seen();
    // SAFETY: nothing refers to the range any more.
    unsafe { munmap(start, len)? };
    Ok(Placed { mapped_bytes: placement.mapped_bytes(), copied: placement.copied, during, after })
}
