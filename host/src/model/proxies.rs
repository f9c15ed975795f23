//! Reverse proxies in front of the node, and who called through them.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Headers in which a proxy says for whom it asks (RFC 7239, and the older `X-Forwarded-*`). From anybody else they say nothing.
pub const FORWARDING: [&str; 6] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip"];

/// Who is believed about who called: whatever runs on this machine, and the proxies that the owner names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    pub fn new(named: Vec<IpNet>) -> Self {
        Self(named)
    }

    /// Whether what comes from there comes through a proxy.
    pub fn has(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.is_named(peer)
    }

    /// The address that called: of `X-Forwarded-For`, all of its headers in order, the last one that is no named proxy's, since
    /// that one was written by a proxy. What stands before it is the caller's own word and not read; neither is anything behind
    /// what is no address.
    pub fn caller<'h>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'h str>) -> IpAddr {
        let mut caller = peer.to_canonical();
        if !self.has(caller) {
            return caller;
        }
        for text in forwarded.rev().flat_map(|header| header.rsplit(',')) {
            let Some(address) = address(text.trim()) else { return caller };
            caller = address;
            if !self.is_named(caller) {
                return caller;
            }
        }
        caller
    }

    fn is_named(&self, address: IpAddr) -> bool {
        self.0.iter().any(|named| named.contains(&address))
    }
}

/// Some write the port, too.
fn address(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(proxies: &Proxies, peer: &str, forwarded: &[&str]) -> String {
        proxies.caller(peer.parse().unwrap(), forwarded.iter().copied()).to_string()
    }

    #[test]
    fn a_proxy_on_this_machine_is_believed_and_nobody_else() {
        let proxies = Proxies::default();
        for (peer, forwarded, from) in [
            ("192.0.2.1", &["203.0.113.5"][..], "192.0.2.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["1.1.1.1, 203.0.113.5"], "203.0.113.5"),
            ("127.0.0.1", &["203.0.113.5", "203.0.113.6"], "203.0.113.6"),
            ("127.0.0.1", &["203.0.113.5, 127.0.0.1"], "127.0.0.1"),
            ("::1", &["203.0.113.5:41234"], "203.0.113.5"),
            ("::1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("::ffff:127.0.0.1", &["nonsense"], "127.0.0.1"),
            ("::1", &["::ffff:203.0.113.5"], "203.0.113.5"),
        ] {
            assert_eq!(called(&proxies, peer, forwarded), from, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn of_several_named_proxies_each_is_believed_about_the_one_before_it() {
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()]);
        for (peer, forwarded, from) in [
            ("10.1.2.3", &["203.0.113.5"][..], "203.0.113.5"),
            ("11.0.0.1", &["203.0.113.5"], "11.0.0.1"),
            ("10.1.2.3", &["203.0.113.9, 203.0.113.5, 10.9.9.9"], "203.0.113.5"),
            ("10.1.2.3", &["203.0.113.9, 203.0.113.5", "10.9.9.9"], "203.0.113.5"),
            ("10.1.2.3", &["10.7.7.7, 10.9.9.9"], "10.7.7.7"),
            ("10.1.2.3", &["203.0.113.5, unknown"], "10.1.2.3"),
            ("10.1.2.3", &["203.0.113.5,"], "10.1.2.3"),
            ("::ffff:10.1.2.3", &["203.0.113.5"], "203.0.113.5"),
            ("2001:db8:1:2::3", &["2001:db8:9::9"], "2001:db8:9::9"),
            ("127.0.0.1", &["203.0.113.5, 10.9.9.9"], "203.0.113.5"),
        ] {
            assert_eq!(called(&proxies, peer, forwarded), from, "{peer} {forwarded:?}");
        }
    }
}
