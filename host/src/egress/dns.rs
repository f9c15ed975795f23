//! TXT records, asked of the name servers that the system names.
//!
//! Nothing is kept from one lookup to the next, the servers' addresses neither: who asks again has just changed what is to be
//! found.

use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::system_conf::read_system_conf;

use crate::error::{Error, Kind, Result};
use crate::limits;

/// Whom to ask, and how.
#[derive(Debug)]
pub(super) struct Servers {
    config: ResolverConfig,
    options: ResolverOpts,
}

impl Servers {
    /// Those of `/etc/resolv.conf`. 503 `unavailable` where that names none.
    pub(super) async fn of_system() -> Result<Self> {
        let read = tokio::task::spawn_blocking(read_system_conf).await.map_err(Error::internal)?;
        let (config, options) = read.map_err(|error| {
            let message = "this node knows no name servers, so the DNS cannot be asked (see its /etc/resolv.conf)";
            Error { source: Some(Box::new(error)), ..Error::new(Kind::Overloaded, "unavailable", message) }
        })?;
        Ok(Self::new(config, options))
    }

    fn new(config: ResolverConfig, mut options: ResolverOpts) -> Self {
        options.timeout = Duration::from_millis(limits::DOMAIN_DNS_TRY_MS);
        options.attempts = 1;
        options.cache_size = 0;
        options.edns0 = true;
        options.use_hosts_file = ResolveHosts::Never;
        Self { config, options }
    }
}

/// The TXT records of a name, each with its strings put together, at most `DOMAIN_TXT_RECORDS_MAX`: none when there is no such
/// name.
///
/// # Errors
/// 504 `timed_out`, 503 `unavailable`: the name servers do not answer, or not what was asked for.
pub(super) async fn txt(servers: Servers, name: &str) -> Result<Vec<String>> {
    // The dot at the end: no search list of this machine's is tried.
    let asked = Name::from_ascii(format!("{name}.")).map_err(Error::internal)?;
    let Servers { config, options } = servers;
    let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build();
    let found = resolver.map_err(Error::internal)?.txt_lookup(asked).await;
    let lookup = match found {
        Ok(lookup) => lookup,
        Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
        Err(error) => return Err(failed(name, error)),
    };
    let records = lookup.answers().iter().filter_map(|record| match &record.data {
        RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
        _ => None,
    });
    Ok(records.take(limits::DOMAIN_TXT_RECORDS_MAX).collect())
}

/// In words of our own: the library's quote addresses.
fn failed(name: &str, error: NetError) -> Error {
    let (kind, code, why) = match &error {
        NetError::Timeout => (Kind::TimedOut, "timed_out", "its name servers did not answer in time".to_owned()),
        NetError::Dns(DnsError::ResponseCode(code)) => {
            (Kind::Overloaded, "unavailable", format!("its name servers refuse to answer ({code})"))
        }
        _ => (Kind::Overloaded, "unavailable", "the name servers of this node could not be asked".to_owned()),
    };
    let message = format!("nothing is known of the TXT records of `{name}`: {why}; try again");
    Error { source: Some(Box::new(error)), ..Error::new(kind, code, message) }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig};

    use super::*;

    /// A name server that answers its first questions: what a closure makes of each, or nothing.
    fn serve(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((bytes, from)) = socket.recv_from(&mut query) {
                if let Some(answer) = answer(&query[..bytes]) {
                    socket.send_to(&answer, from).unwrap();
                }
            }
        });
        address
    }

    fn at(address: SocketAddr) -> Servers {
        let mut udp = ConnectionConfig::udp();
        udp.port = address.port();
        let server = NameServerConfig::new(address.ip(), true, vec![udp]);
        Servers::new(ResolverConfig::from_name_servers(vec![server]), ResolverOpts::default())
    }

    /// The question of a query: behind the header, a name as labels, then type and class.
    fn question(query: &[u8]) -> &[u8] {
        let mut end = 12;
        while query[end] != 0 {
            end += usize::from(query[end]) + 1;
        }
        &query[12..end + 5]
    }

    /// An answer of that code with these TXT records, each of several strings.
    fn answer(query: &[u8], code: u8, records: &[&[&[u8]]]) -> Vec<u8> {
        let count = u16::try_from(records.len()).unwrap().to_be_bytes();
        let mut bytes = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1, count[0], count[1], 0, 0, 0, 0];
        bytes.extend_from_slice(question(query));
        for strings in records {
            // The name of the question, TXT, IN, a minute.
            bytes.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
            let length: usize = strings.iter().map(|string| string.len() + 1).sum();
            bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            for string in *strings {
                bytes.push(u8::try_from(string.len()).unwrap());
                bytes.extend_from_slice(string);
            }
        }
        bytes
    }

    #[tokio::test]
    async fn records_are_found_with_their_strings_put_together() {
        let server = serve(|query| {
            let name = b"\x08_picloud\x04shop\x07example\x03com\0\x00\x10\x00\x01";
            let is_asked = question(query).eq_ignore_ascii_case(name);
            is_asked.then(|| answer(query, 0, &[&[b"v=spf1 -all"], &[b"picloud-", b"verify=", b"abc"], &[b"\xff", b""]]))
        });
        let found = txt(at(server), "_picloud.shop.example.com").await.unwrap();
        assert_eq!(found, ["v=spf1 -all", "picloud-verify=abc", "\u{fffd}"]);
    }

    #[tokio::test]
    async fn a_bounded_number_of_records_is_looked_at() {
        let many = |count: usize| move |query: &[u8]| Some(answer(query, 0, &vec![&[&b"x"[..]][..]; count]));
        let max = limits::DOMAIN_TXT_RECORDS_MAX;
        assert_eq!(txt(at(serve(many(max))), "a.example").await.unwrap().len(), max);
        assert_eq!(txt(at(serve(many(max + 1))), "a.example").await.unwrap().len(), max);
    }

    #[tokio::test]
    async fn a_name_that_is_not_there_has_no_records() {
        for code in [3, 0] {
            let server = serve(move |query| Some(answer(query, code, &[])));
            assert_eq!(txt(at(server), "_picloud.nowhere.example").await.unwrap(), Vec::<String>::new(), "{code}");
        }
    }

    #[tokio::test]
    async fn what_comes_too_late_and_what_is_refused_is_told_apart() {
        let mut silent = at(serve(|_| None));
        silent.options.timeout = Duration::from_millis(50);
        let error = txt(silent, "_picloud.slow.example").await.unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::TimedOut, "timed_out"), "{error}");
        for code in [2, 5] {
            let server = serve(move |query| Some(answer(query, code, &[])));
            let error = txt(at(server), "_picloud.broken.example").await.unwrap_err();
            assert_eq!((error.kind, error.code), (Kind::Overloaded, "unavailable"), "{error}");
            assert!(error.message.contains("_picloud.broken.example") && !error.message.contains("127.0.0.1"), "{error}");
        }
    }

    #[tokio::test]
    async fn without_a_name_server_nothing_is_known() {
        let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let mut servers = at(closed);
        servers.options.timeout = Duration::from_millis(50);
        let error = txt(servers, "a.example").await.unwrap_err();
        assert!(matches!(error.kind, Kind::Overloaded | Kind::TimedOut), "{error}");
    }
}
