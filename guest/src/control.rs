//! The memory protocol with the host.
//!
//! An instance starts *armed*: `cabi_realloc` then answers from a scratch buffer instead of the heap, and answers the
//! byte lists of `place`'s extents with their *final addresses*, so that the host copies an image straight into place.
//! Everything in `Control` is outside every image. Linear memory, bottom up: stack, data, control block, heap.
//!
//! A crash here is a trap, and a trap ends one invocation: bad extents from the host trap rather than corrupt.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{addr_of, addr_of_mut};

/// Holds one script source, or the list of an image's extents, while armed.
const SCRATCH_BYTES: usize = 320 << 10;
const ARMED: u32 = 0x5afe_b007;
const PAGE_BYTES: usize = 64 << 10;
/// More than any memory bound the host grants: growing by it always meets the host's limiter.
const BEYOND_EVERY_BOUND_PAGES: usize = 5_000;

#[repr(C, align(4096))]
struct Control {
    armed: u32,
    scratch_used: u32,
    /// The extents list in scratch, once the host has asked for it.
    extents: u32,
    extents_len: u32,
    extents_placed: u32,
    /// Return area of the exports below.
    returned: [u32; 4],
    scratch: [u8; SCRATCH_BYTES],
}

static mut CONTROL: Control = Control {
    armed: 0,
    scratch_used: 0,
    extents: 0,
    extents_len: 0,
    extents_placed: 0,
    returned: [0; 4],
    scratch: [0; SCRATCH_BYTES],
};

unsafe extern "C" {
    /// Placed by the linker where static data begins; the stack ends there.
    static __global_base: u8;
}

/// The heap, except that what the host put into scratch is never freed: generated glue may own and drop it.
struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: delegates to `System`; `dealloc` and `realloc` only differ for pointers that `System` never gave out.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }
    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc_zeroed(layout) }
    }
    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !in_control(pointer as usize, 1) {
            unsafe { System.dealloc(pointer, layout) }
        }
    }
    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if in_control(pointer as usize, 1) {
            trap()
        }
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// Ends warm-up: from here on, until `disarm` or `place`, the heap is not touched.
pub(crate) fn arm() {
    // SAFETY: one thread.
    unsafe { (*addr_of_mut!(CONTROL)).armed = ARMED }
}

pub(crate) fn disarm() {
    // SAFETY: one thread.
    unsafe { (*addr_of_mut!(CONTROL)).armed = 0 }
}

pub(crate) fn is_armed() -> bool {
    // SAFETY: one thread.
    unsafe { (*addr_of!(CONTROL)).armed == ARMED }
}

/// Ends the invocation as one that asked for more memory than it may have.
pub(crate) fn exceed_memory() -> ! {
    core::arch::wasm32::memory_grow(0, BEYOND_EVERY_BOUND_PAGES);
    trap()
}

pub(crate) fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

fn in_control(start: usize, len: usize) -> bool {
    let low = addr_of!(CONTROL) as usize;
    start < low + size_of::<Control>() && start + len > low
}

fn memory_bytes() -> usize {
    core::arch::wasm32::memory_size(0) * PAGE_BYTES
}

fn grow_to(end: usize) {
    let have = memory_bytes();
    if end > have && core::arch::wasm32::memory_grow(0, (end - have).div_ceil(PAGE_BYTES)) == usize::MAX {
        trap()
    }
}

/// Where the bytes of the next extent belong. Traps when that is the stack, the control block or past 4 GiB.
unsafe fn extent_address(control: *mut Control, len: usize) -> *mut u8 {
    let list = unsafe { (*control).extents } as *const u32;
    let index = unsafe { (*control).extents_placed } as usize;
    // An extent is three words in the list: address, bytes pointer, bytes length. Its address is already written.
    let start = unsafe { list.add(3 * index).read() } as usize;
    let Some(end) = start.checked_add(len) else { trap() };
    if start < addr_of!(__global_base) as usize || in_control(start, len) {
        trap()
    }
    grow_to(end);
    unsafe { (*control).extents_placed += 1 };
    start as *mut u8
}

unsafe fn scratch(control: *mut Control, align: usize, len: usize) -> *mut u8 {
    let buffer = unsafe { addr_of_mut!((*control).scratch) } as usize;
    let start = (buffer + unsafe { (*control).scratch_used } as usize).next_multiple_of(align) - buffer;
    if start > SCRATCH_BYTES || len > SCRATCH_BYTES - start {
        trap()
    }
    unsafe { (*control).scratch_used = (start + len) as u32 };
    let pointer = (buffer + start) as *mut u8;
    if align == 4 {
        unsafe {
            (*control).extents = pointer as u32;
            (*control).extents_len = (len / 12) as u32;
        }
    }
    pointer
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, new_len: usize) -> *mut u8 {
    let control = addr_of_mut!(CONTROL);
    if is_armed() {
        if old_len != 0 {
            trap()
        }
        let (list, len, placed) = unsafe { ((*control).extents, (*control).extents_len, (*control).extents_placed) };
        if list == 0 {
            return unsafe { scratch(control, align, new_len) };
        }
        if align == 1 && placed < len {
            return unsafe { extent_address(control, new_len) };
        }
        trap()
    }
    if new_len == 0 {
        return align as *mut u8;
    }
    let pointer = if old_len == 0 {
        unsafe { std::alloc::alloc(Layout::from_size_align_unchecked(new_len, align)) }
    } else {
        unsafe { std::alloc::realloc(old, Layout::from_size_align_unchecked(old_len, align), new_len) }
    };
    if pointer.is_null() {
        exceed_memory()
    }
    pointer
}

#[unsafe(export_name = "layout")]
unsafe extern "C" fn layout() -> *const u32 {
    let control = addr_of_mut!(CONTROL);
    let start = control as usize;
    unsafe {
        (*control).returned =
            [addr_of!(__global_base) as u32, start as u32, (start + size_of::<Control>()) as u32, memory_bytes() as u32];
        addr_of!((*control).returned).cast()
    }
}

#[unsafe(export_name = "dump")]
unsafe extern "C" fn dump() -> *const u32 {
    let control = addr_of_mut!(CONTROL);
    unsafe {
        (*control).returned = [0, memory_bytes() as u32, 0, 0];
        addr_of!((*control).returned).cast()
    }
}

#[unsafe(export_name = "place")]
unsafe extern "C" fn place(pages: u32, _extents: *const u8, len: usize) {
    let control = addr_of_mut!(CONTROL);
    if !is_armed() || unsafe { (*control).extents_placed } as usize != len {
        trap()
    }
    grow_to(pages as usize * PAGE_BYTES);
    disarm();
}
