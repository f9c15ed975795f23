//! What this machine can carry, and the pool that follows from it.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::fair::Size;
use crate::limits::{
    CONNECTIONS_MAX, EVENT_PLACES_PERCENT, GIB, INSTANCE_OVERHEAD_BYTES, INSTANCE_STACK_BYTES, INSTANCES_RAM_PERCENT,
    KEEP_RESIDENT_BYTES, MEDIUM_RAM_BYTES, MEMORY_KEPT_EIGHTHS, MEMORY_MB_CEILING, MEMORY_MB_DEFAULT, MEMORY_MB_MIN, MIB,
    PLACES_CEILING, PLACES_PER_CORE, PREPARATIONS_AT_ONCE, PREPARE_MEMORY_MB, PROGRAM_CACHE_BYTES, RECORD_QUEUE_LOG_BYTES_MAX,
    REQUEST_BODIES_BYTES_MAX, REQUEST_BODY_BYTES_CEILING, RESERVATION_BYTES_FULL, RESERVATION_BYTES_TIGHT, SMALL_RAM_BYTES,
    TINY_RAM_BYTES,
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

/// How much of a machine it is, by RAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// 512 MB.
    Tiny,
    /// 1 GB.
    Small,
    /// 2 GB.
    Medium,
    /// More.
    Large,
}

impl Profile {
    pub fn of(ram_bytes: u64) -> Self {
        match ram_bytes {
            ..TINY_RAM_BYTES => Self::Tiny,
            TINY_RAM_BYTES..SMALL_RAM_BYTES => Self::Small,
            SMALL_RAM_BYTES..MEDIUM_RAM_BYTES => Self::Medium,
            MEDIUM_RAM_BYTES.. => Self::Large,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    /// What a large machine has of something, brought down to this one's measure: an eighth, a quarter, a half, all.
    fn part(self, of_large: u64) -> u64 {
        of_large >> (Self::Large as u32 - self as u32)
    }
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pool {
    pub profile: Profile,
    /// What instances may come to need together, bytes: their linear memories, and what each is counted with beside that.
    pub memory_bytes: u64,
    /// The most that a script may have here, MiB: what can be had beside what is kept for others.
    pub memory_mb_max: u32,
    /// Scripts prepared at once, in instances beside all others.
    pub preparations: usize,
    /// Threads of low priority that long invocations go on in.
    pub lanes: usize,
    /// Connections of one plane at once.
    pub connections: usize,
    /// Request bodies that are held at once, bytes; and as many bytes of answers.
    pub bodies_bytes: usize,
    /// Prepared scripts that are held ready, bytes.
    pub programs_bytes: u64,
    /// Log lines that wait to be written, bytes.
    pub log_queue_bytes: usize,
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
            // Asked of the kernel itself: containers may hide it, and emulators may not have it.
            pagemap_scan: wasmtime::PoolingAllocationConfig::is_pagemap_scan_available(),
        }
    }

    /// The pool for at most `places` invocations at once, or for as many as suits the machine.
    ///
    /// Instances share a part of RAM; the rest is the database's, the node's own and the page cache's. So many places are
    /// made as could hold the smallest instances: what really runs at once is decided by what each may come to need.
    pub fn choose(&self, places: Option<usize>) -> Pool {
        let profile = Profile::of(self.ram_bytes);
        let preparations = if profile <= Profile::Small { 1 } else { PREPARATIONS_AT_ONCE };
        let preparing_bytes = preparations as u64 * u64::from(PREPARE_MEMORY_MB) * MIB;
        let smallest_bytes = u64::from(MEMORY_MB_MIN) * MIB + INSTANCE_OVERHEAD_BYTES;
        let memory_bytes = (self.ram_bytes / 100 * INSTANCES_RAM_PERCENT).saturating_sub(preparing_bytes).max(4 * smallest_bytes);
        let by_cores = self.cores * PLACES_PER_CORE;
        let by_ram = usize::try_from(memory_bytes / smallest_bytes).unwrap_or(usize::MAX);
        let places = places.unwrap_or_else(|| by_cores.min(by_ram)).clamp(2, PLACES_CEILING);
        // The pool and everything else shall not need more than half of the addresses.
        let full = 5 * places as u64 / 2 * (RESERVATION_BYTES_FULL + 2 * GIB) <= self.address_space_bytes / 2;
        let reservation_bytes = if full { RESERVATION_BYTES_FULL } else { RESERVATION_BYTES_TIGHT };
        let by_addresses = usize::try_from(self.address_space_bytes / 5 / (reservation_bytes + 64 * MIB)).unwrap_or(usize::MAX);
        let places = places.min(by_addresses).max(1);
        let part = |of_large: usize| usize::try_from(profile.part(of_large as u64)).unwrap_or(of_large);
        Pool {
            profile,
            memory_bytes,
            memory_mb_max: memory_mb_max(memory_bytes),
            preparations,
            lanes: self.cores,
            connections: part(CONNECTIONS_MAX),
            // The largest body has room in any case, and a quarter is left for smaller ones.
            bodies_bytes: part(REQUEST_BODIES_BYTES_MAX).max(REQUEST_BODY_BYTES_CEILING * 4 / 3),
            programs_bytes: profile.part(PROGRAM_CACHE_BYTES),
            log_queue_bytes: part(RECORD_QUEUE_LOG_BYTES_MAX),
            places,
            // Whoever waits for another script does not run: one for each is enough for calls that call no further.
            nested_places: places,
            event_places: (places * EVENT_PLACES_PERCENT / 100).max(1),
            reservation_bytes,
            // Without the scan this would be the first bytes of memory, which is the stack.
            keep_resident_bytes: if self.pagemap_scan { KEEP_RESIDENT_BYTES } else { 0 },
            warm_places: self.cores * if profile < Profile::Large { 1 } else { 4 },
            stack_bytes: INSTANCE_STACK_BYTES,
            pagemap_scan: self.pagemap_scan,
        }
    }
}

impl Pool {
    /// Places and kept memory of requests, scripts that are waited for, and events, in this order.
    pub fn sizes(&self) -> [Size; 3] {
        let [requests, nested, events] = kept_bytes(self.memory_bytes);
        [
            Size { places: self.places, kept_bytes: requests },
            Size { places: self.nested_places, kept_bytes: nested },
            Size { places: self.event_places, kept_bytes: events },
        ]
    }

