//! What this machine can carry, and the pool that follows from it.

use std::fs;

use serde::Serialize;

use crate::limits::{
    EVENT_PLACES_PERCENT, GIB, INSTANCE_STACK_BYTES, KEEP_RESIDENT_BYTES, MEMORY_MB_CEILING, MIB, PLACES_CEILING,
    PLACES_PER_CORE, RESERVATION_BYTES_FULL, RESERVATION_BYTES_TIGHT, SMALL_BOARD_RAM_BYTES,
};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    pub cores: usize,
    pub page_bytes: usize,
    /// Physical memory, or the control group's bound where that is lower.
    pub ram_bytes: u64,
    /// What this process may map: the widest free range is not less than half of it.
    pub address_space_bytes: u64,
    pub kernel: String,
    /// `PAGEMAP_SCAN` (Linux 6.7): resetting an instance costs by the pages it touched.
    pub pagemap_scan: bool,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pool {
    /// Instances that may live at once.
    pub places: usize,
    /// Instances beside them, for scripts that were called by scripts.
    pub nested_places: usize,
    /// Instances beside both, for what the pipeline of events runs.
    pub event_places: usize,
    /// Address space held for each memory. With 4 GiB the compiled code needs no bounds checks.
    pub reservation_bytes: u64,
    /// Pages of an ended instance that stay resident for the next one.
    pub keep_resident_bytes: usize,
    /// Ended instances whose pages stay resident.
    pub warm_places: usize,
    pub stack_bytes: usize,
    pub pagemap_scan: bool,
}

impl Probe {
    pub fn take() -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            page_bytes: rustix::param::page_size(),
            ram_bytes: ram_bytes(),
            address_space_bytes: address_space_bytes(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            pagemap_scan: pagemap_scan(),
        }
    }

    /// The pool for at most `places` invocations at once, or for as many as suits the machine.
    ///
    /// A quarter of RAM is what all instances together may be expected to hold; each is counted with 16 MiB.
    pub fn choose(&self, places: Option<usize>) -> Pool {
        let by_cores = self.cores * PLACES_PER_CORE;
        let by_ram = usize::try_from(self.ram_bytes / 4 / (16 * MIB)).unwrap_or(usize::MAX);
        let places = places.unwrap_or_else(|| by_cores.min(by_ram)).clamp(2, PLACES_CEILING);
        // The pool and everything else shall not need more than half of the addresses.
        let full = 5 * places as u64 / 2 * (RESERVATION_BYTES_FULL + 2 * GIB) <= self.address_space_bytes / 2;
        let reservation_bytes = if full { RESERVATION_BYTES_FULL } else { RESERVATION_BYTES_TIGHT };
        let by_addresses = usize::try_from(self.address_space_bytes / 5 / (reservation_bytes + 64 * MIB)).unwrap_or(usize::MAX);
        let places = places.min(by_addresses).max(1);
        let small = self.ram_bytes < SMALL_BOARD_RAM_BYTES;
        Pool {
            places,
            // Whoever waits for another script does not run: one for each is enough for calls that call no further.
            nested_places: places,
            event_places: (places * EVENT_PLACES_PERCENT / 100).max(1),
            reservation_bytes,
            // Without the scan this would be the first bytes of memory, which is the stack.
            keep_resident_bytes: if self.pagemap_scan { KEEP_RESIDENT_BYTES } else { 0 },
            warm_places: self.cores * if small { 1 } else { 4 },
            stack_bytes: INSTANCE_STACK_BYTES,
            pagemap_scan: self.pagemap_scan,
        }
    }
}

/// Every reservation holds the largest memory that a script may be given.
const _: () = assert!(RESERVATION_BYTES_TIGHT >= MEMORY_MB_CEILING as u64 * MIB);

fn ram_bytes() -> u64 {
    let physical = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    });
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    let physical = physical.unwrap_or(GIB);
    group.map_or(physical, |group| group.min(physical))
}

/// Asks for ever smaller ranges until one is granted; nothing is kept. A 39-bit kernel grants at most 256 GiB.
fn address_space_bytes() -> u64 {
    let mut bytes: u64 = 1 << 46;
    while bytes > GIB {
        if can_map(bytes) {
            return bytes * 2;
        }
        bytes /= 2;
    }
    bytes
}

fn can_map(bytes: u64) -> bool {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
    let Ok(len) = usize::try_from(bytes) else { return false };
    // SAFETY: a fresh private range that nobody else knows, never touched, and given back at once.
    unsafe {
        match mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE) {
            Ok(start) => munmap(start, len).is_ok(),
            Err(_) => false,
        }
    }
}

/// Whether the kernel is Linux 6.7 or newer and the pagemap can be opened (containers may hide it).
fn pagemap_scan() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else { return false };
    (major, minor) >= (6, 7) && fs::File::open("/proc/self/pagemap").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(ram_bytes: u64, address_space_bytes: u64, cores: usize) -> Probe {
        Probe { cores, page_bytes: 4096, ram_bytes, address_space_bytes, kernel: "6.6.0".to_owned(), pagemap_scan: false }
    }

    #[test]
    fn a_39_bit_board_gets_a_pool_that_fits_half_of_its_addresses() {
        let pool = board(GIB, 1 << 39, 4).choose(None);
        assert!(
            pool.places >= 2 && (pool.places + pool.nested_places + pool.event_places) as u64 * pool.reservation_bytes <= 1 << 38,
            "{pool:?}"
        );
    }

    #[test]
    fn asking_for_many_places_tightens_the_reservation_before_it_refuses() {
        let pool = board(8 * GIB, 1 << 39, 4).choose(Some(256));
        assert_eq!((pool.places, pool.reservation_bytes), (256, RESERVATION_BYTES_TIGHT));
    }

    #[test]
    fn a_wide_address_space_needs_no_bounds_checks() {
        assert_eq!(board(8 * GIB, 1 << 47, 2).choose(None).reservation_bytes, RESERVATION_BYTES_FULL);
    }

    #[test]
    fn little_memory_means_few_places() {
        assert_eq!(board(512 * MIB, 1 << 39, 4).choose(None).places, 8);
    }

    #[test]
    fn this_machine_can_be_probed() {
        let probe = Probe::take();
        assert!(
            probe.cores > 0 && probe.page_bytes >= 4096 && probe.ram_bytes > 0 && probe.address_space_bytes > GIB,
            "{probe:?}"
        );
    }
}
