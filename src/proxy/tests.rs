//! Who is believed, and whom the others make of themselves.

use super::*;

fn proxies(list: &str) -> Proxies {
    Proxies::parse(list).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn request(headers: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::new(());
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

/// Who the client is, and whether it is of this machine.
fn client(trusted: &str, peer: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
    let mut request = request(headers);
    let client = proxies(trusted).note(ip(peer), &mut request);
    (client.to_string(), is_from_here(&request))
}

#[test]
fn a_list_has_addresses_and_networks_of_both_families() {
    let list = proxies(" 10.0.0.0/8, 127.0.0.1,::1 , fd00::/8,");
    for address in ["10.255.0.1", "127.0.0.1", "::1", "fd12::1"] {
        assert!(list.trust(ip(address)), "{address}");
    }
    for address in ["11.0.0.1", "127.0.0.2", "::2", "fe80::1"] {
        assert!(!list.trust(ip(address)), "{address}");
    }
    assert!(proxies("").is_empty() && proxies(",").is_empty());
    for wrong in ["nginx", "10.0.0.0/33", "10.0.0.1:80", "10.0.0.1 10.0.0.2", "/8", "10.0.0/8"] {
        assert_eq!(Proxies::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_client_is_the_last_who_is_no_trusted_proxy() {
    let cases = [
        // What a client writes itself stands before what the proxies add.
        ("127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("garbage, 203.0.113.9", "203.0.113.9"),
        ("10.1.2.3, 10.4.5.6", "10.1.2.3"),
        // As proxies write addresses.
        ("1.2.3.4:567", "1.2.3.4"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("\"[2001:db8::1]:80\"", "2001:db8::1"),
        ("\"1.2.3.4\"", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("1.2.3.4 ", "1.2.3.4"),
        // Where there is none, the last who is known.
        ("127.0.0.1, unknown", "127.0.0.1"),
        ("127.0.0.1, unknown, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1, unix:", "127.0.0.1"),
        ("127.0.0.1, _hidden", "127.0.0.1"),
        ("127.0.0.1,", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("999.1.1.1", "127.0.0.1"),
        ("127.0.0.1:99999", "127.0.0.1"),
        ("[127.0.0.1", "127.0.0.1"),
    ];
    for (list, expected) in cases {
        let found = client("127.0.0.1, 10.0.0.0/8", "127.0.0.1", &[(FOR, list)]);
        assert_eq!(found, (expected.into(), false), "{list:?}");
    }
    // Several lines are one list.
    let lines = [(FOR, "127.0.0.1"), (FOR, "203.0.113.9"), (FOR, "10.1.2.3")];
    assert_eq!(client("127.0.0.1, 10.0.0.0/8", "::ffff:127.0.0.1", &lines).0, "203.0.113.9");
}

#[test]
fn this_machine_is_nobody_but_itself() {
    let through_itself = |list| client("127.0.0.1, 10.0.0.0/8", "127.0.0.1", &[(FOR, list)]);
    for list in ["127.0.0.1", "::1", "127.0.0.1, 127.0.0.1", "127.0.0.5:1"] {
        assert!(through_itself(list).1, "{list}");
    }
    // Another machine's loopback.
    assert!(!through_itself("127.0.0.1, 10.1.2.3").1);
    assert!(!client("10.0.0.0/8", "10.1.2.3", &[(FOR, "127.0.0.1")]).1);
    // No proxy, and such as nobody trusts or nobody understands.
    assert!(client("127.0.0.1", "127.0.0.1", &[]).1);
    assert!(client("10.0.0.0/8", "127.0.0.1", &[]).1);
    for sign in SIGNS {
        assert_eq!(client("10.0.0.0/8", "127.0.0.1", &[(sign, "127.0.0.1")]), ("127.0.0.1".into(), false), "{sign}");
        assert_eq!(client("127.0.0.1", "127.0.0.1", &[(sign, "127.0.0.1")]).1, sign == FOR, "{sign}");
    }
}

#[test]
fn the_site_is_what_a_trusted_proxy_says() {
    let headers = |proto, host| [("host", "inside:8000"), (PROTO, proto), (ITS_HOST, host)];
    let seen = |peer: &str, proto, host| {
        let mut request = request(&headers(proto, host));
        proxies("10.0.0.1").note(ip(peer), &mut request);
        let (scheme, host) = site(&request);
        (scheme.map(|scheme| scheme.to_string()), host.map(|host| host.to_string()).unwrap())
    };
    assert_eq!(seen("10.0.0.1", "https", "chat.example"), (Some("https".into()), "chat.example".into()));
    assert_eq!(seen("10.0.0.1", "WSS", "chat.example:8443"), (Some("https".into()), "chat.example:8443".into()));
    assert_eq!(seen("10.0.0.1", "http", ""), (Some("http".into()), "inside:8000".into()));
    // What may be understood in two ways says nothing.
    assert_eq!(seen("10.0.0.1", "https, http", "a.example, b.example"), (None, "inside:8000".into()));
    assert_eq!(seen("10.0.0.2", "https", "evil.example"), (None, "inside:8000".into()));
}
