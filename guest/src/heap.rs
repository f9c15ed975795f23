//! Two heaps over the memory behind static data, both dlmalloc. What `prepare` leaves is in one of its own, so that the
//! run after it writes beside the script and not between its parts: untouched pages of a script cost nothing.
//!
//! Heaps take memory in small steps and never give any back: first the reserve that every instance has, then what
//! growing gives.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::{addr_of, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use dlmalloc::Dlmalloc;

const PAGE_BYTES: usize = 64 << 10;
/// What heaps take at a time, at least: until an instance runs a script, and from then on.
const STEP_BYTES: usize = 4 << 10;
const STEP_BYTES_RUNNING: usize = PAGE_BYTES;

/// Where memory is that nobody has yet; 0 before the first step.
static FREE_FROM: AtomicUsize = AtomicUsize::new(0);
/// The memory of what `prepare` leaves.
static SCRIPT_START: AtomicUsize = AtomicUsize::new(0);
static SCRIPT_END: AtomicUsize = AtomicUsize::new(0);
/// Whether a script is being prepared: what is given back is wiped.
static PREPARING: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    /// Placed by the linker behind static data.
    static __heap_base: u8;
}

/// Does `work` in the heap of scripts. What it gives back leaves no trace in memory. More than once in an instance only while
/// nothing but scripts takes memory in between.
pub(crate) fn for_script<T>(work: impl FnOnce() -> T) -> T {
    if SCRIPT_START.load(Relaxed) == 0 {
        SCRIPT_START.store(free_from(), Relaxed);
    }
    SCRIPT_END.store(usize::MAX, Relaxed);
    PREPARING.store(true, Relaxed);
    let done = work();
    PREPARING.store(false, Relaxed);
    SCRIPT_END.store(free_from(), Relaxed);
    done
}

/// Ends warm-up: `free` bytes lie ready in the heap, and `reserve` more can be had without growing.
pub(crate) fn settle(free: usize, reserve: usize) {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(free)));
    // SAFETY: one thread.
    unsafe { (*HEAPS.warm.get()).set_granularity(STEP_BYTES_RUNNING) };
    grow_to(free_from() + reserve);
}

/// Bytes that never belong to the heap. They must not be given back.
pub(crate) fn outside(len: usize) -> Option<*mut u8> {
    take(len.next_multiple_of(STEP_BYTES)).map(|start| start as *mut u8)
}

pub(crate) fn memory_bytes() -> usize {
    core::arch::wasm32::memory_size(0) * PAGE_BYTES
}

pub(crate) fn grow_to_pages(pages: u32) -> bool {
    (pages as usize).checked_mul(PAGE_BYTES).is_some_and(grow_to)
}

pub(crate) fn grow_to(end: usize) -> bool {
    let have = memory_bytes();
    end <= have || core::arch::wasm32::memory_grow(0, (end - have).div_ceil(PAGE_BYTES)) != usize::MAX
}

fn free_from() -> usize {
    match FREE_FROM.load(Relaxed) {
        0 => (addr_of!(__heap_base) as usize).next_multiple_of(STEP_BYTES),
        next => next,
    }
}

fn take(len: usize) -> Option<usize> {
    let start = free_from();
    let end = start.checked_add(len)?;
    if !grow_to(end) {
        return None;
    }
    FREE_FROM.store(end, Relaxed);
    Some(start)
}

/// Where dlmalloc gets memory from; it never gives any back.
struct Steps;

// SAFETY: every range is handed out once.
unsafe impl dlmalloc::Allocator for Steps {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        match take(size) {
            Some(start) => (start as *mut u8, size, 0),
            None => (null_mut(), 0, 0),
        }
    }
    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        null_mut()
    }
    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }
    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }
    fn can_release_part(&self, _: u32) -> bool {
        false
    }
    fn allocates_zeros(&self) -> bool {
        true
    }
    fn page_size(&self) -> usize {
        STEP_BYTES
    }
}

struct Heaps {
    warm: UnsafeCell<Dlmalloc<Steps>>,
    script: UnsafeCell<Dlmalloc<Steps>>,
}

// SAFETY: one thread.
unsafe impl Sync for Heaps {}

#[global_allocator]
static HEAPS: Heaps = Heaps { warm: UnsafeCell::new(heap()), script: UnsafeCell::new(heap()) };

const fn heap() -> Dlmalloc<Steps> {
    let mut heap = Dlmalloc::new_with_allocator(Steps);
    heap.set_granularity(STEP_BYTES);
    heap
}

impl Heaps {
    fn current(&self) -> *mut Dlmalloc<Steps> {
        if PREPARING.load(Relaxed) { self.script.get() } else { self.warm.get() }
    }

    fn of(&self, pointer: *mut u8) -> *mut Dlmalloc<Steps> {
        let start = SCRIPT_START.load(Relaxed);
        let in_script = (pointer as usize).wrapping_sub(start) < SCRIPT_END.load(Relaxed).wrapping_sub(start);
        if in_script { self.script.get() } else { self.warm.get() }
    }

    #[cold]
    unsafe fn move_to(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(pointer, new_size.min(layout.size()));
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}

// SAFETY: one thread, and dlmalloc keeps to the contract; nothing here calls back into it. Memory goes back to the heap
// that it is from: while the script's heap grows, no other does.
unsafe impl GlobalAlloc for Heaps {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.current()).malloc(layout.size(), layout.align()) }
    }
    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.current()).calloc(layout.size(), layout.align()) }
    }
    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if PREPARING.load(Relaxed) {
            unsafe { pointer.write_bytes(0, layout.size()) }
        }
        unsafe { (*self.of(pointer)).free(pointer, layout.size(), layout.align()) }
    }
    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let heap = self.of(pointer);
        if PREPARING.load(Relaxed) || heap != self.warm.get() {
            return unsafe { self.move_to(pointer, layout, new_size) };
        }
        unsafe { (*heap).realloc(pointer, layout.size(), layout.align(), new_size) }
    }
}
