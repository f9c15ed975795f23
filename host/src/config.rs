//! Every setting of the process: each one a flag and an environment variable. `picloud help config` prints them.
//!
//! A flag wins over its variable, the variable over the default. Values are checked here, before anything starts. A secret may
//! stand in a file instead (`files`).

mod files;

mod backup;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use zeroize::Zeroizing;

pub use self::backup::Backup;
pub use self::files::SecretFiles;

/// Where state is kept when nothing says otherwise, relative to the working directory.
pub const DATA_DIR_DEFAULT: &str = ".picloud";
/// The same for root, when PostgreSQL's user cannot reach the working directory.
pub const DATA_DIR_SYSTEM: &str = "/var/lib/picloud";
/// What the log tells of, where nobody says.
const LOG_DEFAULT: &str = "info";
/// The first owner's name.
pub const ADMIN_USERNAME_DEFAULT: &str = "admin";

/// Where the control plane answers, where nobody says.
pub const ADMIN_BIND_DEFAULT: &str = "127.0.0.1:8081";

const DATA_PORT: u16 = 8080;

/// The text of a setting that nothing prints; wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What becomes of a system call for which a node that serves has no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Seccomp {
    /// The node ends (SIGSYS).
    Kill,
    /// It is made, and told in the kernel's log: to find what is missing.
    Log,
    /// Nothing is filtered.
    Off,
}

impl Seccomp {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Log => "log",
            Self::Off => "off",
        }
    }
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// It answers at the data plane.
    pub ingress: bool,
    /// It answers at the control plane.
    pub api: bool,
    /// It relays events, fires schedules, attempts deliveries, and sweeps.
    pub workers: bool,
}

impl Roles {
    pub const ALL: Self = Self { ingress: true, api: true, workers: true };
    /// The word of each.
    pub const WORDS: [&str; 3] = ["ingress", "api", "workers"];

    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let has = [self.ingress, self.api, self.workers];
        Self::WORDS.into_iter().zip(has).filter_map(|(word, has)| has.then_some(word))
    }

    /// Of these words; others, and none at all, are `None`.
    pub fn of_words<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<Self> {
        let mut roles = Self { ingress: false, api: false, workers: false };
        for word in words {
            match word {
                "ingress" => roles.ingress = true,
                "api" => roles.api = true,
                "workers" => roles.workers = true,
                _ => return None,
            }
        }
        (roles.ingress || roles.api || roles.workers).then_some(roles)
    }
}

impl std::fmt::Display for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words().collect::<Vec<_>>().join(","))
    }
}