    /// What an instance of a script with that much memory is counted with, bytes.
    pub fn instance_bytes(memory_mb: u32) -> u64 {
        u64::from(memory_mb) * MIB + INSTANCE_OVERHEAD_BYTES
    }
}

/// What is kept for requests, scripts that are waited for, and events: at least an ordinary instance each, where that is not too
/// much of all.
fn kept_bytes(memory_bytes: u64) -> [u64; 3] {
    let one = Pool::instance_bytes(MEMORY_MB_DEFAULT).min(memory_bytes / 4);
    MEMORY_KEPT_EIGHTHS.map(|eighths| (memory_bytes / 8 * eighths).max(one))
}

/// What is left to the class that others keep the most from.
fn memory_mb_max(memory_bytes: u64) -> u32 {
    let kept = kept_bytes(memory_bytes);
    let others = kept.iter().sum::<u64>() - kept.iter().min().unwrap_or(&0);
    let most = memory_bytes.saturating_sub(others);
    u32::try_from(most.saturating_sub(INSTANCE_OVERHEAD_BYTES) / MIB).unwrap_or(u32::MAX).clamp(MEMORY_MB_MIN, MEMORY_MB_CEILING)
}

/// Every reservation holds the largest memory that a script may be given.
const _: () = assert!(RESERVATION_BYTES_TIGHT >= MEMORY_MB_CEILING as u64 * MIB);

fn ram_bytes() -> u64 {
    let physical = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    });
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let physical = physical.unwrap_or(GIB);
    group_bytes(&groups, Path::new("/sys/fs/cgroup")).map_or(physical, |group| group.min(physical))
}

