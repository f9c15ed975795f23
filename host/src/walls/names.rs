//! The resolver of the GNU C library is made of modules that it loads when it first needs them. Behind the wall nothing can be
//! loaded, and a module that is missing is passed over: names that only it knows (`printer.local`) would not be found.

/// Loads what looking up the name of a host may take.
pub(super) fn load() {
    #[cfg(target_env = "gnu")]
    {
        let text = std::fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        for module in modules(&text) {
            open(module);
        }
    }
}

/// One that is not there, or part of the C library itself, is none to load.
#[cfg(target_env = "gnu")]
fn open(module: &str) {
    let Ok(file) = std::ffi::CString::new(format!("libnss_{module}.so.2")) else { return };
    // SAFETY: a string that ends in zero; the library is one that the C library would load by the same name at the first lookup.
    let opened = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW) };
    tracing::debug!(module, found = !opened.is_null(), "a module of the resolver");
}

/// The modules that `hosts` names in `/etc/nsswitch.conf`; what is in brackets says when to go on to the next.
#[cfg(target_env = "gnu")]
fn modules(text: &str) -> impl Iterator<Item = &str> {
    let hosts = text.lines().find_map(|line| line.trim_start().strip_prefix("hosts:")).unwrap_or_default();
    let hosts = hosts.split('#').next().unwrap_or_default();
    let outside = hosts.split('[').map(|part| part.split_once(']').map_or(part, |(_, after)| after));
    let is_name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    outside.flat_map(str::split_whitespace).filter(is_name)
}

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn the_modules_of_host_names_are_found() {
        let of = |text| modules(text).collect::<Vec<_>>();
        let board = "passwd: files\nhosts:          files mdns4_minimal [NOTFOUND=return] dns # as shipped\nnetworks: files\n";
        assert_eq!(of(board), ["files", "mdns4_minimal", "dns"]);
        assert_eq!(
            of("hosts: mymachines resolve [!UNAVAIL=return success=continue] files myhostname"),
            ["mymachines", "resolve", "files", "myhostname"]
        );
        assert_eq!(of("hosts: ../x files"), ["files"]);
        assert_eq!(of("passwd: files\n"), Vec::<&str>::new());
    }

    #[test]
    fn what_is_not_there_is_passed_over() {
        open("picloud-has-no-such-module");
        load();
    }
}
