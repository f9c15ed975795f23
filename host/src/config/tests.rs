use super::*;

#[test]
fn addresses_are_read_or_refused() {
    assert_eq!(parse_bind("127.0.0.1:0").unwrap().port(), 0);
    assert_eq!(parse_bind("localhost:81").unwrap(), "127.0.0.1:81".parse().unwrap());
    assert!(parse_bind("[::]:8080").unwrap().is_ipv6());
    for wrong in ["8080", ":8080", "127.0.0.1", "localhost:x", "localhost:70000", "example.org:80", ""] {
        assert!(parse_bind(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn domains_are_made_plain_or_refused() {
    assert_eq!(parse_domain("Apps.Example.ORG.").unwrap(), "apps.example.org");
    assert_eq!(parse_domain("localhost").unwrap(), "localhost");
    for wrong in ["", ".", "a..b", "*.x", "-a", "a-", "http://x", "x:80", "ä.org"] {
        assert!(parse_domain(wrong).is_err(), "{wrong:?}");
    }
    let (longest, longer) = ("a".repeat(63), "a".repeat(64));
    assert!(parse_domain(&longest).is_ok() && parse_domain(&longer).is_err());
}

#[test]
fn networks_of_proxies_are_read_or_refused() {
    for (text, network) in [
        ("10.0.0.5", "10.0.0.5/32"),
        (" 172.16.9.9/12", "172.16.0.0/12"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("0.0.0.0/1", "0.0.0.0/1"),
    ] {
        assert_eq!(parse_network(text).unwrap().to_string(), network);
    }
    for wrong in ["", "proxy", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.5:80"] {
        assert!(parse_network(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn base_urls_are_scheme_and_host() {
    assert_eq!(parse_base_url("HTTPS://Cloud.example/").unwrap(), "https://cloud.example");
    assert_eq!(parse_base_url("http://[::1]:81").unwrap(), "http://[::1]:81");
    for wrong in ["cloud.example", "https://", "https:///", "https://a/b", "https://u@h", "ftp://a", "https://a?b"] {
        assert!(parse_base_url(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn roles_are_words_in_any_order() {
    assert_eq!(parse_roles("ingress,api,workers").unwrap(), Roles::ALL);
    let two = parse_roles("workers, api").unwrap();
    assert_eq!((two.to_string().as_str(), two.ingress), ("api,workers", false));
    for wrong in ["", ",", "ingress,", "Ingress", "all", "ingress;api"] {
        assert!(parse_roles(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_hidden_text_is_not_printed() {
    let hidden = parse_hidden("hush").unwrap();
    assert_eq!((hidden.expose(), format!("{hidden:?}").contains("hush")), ("hush", false));
}

#[test]
fn counts_are_positive() {
    assert_eq!(parse_count("65536"), Ok(65_536));
    for wrong in ["0", "-1", "65537", "many", "1.5"] {
        assert!(parse_count(wrong).is_err(), "{wrong:?}");
    }
}