/// The settings, as every command takes them.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where PiCloud keeps its state: the private PostgreSQL and the compiled component.
    ///
    /// Default: ./.picloud. As root, when PostgreSQL's user cannot reach the working directory
    /// (for example below /root): /var/lib/picloud.
    #[arg(long, env = "PICLOUD_DATA_DIR", value_name = "DIR", help_heading = "Data")]
    pub data_dir: Option<PathBuf>,

    /// An existing PostgreSQL (14 or newer) to use instead of the private one.
    ///
    /// Example: postgres://picloud:secret@db.lan/picloud
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, help_heading = "Data")]
    pub database_url: Option<String>,

    /// The master key that locks the secrets of scripts: 32 random bytes in hex or base64.
    ///
    /// Default: secret.key in the data directory, made at the first start. Nodes on one database need the same key. To replace
    /// it, write the new one before the old one, with a comma: `picloud help keys`. Example: made by `openssl rand -hex 32`
    #[arg(
        long,
        env = "PICLOUD_SECRET_KEY",
        value_name = "KEY",
        hide_env_values = true,
        value_parser = parse_hidden,
        help_heading = "Data"
    )]
    pub secret_key: Option<Hidden>,

    /// Directory with initdb and postgres.
    ///
    /// Default: the newest of /usr/lib/postgresql/*/bin, then PATH. Example: /opt/pg17/bin
    #[arg(long, env = "PICLOUD_POSTGRES_BIN", value_name = "DIR", help_heading = "Data")]
    pub postgres_bin: Option<PathBuf>,

    #[command(flatten)]
    pub backup: Backup,

    /// Where scripts answer (the data plane); port 0 takes a free one, which is printed.
    ///
    /// Default: 127.0.0.1:8080 in `dev`, 0.0.0.0:8080 in `serve`. Example: [::]:80
    #[arg(long, env = "PICLOUD_BIND", value_name = "ADDR:PORT", value_parser = parse_bind, help_heading = "Listening")]
    pub bind: Option<SocketAddr>,

    /// Where the administration answers (the control plane). Put a TLS proxy before it rather than open it.
    #[arg(
        long,
        env = "PICLOUD_ADMIN_BIND",
        value_name = "ADDR:PORT",
        value_parser = parse_bind,
        default_value = ADMIN_BIND_DEFAULT,
        help_heading = "Listening"
    )]
    pub admin_bind: SocketAddr,

    /// Each app also answers at {slug}.{this domain}.
    ///
    /// Example: apps.example.org (with a wildcard DNS record)
    #[arg(
        long,
        env = "PICLOUD_APPS_DOMAIN",
        value_name = "DOMAIN",
        value_parser = parse_domain,
        default_value = "localhost",
        help_heading = "Listening"
    )]
    pub apps_domain: String,

    /// Where browsers reach the control plane when a proxy stands before it: https here binds cookies to https.
    ///
    /// Example: https://cloud.example.org
    #[arg(long, env = "PICLOUD_PUBLIC_BASE_URL", value_name = "URL", value_parser = parse_base_url, help_heading = "Listening")]
    pub public_base_url: Option<String>,

    /// Reverse proxies on other machines that are believed about who called: addresses or networks, with commas between them.
    ///
    /// The caller is then the last address of their X-Forwarded-For that is not one of them. A proxy on this machine is believed
    /// anyway; from everybody else such headers are taken out. Example: 10.0.0.5,172.16.0.0/12
    #[arg(
        long,
        env = "PICLOUD_TRUSTED_PROXIES",
        value_name = "NETWORKS",
        value_delimiter = ',',
        value_parser = parse_network,
        help_heading = "Listening"
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// A file to write once both planes answer: {"data":"http://…","admin":"http://…","pid":n}
    #[arg(long, value_name = "PATH", help_heading = "Listening")]
    pub ready_file: Option<PathBuf>,

    /// What this node does, where several share a database: ingress (scripts), api (administration), workers (events).
    ///
    /// A node without `ingress` has no data plane. One without `api` answers for its health alone where the administration would
    /// be. Somebody on the database has to have each role. Example: ingress
    #[arg(
        long,
        env = "PICLOUD_ROLES",
        value_name = "ROLES",
        value_parser = parse_roles,
        default_value = "ingress,api,workers",
        help_heading = "Cluster"
    )]
    pub roles: Roles,

    /// What this node is called in the list of nodes. Default: the name of the machine
    #[arg(long, env = "PICLOUD_NODE_NAME", value_name = "NAME", help_heading = "Cluster")]
    pub node_name: Option<String>,

    /// Told to end, the node goes on for so long, with /healthz at 503, before it takes nothing new: ms.
    ///
    /// So that whatever spreads requests over nodes notices. Example: 10000, where health is asked for every 5 seconds
    #[arg(long, env = "PICLOUD_DRAIN_DELAY_MS", value_name = "MS", default_value_t = 0, help_heading = "Cluster")]
    pub drain_delay_ms: u64,

    /// A collector of traces and logs, told over OTLP (HTTP, JSON): /v1/traces and /v1/logs are added.
    ///
    /// Left out, nobody is told. Example: http://127.0.0.1:4318
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", help_heading = "Watching")]
    pub otlp_endpoint: Option<String>,

    /// Headers for the collector: name=value, with commas between them and values percent-encoded.
    ///
    /// Example: authorization=Basic%20…
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        value_name = "HEADERS",
        hide_env_values = true,
        value_parser = parse_hidden,
        help_heading = "Watching"
    )]
    pub otlp_headers: Option<Hidden>,

    /// Of traces that no caller began, the part that the collector is told of: 0 to 1.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", value_name = "PART", default_value_t = 1.0, help_heading = "Watching")]
    pub trace_ratio: f64,

    /// What whoever reads /metrics on the control plane has to bring as a bearer token: 16 bytes or more.
    ///
    /// Left out, whoever runs on this machine may read it, and nobody else. Example: made by `openssl rand -hex 32`
    #[arg(
        long,
        env = "PICLOUD_METRICS_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        value_parser = parse_hidden,
        help_heading = "Watching"
    )]
    pub metrics_token: Option<Hidden>,

    /// The relay through which scripts send mail: smtp:// or smtps://, with a login where it wants one.
    ///
    /// A login is given under TLS only (STARTTLS, or smtps from the first byte) unless ?tls=none is added; ?tls=required asks
    /// for STARTTLS without a login too. Left out, scripts cannot send mail. Example: smtp://user:secret@mail.lan:587
    #[arg(
        long,
        env = "PICLOUD_SMTP_URL",
        value_name = "URL",
        hide_env_values = true,
        value_parser = parse_hidden,
        help_heading = "Mail"
    )]
    pub smtp_url: Option<Hidden>,

    /// The sender of mail whose script names none. An app needs a grant of `email` for it all the same.
    ///
    /// Example: cloud@example.org
    #[arg(long, env = "PICLOUD_SMTP_FROM", value_name = "ADDRESS", help_heading = "Mail")]
    pub smtp_from: Option<String>,

    /// Name of the first owner; read only while there is none. Default: admin
    #[arg(long, env = "PICLOUD_ADMIN_USERNAME", value_name = "NAME", help_heading = "First owner")]
    pub admin_username: Option<String>,

    /// Password of the first owner (12 characters or more); read only while there is none.
    ///
    /// Left out, `dev` makes one and prints it once; `serve` waits for it to be set.
    #[arg(long, env = "PICLOUD_ADMIN_PASSWORD", value_name = "PASSWORD", hide_env_values = true, help_heading = "First owner")]
    pub admin_password: Option<String>,

    /// Scripts running at once on this node; more wait a moment, then answer 503.
    ///
    /// Default: from cores, memory and address space; `picloud doctor` shows it. Example: 64
    #[arg(long, env = "PICLOUD_MAX_CONCURRENT_EXECUTIONS", value_name = "N", value_parser = parse_count, help_heading = "Work")]
    pub max_concurrent_executions: Option<usize>,

    /// Threads that serve requests and run scripts. Default: one for each core.
    #[arg(long, env = "PICLOUD_WORKER_THREADS", value_name = "N", value_parser = parse_count, help_heading = "Work")]
    pub worker_threads: Option<usize>,

    /// Tasks a thread runs before it looks for network events: less is fairer, more is faster.
    #[arg(
        long,
        env = "PICLOUD_EVENT_INTERVAL",
        value_name = "N",
        default_value_t = 61,
        value_parser = clap::value_parser!(u32).range(1..=10_000),
        help_heading = "Work"
    )]
    pub event_interval: u32,

    /// What becomes of system calls for which a node that serves has no use.
    ///
    /// Behind this wall no program can be started and no code be added. A kernel without it: a warning in the log.
    #[arg(
        long,
        env = "PICLOUD_SECCOMP",
        value_name = "MODE",
        value_enum,
        default_value_t = Seccomp::Kill,
        help_heading = "Walls"
    )]
    pub seccomp: Seccomp,

    /// What is logged, on standard error: a level (error, warn, info, debug, trace) or directives.
    ///
    /// Example: info,picloud::ingress=debug
    #[arg(long = "log", env = "PICLOUD_LOG", value_name = "FILTER", default_value = LOG_DEFAULT, help_heading = "Log")]
    pub log: String,

    /// Where secrets are, if not among the above.
    #[command(flatten)]
    pub files: SecretFiles,
}

