use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn judged(addresses: &[&str], networks: &[&str]) -> Result<Judged, Refusal> {
    let addresses: Vec<_> = addresses.iter().map(|text| ip(text)).collect();
    judge(&addresses, 80, &nets(networks), &Own::default(), &|_| false)
}

/// What no script reaches without a grant, from the registries' own words rather than from the tables above.
const REFUSED: [&str; 41] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "233.252.0.0/24",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "::/96",
    "::ffff:0:0:0/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/32",
    "2001:2::/48",
    "2001:3::/32",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "3ffe::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fd00::/8",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "8000::/1",
];

#[test]
fn every_class_has_its_networks() {
    use Class::*;
    for (text, class) in [
        ("0.0.0.0", Unspecified),
        ("0.1.2.3", Unspecified),
        ("::", Unspecified),
        ("127.0.0.1", Loopback),
        ("127.255.255.255", Loopback),
        ("::1", Loopback),
        ("::ffff:127.0.0.1", Loopback),
        ("10.0.0.0", Private),
        ("172.16.0.1", Private),
        ("172.31.255.255", Private),
        ("192.168.1.1", Private),
        ("fc00::1", Private),
        ("fdff::1", Private),
        ("fec0::1", Private),
        ("::ffff:10.0.0.1", Private),
        ("169.254.169.254", LinkLocal),
        ("fe80::1", LinkLocal),
        ("febf::1", LinkLocal),
        ("100.64.0.0", Shared),
        ("100.127.255.255", Shared),
        ("224.0.0.1", Multicast),
        ("239.255.255.255", Multicast),
        ("ff02::1", Multicast),
        ("255.255.255.255", Broadcast),
        ("192.0.2.1", Documentation),
        ("198.51.100.1", Documentation),
        ("203.0.113.1", Documentation),
        ("2001:db8::1", Documentation),
        ("3fff::1", Documentation),
        ("198.18.0.1", Benchmarking),
        ("198.19.255.255", Benchmarking),
        ("2001:2::1", Benchmarking),
        ("2002:0808:0808::1", Tunnel),
        ("2002:7f00:1::1", Tunnel),
        ("2001::1", Tunnel),
        ("192.88.99.1", Tunnel),
        ("64:ff9b::127.0.0.1", Translator),
        ("64:ff9b::10.0.0.1", Translator),
        ("64:ff9b::192.0.2.1", Translator),
        ("64:ff9b:1::8.8.8.8", Translator),
        ("64:ff9b:1:ffff::1", Translator),
        ("192.0.0.1", Reserved),
        ("240.0.0.1", Reserved),
        ("255.255.255.254", Reserved),
        ("2001:10::1", Reserved),
        ("2001:20::1", Reserved),
        ("2001:1ff::1", Reserved),
        ("3ffe::1", Reserved),
        ("100::1", Reserved),
        ("5f00::1", Reserved),
        ("::2", Reserved),
        ("::127.0.0.1", Reserved),
        ("::8.8.8.8", Reserved),
        ("::ffff:0:8.8.8.8", Reserved),
        ("64:ff9b:2::1", Reserved),
        ("1fff::1", Reserved),
        ("4000::1", Reserved),
        ("fe00::1", Reserved),
    ] {
        assert_eq!(class_of(ip(text)), Some(class), "{text}");
    }
}

#[test]
fn what_is_beside_a_network_is_public() {
    for text in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "8.8.8.8",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2000::1",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2001:db7::1",
        "2001:db9::1",
        "2003::1",
        "2606:4700::1111",
        "3ffd::1",
        "3fff:1000::1",
    ] {
        assert_eq!(class_of(ip(text)), None, "{text}");
    }
}

