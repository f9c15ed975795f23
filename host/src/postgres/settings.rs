//! How the private PostgreSQL is set: durable, small, and silent when nothing happens.

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::Error;
use super::directory::unusable;
use crate::limits;

const CONFIG_FILE: &str = "postgresql.conf";
const HBA_FILE: &str = "pg_hba.conf";
const LOCAL_FILE: &str = "postgresql.local.conf";

/// The socket's directory admits only PostgreSQL's own user and root, who own the data anyway.
const HBA: &str = "# Written by picloud at each start. Nothing listens on a network; the socket's directory is private.\n\
                   local all all trust\n";

/// What the settings depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuning {
    ram_bytes: u64,
    connections_max: u32,
}

impl Tuning {
    pub(super) fn of_this_machine(connections_max: u32) -> Self {
        let info = rustix::system::sysinfo();
        Self { ram_bytes: info.totalram.saturating_mul(u64::from(info.mem_unit)), connections_max }
    }
}

/// Writes both files into the data directory; the path of the first.
pub(super) fn write(data_dir: &Path, tuning: &Tuning, socket_dir: &Path, port: u16) -> Result<PathBuf, Error> {
    let config_file = data_dir.join(CONFIG_FILE);
    let hba_file = data_dir.join(HBA_FILE);
    let text = render(tuning, as_text(data_dir)?, as_text(socket_dir)?, port);
    for (path, text) in [(&hba_file, HBA), (&config_file, text.as_str())] {
        replace(path, text).map_err(|e| unusable(path, &e))?;
    }
    Ok(config_file)
}

fn as_text(path: &Path) -> Result<&str, Error> {
    path.to_str()
        .filter(|path| !path.contains(['\n', '\r']))
        .ok_or_else(|| Error::Directory(format!("{}: the data directory's path must be UTF-8, on one line", path.display())))
}

/// Whole or not at all, and readable for the user that PostgreSQL runs as.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("conf.new");
    let _ = std::fs::remove_file(&draft);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&draft)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    std::fs::rename(&draft, path)
}

fn render(tuning: &Tuning, data_dir: &str, socket_dir: &str, port: u16) -> String {
    const MIB: u64 = 1 << 20;
    let shared_mb = (tuning.ram_bytes / 32 / MIB).clamp(16, 128);
    let cache_mb = (tuning.ram_bytes / 2 / MIB).clamp(64, 16 << 10);
    let connections = tuning.connections_max;
    let naptime_s = limits::POSTGRES_AUTOVACUUM_NAPTIME_S;
    let hba_file = quoted(&format!("{data_dir}/{HBA_FILE}"));
    let ident_file = quoted(&format!("{data_dir}/postgres/pg_ident.conf"));
    // The list of directories has its own quotes inside the setting's.
    let sockets = quoted(&format!("\"{}\"", socket_dir.replace('"', "\"\"")));
    let settings: [(&str, &str); _] = [
        ("listen_addresses", "''"),
        ("port", &port.to_string()),
        ("unix_socket_directories", &sockets),
        ("unix_socket_permissions", "0700"),
        ("hba_file", &hba_file),
        ("ident_file", &ident_file),
        ("cluster_name", "'picloud'"),
        ("max_connections", &connections.to_string()),
        ("superuser_reserved_connections", "0"),
        // Nothing acknowledged is ever lost.
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        // One node, no replicas: less to write to a card that wears out.
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("max_replication_slots", "0"),
        ("max_logical_replication_workers", "0"),
        ("wal_compression", "on"),
        ("min_wal_size", "32MB"),
        ("max_wal_size", "256MB"),
        ("checkpoint_timeout", "15min"),
        ("checkpoint_completion_target", "0.9"),
        ("shared_buffers", &format!("{shared_mb}MB")),
        ("effective_cache_size", &format!("{cache_mb}MB")),
        ("work_mem", "4MB"),
        ("maintenance_work_mem", "32MB"),
        ("huge_pages", "off"),
        // Short statements on few cores: workers and compilation cost more than they bring.
        ("max_worker_processes", "1"),
        ("max_parallel_workers", "0"),
        ("max_parallel_workers_per_gather", "0"),
        ("max_parallel_maintenance_workers", "0"),
        ("jit", "off"),
        ("autovacuum_max_workers", "1"),
        ("autovacuum_naptime", &format!("{naptime_s}s")),
        ("log_destination", "'stderr'"),
        ("logging_collector", "off"),
        ("log_line_prefix", "''"),
        // A statement's failure is reported to its client, who logs it; its text may hold secrets.
        ("log_min_messages", "log"),
        ("log_min_error_statement", "panic"),
        ("log_checkpoints", "off"),
        ("log_autovacuum_min_duration", "-1"),
        ("timezone", "'UTC'"),
        ("log_timezone", "'UTC'"),
        ("lc_messages", "'C'"),
    ];
    let mut text = format!("# Written by picloud at each start; your own settings go into {LOCAL_FILE} beside this file.\n");
    for (name, value) in settings {
        let _ = writeln!(text, "{name} = {value}");
    }
    let _ = writeln!(text, "include_if_exists = '{LOCAL_FILE}'");
    text
}

/// As a value of the file: quotes doubled, backslashes too.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(ram_bytes: u64) -> String {
        render(&Tuning { ram_bytes, connections_max: 24 }, "/d/it's", "/run/a \"b\"", 5432)
    }

    #[test]
    fn memory_follows_the_board_within_bounds() {
        for (ram, expected) in [(512 << 20, "16MB"), (1 << 30, "32MB"), (4 << 30, "128MB"), (64 << 30, "128MB")] {
            assert!(rendered(ram).contains(&format!("\nshared_buffers = {expected}\n")), "{ram}");
        }
    }

    #[test]
    fn paths_survive_their_quotes() {
        let text = rendered(1 << 30);
        assert!(text.contains("hba_file = '/d/it''s/pg_hba.conf'"), "{text}");
        assert!(text.contains(r#"unix_socket_directories = '"/run/a ""b"""'"#), "{text}");
    }

    #[test]
    fn what_is_promised_stands_there_once_and_the_owner_has_the_last_word() {
        let text = rendered(1 << 30);
        for line in ["fsync = on", "synchronous_commit = on", "listen_addresses = ''"] {
            assert_eq!(text.lines().filter(|l| *l == line).count(), 1, "{line}");
        }
        assert_eq!(text.lines().last(), Some("include_if_exists = 'postgresql.local.conf'"));
    }
}
