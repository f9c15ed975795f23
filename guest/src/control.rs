//! The memory protocol with the host.
//!
//! An instance starts *armed*: `cabi_realloc` then answers from outside the heap, and answers the byte lists of `place`'s
//! extents with their *final addresses*, so that the host copies an image straight into place. `Control` is outside
//! every image. Linear memory, bottom up: stack, data with the control block in it, heap, reserve.
//!
//! A crash here is a trap, and a trap ends one invocation: bad extents from the host trap rather than corrupt.

use std::alloc::Layout;
use std::ptr::{addr_of, addr_of_mut};

use crate::heap::{self, memory_bytes};
use crate::limits::EXTENTS_MAX;

const ARMED: u32 = 0x5afe_b007;
/// More than any memory bound the host grants: growing by it always meets the host's limiter.
const BEYOND_EVERY_BOUND_PAGES: usize = 5_000;

/// What the host lowers an extent to: address, bytes pointer, bytes length.
type Extent = [u32; 3];

#[repr(C, align(4096))]
struct Control {
    armed: u32,
    /// Whether the host has asked for the extents' list, and what came of it.
    listed: u32,
    extents_len: u32,
    extents_placed: u32,
    /// Return area of the exports below.
    returned: [u32; 4],
    extents: [Extent; EXTENTS_MAX],
}

static mut CONTROL: Control =
    Control { armed: 0, listed: 0, extents_len: 0, extents_placed: 0, returned: [0; 4], extents: [[0; 3]; EXTENTS_MAX] };

unsafe extern "C" {
    /// Placed by the linker where static data begins; the stack ends there.
    static __global_base: u8;
}

/// Ends warm-up: from here on, until `disarm` or `place`, the heap is not touched.
pub(crate) fn arm() {
    // SAFETY: one thread.
    unsafe { (*addr_of_mut!(CONTROL)).armed = ARMED }
}

/// Does `work` on texts as [`prepare`] does, and leaves the instance armed for more of them when it succeeds.
pub(crate) fn provide<E>(texts: [String; 2], work: impl FnOnce(&str, &str) -> Result<(), E>) -> Result<(), E> {
    prepare(texts, work)?;
    arm();
    Ok(())
}

/// Takes the instance into use for `work` on `texts`, which the host has lowered outside the heap and which are wiped
/// afterwards.
pub(crate) fn prepare<T>(texts: [String; 2], work: impl FnOnce(&str, &str) -> T) -> T {
    disarm();
    let mut texts = texts.map(std::mem::ManuallyDrop::new);
    let done = heap::for_script(|| work(&texts[0], &texts[1]));
    for text in &mut texts {
        // SAFETY: zeros are UTF-8.
        unsafe { text.as_bytes_mut() }.fill(0);
    }
    done
}

fn disarm() {
    // SAFETY: one thread.
    unsafe { (*addr_of_mut!(CONTROL)).armed = 0 }
}

fn is_armed() -> bool {
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

/// Where the bytes of the next extent belong. Traps when that is the stack, the control block or past 4 GiB.
unsafe fn extent_address(control: *mut Control, len: usize) -> *mut u8 {
    let index = unsafe { (*control).extents_placed } as usize;
    // Its address is already written.
    let start = unsafe { (*control).extents[index][0] } as usize;
    let Some(end) = start.checked_add(len) else { trap() };
    if start < addr_of!(__global_base) as usize || in_control(start, len) || !heap::grow_to(end) {
        trap()
    }
    unsafe { (*control).extents_placed += 1 };
    start as *mut u8
}

/// What the host lowers into an armed instance: one list of extents with their bytes, or texts.
unsafe fn lowered(control: *mut Control, align: usize, len: usize) -> *mut u8 {
    let (listed, extents, placed) = unsafe { ((*control).listed, (*control).extents_len, (*control).extents_placed) };
    match (listed, align) {
        (0, 4) if len <= size_of::<[Extent; EXTENTS_MAX]>() => unsafe {
            (*control).listed = 1;
            (*control).extents_len = (len / size_of::<Extent>()) as u32;
            addr_of_mut!((*control).extents).cast()
        },
        (0, 1) => heap::outside(len).unwrap_or_else(|| exceed_memory()),
        (1, 1) if placed < extents => unsafe { extent_address(control, len) },
        _ => trap(),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, new_len: usize) -> *mut u8 {
    if is_armed() {
        if old_len != 0 {
            trap()
        }
        return unsafe { lowered(addr_of_mut!(CONTROL), align, new_len) };
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

/// The whole memory as a list.
#[unsafe(export_name = "dump")]
unsafe extern "C" fn dump() -> *const u32 {
    let control = addr_of_mut!(CONTROL);
    unsafe {
        (*control).returned = [0, memory_bytes() as u32, 0, 0];
        addr_of!((*control).returned).cast()
    }
}

#[unsafe(export_name = "place")]
unsafe extern "C" fn place(pages: u32, _extents: *const u8, len: usize) -> *const u32 {
    if !is_armed() || unsafe { (*addr_of!(CONTROL)).extents_placed } as usize != len || !heap::grow_to_pages(pages) {
        trap()
    }
    disarm();
    unsafe { dump() }
}