/// The lowest bound of memory among the control groups that `groups` (of the form of `/proc/self/cgroup`) says the process is in,
/// and those above them, of either version; `root` is where they are mounted. In a container the own group may be the root.
fn group_bytes(groups: &str, root: &Path) -> Option<u64> {
    let bounds = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (mounted, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            some if some.split(',').any(|name| name == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => return Vec::new(),
        };
        let own = Path::new(path.trim_start_matches('/'));
        let bound = |group: &Path| fs::read_to_string(mounted.join(group).join(file)).ok()?.trim().parse::<u64>().ok();
        own.ancestors().filter_map(bound).collect()
    });
    bounds.min()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SUBSCRIBERS_LARGE_BYTES_MAX;

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
    fn little_memory_means_little_of_everything() {
        let chosen = [512 * MIB, GIB, 2 * GIB, 8 * GIB].map(|ram_bytes| board(ram_bytes, 1 << 39, 4).choose(None));
        assert_eq!(chosen.each_ref().map(|pool| pool.profile), [Profile::Tiny, Profile::Small, Profile::Medium, Profile::Large]);
        assert_eq!(chosen.each_ref().map(|pool| pool.memory_mb_max), [100, 256, 256, 256]);
        assert_eq!(chosen.each_ref().map(|pool| pool.places), [18, 42, 64, 64]);
        assert_eq!(chosen.each_ref().map(|pool| pool.connections), [1_024, 2_048, 4_096, 8_192]);
        assert_eq!(chosen.each_ref().map(|pool| pool.bodies_bytes >> 20), [21, 21, 32, 64]);
    }

    #[test]
    fn all_that_is_held_at_once_fits_the_board() {
        for ram_bytes in [512 * MIB, GIB, 2 * GIB] {
            let pool = board(ram_bytes, 1 << 39, 4).choose(None);
            let preparing = pool.preparations as u64 * u64::from(PREPARE_MEMORY_MB) * MIB;
            let held =
                pool.memory_bytes + preparing + 2 * pool.bodies_bytes as u64 + pool.programs_bytes + SUBSCRIBERS_LARGE_BYTES_MAX;
            assert!(held + pool.log_queue_bytes as u64 <= ram_bytes / 5 * 3, "{held} of {ram_bytes}");
            assert!(Pool::instance_bytes(pool.memory_mb_max) <= pool.memory_bytes);
        }
    }

    #[test]
    fn the_largest_instance_has_room_beside_what_is_kept_for_others() {
        for ram_bytes in [256 * MIB, 512 * MIB, GIB, 2 * GIB, 64 * GIB] {
            let pool = board(ram_bytes, 1 << 47, 4).choose(None);
            let sizes = pool.sizes();
            for class in 0..sizes.len() {
                let kept: u64 =
                    sizes.iter().enumerate().filter(|(other, _)| *other != class).map(|(_, size)| size.kept_bytes).sum();
                let room = pool.memory_bytes - kept;
                assert!(pool.memory_mb_max == MEMORY_MB_MIN || Pool::instance_bytes(pool.memory_mb_max) <= room, "{pool:?}");
            }
        }
    }

    #[test]
    fn the_bound_of_a_control_group_counts_wherever_it_is_set() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("a/b/memory.max", "max\n");
        write("a/memory.max", "1000\n");
        write("memory/x/memory.limit_in_bytes", "700\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        let of = |groups| group_bytes(groups, root.path());
        assert_eq!(of("0::/a/b\n"), Some(1_000));
        assert_eq!(of("0::/\n"), None);
        assert_eq!(of("4:memory:/x\n3:cpu:/a\n"), Some(700));
        assert_eq!(of("5:cpu,memory:/elsewhere\n"), Some(9_223_372_036_854_771_712));
        assert_eq!(of("garbage"), None);
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
