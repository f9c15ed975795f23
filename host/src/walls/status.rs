//! What is up around a process, as the kernel tells of it.

use std::fs;
use std::io;

/// The part of `/proc/{pid}/status` that is about walls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The program's name, cut at 15 bytes.
    pub name: String,
    /// The user that counts.
    pub uid: u32,
    pub no_new_privileges: bool,
    /// Whether system calls are filtered.
    pub seccomp: bool,
    /// Privileges of root that it has, a bit for each.
    pub capabilities: u64,
}

impl Status {
    /// Of this process.
    ///
    /// # Errors
    /// When the system does not tell, or not in the words that are known.
    pub fn own() -> io::Result<Self> {
        Self::read("self")
    }

    /// Of process `pid`.
    ///
    /// # Errors
    /// The same; also when there is no such process, or it is hidden from this one.
    pub fn of(pid: u32) -> io::Result<Self> {
        Self::read(&pid.to_string())
    }

    fn read(process: &str) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/status"))?;
        Self::parse(&text).ok_or_else(|| io::Error::other("the kernel does not say"))
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        Some(Self {
            name: field("Name")?.to_owned(),
            // Real, effective, saved, of the file system.
            uid: field("Uid")?.split_whitespace().nth(1)?.parse().ok()?,
            no_new_privileges: field("NoNewPrivs")? == "1",
            seccomp: field("Seccomp")? == "2",
            capabilities: u64::from_str_radix(field("CapEff")?, 16).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Name:\tpicloud\nUmask:\t0077\nUid:\t0\t998\t998\t998\nCapInh:\t0000000000000000\n\
        CapEff:\t0000000000000400\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n";

    #[test]
    fn the_kernels_words_are_read() {
        let expected =
            Status { name: "picloud".to_owned(), uid: 998, no_new_privileges: true, seccomp: true, capabilities: 0x400 };
        assert_eq!(Status::parse(TEXT), Some(expected));
        let open = TEXT.replace("Seccomp:\t2", "Seccomp:\t0").replace("NoNewPrivs:\t1", "NoNewPrivs:\t0");
        assert!(Status::parse(&open).is_some_and(|status| !status.seccomp && !status.no_new_privileges));
    }

    #[test]
    fn a_kernel_that_does_not_tell_is_no_wall() {
        for line in ["Uid:", "NoNewPrivs:", "Seccomp:", "CapEff:"] {
            let without: String = TEXT.lines().filter(|known| !known.starts_with(line)).map(|line| format!("{line}\n")).collect();
            assert_eq!(Status::parse(&without), None, "{line}");
        }
    }

    #[test]
    fn this_process_is_known() {
        let own = Status::own().unwrap();
        assert_eq!(own.uid, rustix::process::geteuid().as_raw());
        assert_eq!(Status::of(std::process::id()).unwrap(), own);
    }
}