#[test]
fn one_refused_address_refuses_the_name() {
    for addresses in [
        &["8.8.8.8", "10.0.0.1"][..],
        &["10.0.0.1", "8.8.8.8"],
        &["8.8.8.8", "1.1.1.1", "2606:4700::1111", "fd00::1"],
        &["8.8.8.8", "::ffff:10.0.0.1"],
    ] {
        assert_eq!(judged(addresses, &[]), Err(Refusal::Ungranted(Class::Private)), "{addresses:?}");
    }
    assert_eq!(judged(&["8.8.8.8", "127.0.0.1"], &[]), Err(Refusal::Never(Class::Loopback)));
    // A grant for one of them is not a grant for the other.
    assert!(judged(&["10.0.0.1", "192.168.0.1"], &["10.0.0.0/8"]).is_err());
    assert!(judged(&["10.0.0.1", "8.8.8.8"], &["10.0.0.0/8"]).is_ok());
}

#[test]
fn a_grant_reaches_the_home_and_nothing_nearer() {
    let everything = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1", "127.0.0.0/8", "::1/128"];
    for (address, reachable) in [
        ("10.0.0.1", true),
        ("192.168.1.7", true),
        ("169.254.7.7", true),
        ("100.100.100.100", true),
        ("fd00::1", true),
        ("::ffff:10.0.0.1", true),
        ("127.0.0.1", false),
        ("127.1.2.3", false),
        ("::1", false),
        ("::ffff:127.0.0.1", false),
        ("0.0.0.0", false),
        ("::", false),
        ("224.0.0.1", false),
        ("ff02::1", false),
        ("255.255.255.255", false),
        ("240.0.0.1", false),
        ("192.0.2.1", false),
        ("198.18.0.1", false),
        ("2002:a00:1::1", false),
        ("2001::1", false),
        ("64:ff9b::10.0.0.1", false),
        ("::10.0.0.1", false),
    ] {
        assert_eq!(judged(&[address], &everything).is_ok(), reachable, "{address}");
        assert!(judged(&[address], &[]).is_err(), "{address}");
    }
    let through = judged(&["8.8.8.8", "10.1.2.3"], &["192.168.0.0/16", "10.1.0.0/16"]).unwrap().through;
    assert_eq!(through, Some("10.1.0.0/16".parse().unwrap()));
    assert_eq!(judged(&["8.8.8.8"], &["8.8.8.0/24"]).unwrap().through, None, "the public network needs no grant of a network");
    assert!(judged(&["10.2.0.1"], &["10.1.0.0/16"]).is_err());
}

#[test]
fn our_own_sockets_are_ours_whatever_is_granted() {
    let own = Own {
        sockets: ["0.0.0.0:8080", "127.0.0.1:8081", "10.0.0.9:5432", "[2a00::9]:5432"].map(|s| s.parse().unwrap()).to_vec(),
        names: Vec::new(),
    };
    let networks = nets(&["10.0.0.0/8"]);
    let machine = [ip("10.0.0.7"), ip("93.184.216.34")];
    let judge = |address: &str, port| judge(&[ip(address)], port, &networks, &own, &|a| machine.contains(&a)).map(|_| ());
    for (address, port, expected) in [
        // What listens everywhere, or behind loopback, is ours on each of our addresses, public ones too.
        ("10.0.0.7", 8080, Err(Refusal::Own)),
        ("93.184.216.34", 8080, Err(Refusal::Own)),
        ("::ffff:93.184.216.34", 8080, Err(Refusal::Own)),
        ("93.184.216.34", 8081, Err(Refusal::Own)),
        ("93.184.216.34", 443, Ok(())),
        ("10.0.0.8", 8080, Ok(())),
        // The database is ours where it is.
        ("10.0.0.9", 5432, Err(Refusal::Own)),
        ("2a00::9", 5432, Err(Refusal::Own)),
        ("10.0.0.9", 5433, Ok(())),
        ("10.0.0.7", 5432, Ok(())),
    ] {
        assert_eq!(judge(address, port), expected, "{address} {port}");
    }
}

#[test]
fn an_address_is_connected_to_once_and_in_its_own_form() {
    let sockets = judged(&["2606:4700::1111", "8.8.8.8", "::ffff:8.8.8.8", "8.8.8.8"], &[]).unwrap().sockets;
    assert_eq!(sockets, ["[2606:4700::1111]:80".parse().unwrap(), "8.8.8.8:80".parse::<SocketAddr>().unwrap()]);
}

