//! Which addresses scripts may reach: pure rules, no IO.
//!
//! Every address that a name has is judged, and one that is refused refuses the name: an answer that mixes public and
//! private addresses is an attack, or a network whose owner did not mean scripts to see it.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// Why an address is not the public network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// `0.0.0.0/8`, `::`: this machine, on many systems.
    Unspecified,
    Loopback,
    /// RFC 1918, unique local, and the site-local addresses before them.
    Private,
    /// Neighbours on the wire; in data centres also the machine's metadata.
    LinkLocal,
    /// RFC 6598: behind a carrier's translator, and what overlay networks use.
    Shared,
    Multicast,
    Broadcast,
    Documentation,
    Benchmarking,
    /// 6to4 and Teredo: who unpacks the address inside is not known.
    Tunnel,
    /// A translator's own prefix, which leads to addresses of the translator's network.
    Translator,
    /// Given to no one, or to a protocol rather than to a host.
    Reserved,
}

impl Class {
    /// With its article, for a sentence.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Unspecified => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::Shared => "a shared (carrier-grade NAT) address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "a documentation address",
            Self::Benchmarking => "a benchmarking address",
            Self::Tunnel => "a tunnel's address (6to4 or Teredo)",
            Self::Translator => "a translator's address (NAT64)",
            Self::Reserved => "a reserved address",
        }
    }

    /// Whether a grant of its network makes it reachable: addresses of a home or an office, nothing else.
    pub(super) fn is_grantable(self) -> bool {
        matches!(self, Self::Private | Self::LinkLocal | Self::Shared)
    }
}

/// Networks of the IANA registry of special-purpose addresses (RFC 6890 and later), the narrower ones first.
const V4: [(Ipv4Addr, u8, Class); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, Class::Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Class::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Class::Shared),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Class::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Class::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Class::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Class::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Class::Documentation),
    // The 6to4 relays' anycast address, withdrawn by RFC 7526.
    (Ipv4Addr::new(192, 88, 99, 0), 24, Class::Tunnel),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Class::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Class::Benchmarking),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Class::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Class::Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Class::Multicast),
    (Ipv4Addr::new(255, 255, 255, 255), 32, Class::Broadcast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Class::Reserved),
];

/// The same for IPv6. What is not here is public only within `2000::/3`: nothing else has been given out. That leaves
/// out the IPv4-compatible and IPv4-translated forms, which nobody routes.
const V6: [(Ipv6Addr, u8, Class); 14] = [
    (Ipv6Addr::UNSPECIFIED, 128, Class::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Class::Loopback),
    // RFC 8215: local translators, each with a layout of its own.
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, Class::Translator),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, Class::Tunnel),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, Class::Benchmarking),
    // Protocol assignments: ORCHID, AMT, drone ids and others.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Class::Reserved),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Class::Documentation),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Class::Tunnel),
    // The 6bone's, given back by RFC 3701.
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, Class::Reserved),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Class::Documentation),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Class::Private),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Class::LinkLocal),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Class::Private),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Class::Multicast),
];

const GLOBAL_UNICAST: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// The class of an address; none for the public network's. An IPv4-mapped address is the IPv4 one. One behind the well-known
/// NAT64 prefix is public when the IPv4 address inside is: on a network without IPv4 it is the only way there.
pub(super) fn class_of(address: IpAddr) -> Option<Class> {
    match address.to_canonical() {
        IpAddr::V4(address) => V4.iter().find(|(network, bits, _)| is_in_v4(address, *network, *bits)).map(|(.., class)| *class),
        IpAddr::V6(address) if is_in_v6(address, NAT64) => {
            let [.., a, b, c, d] = address.octets();
            class_of(Ipv4Addr::new(a, b, c, d).into()).map(|_| Class::Translator)
        }
        IpAddr::V6(address) => {
            let listed = V6.iter().find(|(network, bits, _)| is_in_v6(address, (*network, *bits)));
            match listed {
                Some((.., class)) => Some(*class),
                None => (!is_in_v6(address, GLOBAL_UNICAST)).then_some(Class::Reserved),
            }
        }
    }
}

fn is_in_v4(address: Ipv4Addr, network: Ipv4Addr, bits: u8) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    address.to_bits() & mask == network.to_bits()
}

fn is_in_v6(address: Ipv6Addr, (network, bits): (Ipv6Addr, u8)) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    address.to_bits() & mask == network.to_bits()
}

/// What of this node no script may reach, whatever it was granted.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// Listeners, and the database where it is known by address.
    pub sockets: Vec<SocketAddr>,
    /// The database where it is known by name: host and port.
    pub names: Vec<(String, u16)>,
}

impl Own {
    /// Whether something of ours listens there. What listens on all addresses, or is reached through loopback, is ours on
    /// every address of this machine.
    fn holds(&self, address: IpAddr, port: u16, is_this_machine: &dyn Fn(IpAddr) -> bool) -> bool {
        let at_port = || self.sockets.iter().filter(|own| own.port() == port).map(|own| own.ip().to_canonical());
        let everywhere = |own: IpAddr| own.is_unspecified() || own.is_loopback();
        at_port().any(|own| own == address) || (at_port().any(everywhere) && is_this_machine(address))
    }
}

/// Where a connection may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    /// In the resolver's order, each once.
    pub sockets: Vec<SocketAddr>,
    /// The granted network that made the first of them reachable.
    pub through: Option<IpNet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A grant of its network would allow it.
    Ungranted(Class),
    /// No grant allows it.
    Never(Class),
    /// A listener of this node's, or its database.
    Own,
}

/// Judges every address of a name. `networks` are those that the app was granted.
pub(super) fn judge(
    addresses: &[IpAddr],
    port: u16,
    networks: &[IpNet],
    own: &Own,
    is_this_machine: &dyn Fn(IpAddr) -> bool,
) -> Result<Judged, Refusal> {
    let mut judged = Judged { sockets: Vec::with_capacity(addresses.len()), through: None };
    for address in addresses.iter().map(IpAddr::to_canonical) {
        match class_of(address) {
            None => {}
            Some(class) if class.is_grantable() => {
                let network = networks.iter().find(|network| network.contains(&address)).ok_or(Refusal::Ungranted(class))?;
                judged.through.get_or_insert(*network);
            }
            Some(class) => return Err(Refusal::Never(class)),
        }
        if own.holds(address, port, is_this_machine) {
            return Err(Refusal::Own);
        }
        let socket = SocketAddr::new(address, port);
        if !judged.sockets.contains(&socket) {
            judged.sockets.push(socket);
        }
    }
    Ok(judged)
}