impl Settings {
    /// For a command that does one thing and tells of it itself: the log adds warnings only, unless it was asked for.
    #[must_use]
    pub fn told_by_command(mut self) -> Self {
        if self.log == LOG_DEFAULT {
            "warn".clone_into(&mut self.log);
        }
        self
    }

    /// The host at which people reach the control plane, where it is told.
    pub fn reserved_hosts(&self) -> Vec<String> {
        let url = self.public_base_url.as_deref().and_then(|url| url::Url::parse(url).ok());
        url.and_then(|url| url.host_str().map(str::to_owned)).into_iter().collect()
    }

    /// The data plane's address: as set, else on every interface or on this machine only.
    pub fn bind_or(&self, default: IpAddr) -> SocketAddr {
        self.bind.unwrap_or_else(|| SocketAddr::new(default, DATA_PORT))
    }

    pub fn admin_username(&self) -> &str {
        self.admin_username.as_deref().unwrap_or(ADMIN_USERNAME_DEFAULT)
    }
}

/// Anything: a refusal here would be quoted with the value.
fn parse_hidden(text: &str) -> Result<Hidden, std::convert::Infallible> {
    Ok(Hidden::new(text.to_owned()))
}

/// `ADDR:PORT`, with `localhost` as a name for this machine.
pub fn parse_bind(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:") {
        let port = port.parse().map_err(|_| format!("{port:?} is not a port (0 to 65535)"))?;
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse().map_err(|_| "write ADDRESS:PORT, for example 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080".to_owned())
}

/// Words with commas between them.
fn parse_roles(text: &str) -> Result<Roles, String> {
    let wrong = || format!("write one or more of {}, with commas between them", Roles::WORDS.join(", "));
    Roles::of_words(text.split(',').map(str::trim)).ok_or_else(wrong)
}

/// A host name in lower case, without a dot at the end.
fn parse_domain(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        Ok(name)
    } else {
        Err("write a host name without scheme, port or wildcard, for example apps.example.org".to_owned())
    }
}

/// An http(s) URL of scheme, host and perhaps a port; nothing at the end.
fn parse_base_url(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    let authority =
        lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")).map(|rest| rest.trim_end_matches('/'));
    match authority {
        Some(authority) if !authority.is_empty() && !authority.contains(['/', '?', '#', '@', ' ']) => {
            Ok(lower.trim_end_matches('/').to_owned())
        }
        _ => Err("write scheme and host only, for example https://cloud.example.org".to_owned()),
    }
}

/// An address, or a network as address/bits.
fn parse_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    match network.map(|network| network.trunc()) {
        Some(network) if network.prefix_len() > 0 => Ok(network),
        Some(_) => Err("that is everybody: name the proxies".to_owned()),
        None => Err("write an address or a network, for example 10.0.0.5 or 172.16.0.0/12".to_owned()),
    }
}

fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=65_536) => Ok(count),
        _ => Err("write a whole number from 1 to 65536".to_owned()),
    }
}

#[cfg(test)]
mod tests;