proptest! {
    #[test]
    fn v4_is_refused_as_the_registry_says(bits: u32) {
        let address = IpAddr::V4(Ipv4Addr::from_bits(bits));
        let refused = nets(&REFUSED).iter().any(|network| network.contains(&address));
        prop_assert_eq!(class_of(address).is_some(), refused, "{}", address);
    }

    /// Near the edges of the registry's networks, where a wrong mask would show.
    #[test]
    fn edges_of_networks_are_where_the_registry_has_them(index in 0..REFUSED.len(), offset in -2_i64..3, end: bool) {
        let networks = nets(&REFUSED);
        let edge = if end { networks[index].broadcast() } else { networks[index].network() };
        let address: IpAddr = match edge {
            IpAddr::V4(edge) => Ipv4Addr::from_bits(edge.to_bits().wrapping_add_signed(offset as i32)).into(),
            IpAddr::V6(edge) => Ipv6Addr::from_bits(edge.to_bits().wrapping_add_signed(offset.into())).into(),
        };
        let public_v6 = "2000::/3".parse::<IpNet>().unwrap();
        let refused = networks.iter().any(|network| network.contains(&address)) || (address.is_ipv6() && !public_v6.contains(&address));
        let reserved_2001 = "2001::/23".parse::<IpNet>().unwrap();
        // The mapped and the well-known NAT64 form have a rule of their own, below.
        let unwrapped = [nets(&["::ffff:0:0/96", "64:ff9b::/96"])].concat().iter().any(|network| network.contains(&address));
        prop_assume!(!unwrapped);
        prop_assert_eq!(class_of(address).is_some(), refused || reserved_2001.contains(&address), "{}", address);
    }

    #[test]
    fn a_wrapped_v4_address_is_never_more_reachable(bits: u32) {
        let v4 = Ipv4Addr::from_bits(bits);
        let within = |prefix: &str| match ip(prefix) {
            IpAddr::V6(prefix) => IpAddr::V6(Ipv6Addr::from_bits(prefix.to_bits() | u128::from(bits))),
            IpAddr::V4(_) => unreachable!(),
        };
        let class = class_of(v4.into());
        prop_assert_eq!(class_of(within("::ffff:0:0")), class);
        prop_assert_eq!(class_of(within("64:ff9b::")).is_some(), class.is_some());
        prop_assert!(bits <= 1 || class_of(within("::")) == Some(Class::Reserved));
        let six = Ipv6Addr::from_bits((0x2002_u128 << 112) | (u128::from(bits) << 80) | 1);
        prop_assert_eq!(class_of(six.into()), Some(Class::Tunnel));
        let teredo = Ipv6Addr::from_bits((0x2001_0000_u128 << 96) | u128::from(!bits));
        prop_assert_eq!(class_of(teredo.into()), Some(Class::Tunnel));
    }

    /// The standard library's own words for the classes that it knows.
    #[test]
    fn the_standard_library_agrees(bits: u32, high: u128) {
        let v4 = Ipv4Addr::from_bits(bits);
        if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_documentation() || v4.is_unspecified() || v4.is_broadcast() {
            prop_assert!(class_of(v4.into()).is_some(), "{}", v4);
        }
        let v6 = Ipv6Addr::from_bits(high);
        if v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast() || v6.is_loopback() {
            prop_assert!(class_of(v6.into()).is_some(), "{}", v6);
        }
    }

    #[test]
    fn a_name_is_allowed_when_each_of_its_addresses_is(bits in proptest::collection::vec(any::<u32>(), 1..6), ours: bool) {
        // Half of the cases have only public addresses, or nearly.
        let addresses: Vec<_> = bits.iter().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(if ours { bits | 0x0100_0000 } else { bits & 0x0fff_ffff }))).collect();
        let networks = nets(&["10.0.0.0/9"]);
        let each = addresses.iter().all(|address| judge(&[*address], 80, &networks, &Own::default(), &|_| false).is_ok());
        prop_assert_eq!(judge(&addresses, 80, &networks, &Own::default(), &|_| false).is_ok(), each);
    }
}
