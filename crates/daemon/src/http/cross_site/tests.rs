//! One set of cases for calls, forms and what is followed.

use hyper::Method;
use ironlance_config::{Credentials, Password};
use proptest::prelude::*;

use super::*;

const ALL: [CrossSitePolicy; 3] = [CrossSitePolicy::Call, CrossSitePolicy::Form, CrossSitePolicy::Stream];

fn machine() -> MachineNames {
    MachineNames { host_name: "web1".into(), domains: vec!["corp.example".into()] }
}

fn tcp(host: &str, allowed: &[&str], locked: bool) -> CrossSiteCheck {
    let credentials =
        locked.then(|| Credentials { username: "u".into(), password: Password::Plain("p".into()) });
    let address = ServerAddress::Tcp { host: host.into(), port: 9001 };
    let allowed_hosts = allowed.iter().map(|&name| name.to_owned()).collect();
    let section = "inet_http_server".to_owned();
    CrossSiteCheck::new(
        &HttpServer { section, address, credentials, allow_anonymous_changes: false, allowed_hosts },
        &machine(),
    )
}

fn unix() -> CrossSiteCheck {
    let address = ServerAddress::Unix { path: "/s".into(), mode: 0o700, owner: None };
    let section = "unix_http_server".to_owned();
    CrossSiteCheck::new(
        &HttpServer {
            section,
            address,
            credentials: None,
            allow_anonymous_changes: false,
            allowed_hosts: Vec::new(),
        },
        &machine(),
    )
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn wrong_name(policy: &CrossSiteCheck, uri: &str, hosts: &[&str]) -> Option<String> {
    let request = Request::builder().method(Method::GET).uri(uri);
    let request = hosts.iter().fold(request, |request, host| request.header(HOST, *host));
    policy.unknown_host(&request.body(()).unwrap())
}

#[test]
fn a_server_without_password_answers_only_to_names_that_nobody_else_can_own() {
    let policy = tcp("sup.example", &["status.example", ".lan"], false);
    for ours in [
        "127.0.0.1:9001",
        "127.0.0.1",
        "[::1]:9001",
        "192.168.1.5:9001",
        "localhost:9001",
        "LOCALHOST",
        "app.localhost:9001",
        "web1:9001",
        "Web1.Corp.Example",
        "other.corp.example:9001",
        "supervisor:9001",
        "sup.example:9001",
        "status.example",
        "status.example.:443",
        "printer.lan",
        "",
    ] {
        assert_eq!(wrong_name(&policy, "/", &[ours]), None, "{ours}");
    }
    for foreign in [
        "evil.example:9001",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "lan.evil.example",
        "notcorp.example",
        "status.example.evil",
        "user@localhost",
        "a b",
        "evil.example/",
        "localhost:evil.example",
        "[::1].evil.example",
        "::1.evil.example",
        ":",
        "xstatus.example",
    ] {
        assert_eq!(wrong_name(&policy, "/", &[foreign]).as_deref(), Some(foreign));
    }
    assert_eq!(wrong_name(&policy, "/", &[]), None, "old clients name nobody");
}

#[test]
fn every_name_in_a_request_has_to_be_ours() {
    let policy = tcp("", &[], false);
    assert_eq!(wrong_name(&policy, "/", &["localhost", "evil.example"]).as_deref(), Some("evil.example"));
    assert_eq!(wrong_name(&policy, "/", &["evil.example", "localhost"]).as_deref(), Some("evil.example"));
    assert_eq!(wrong_name(&policy, "http://evil.example/", &["localhost"]).as_deref(), Some("evil.example"));
    assert_eq!(wrong_name(&policy, "http://localhost/", &["localhost"]), None);
}

#[test]
fn with_a_password_on_a_unix_socket_or_where_it_is_wanted_any_name_will_do() {
    for policy in [tcp("", &[], true), tcp("", &["*"], false), unix()] {
        assert_eq!(wrong_name(&policy, "/", &["evil.example"]), None);
    }
}

#[test]
fn programs_do_not_say_where_they_come_from() {
    for policy in [tcp("", &[], false), tcp("", &[], true), unix()] {
        for ask in ALL {
            assert!(policy.allows(ask, &headers(&[("host", "whatever")])));
            assert!(policy.allows(ask, &headers(&[])));
        }
    }
}

#[test]
fn a_page_of_ours_may_come_by_any_name_of_ours() {
    for policy in [tcp("", &[], false), tcp("", &[], true), unix()] {
        for ask in ALL {
            for host in ["127.0.0.1:9001", "localhost:9001", "192.168.1.5", "[::1]:9001", "web1:9001"] {
                let origin = format!("http://{host}");
                assert!(policy.allows(ask, &headers(&[("host", host), ("origin", &origin)])), "{host}");
                let same = [("host", host), ("origin", &origin), ("sec-fetch-site", "same-origin")];
                assert!(policy.allows(ask, &headers(&same)), "{host}");
            }
        }
    }
}

#[test]
fn a_page_elsewhere_is_turned_away() {
    let host = "127.0.0.1:9001";
    for policy in [tcp("", &[], false), tcp("", &[], true), unix()] {
        for ask in ALL {
            for origin in [
                "http://evil.example",
                "https://evil.example:9001",
                "null",
                "",
                "file://",
                "http://127.0.0.1",
                "http://localhost:9001",
                "ftp://127.0.0.1:9001",
            ] {
                assert!(!policy.allows(ask, &headers(&[("host", host), ("origin", origin)])), "{origin}");
            }
            for site in ["cross-site", "same-site", "nonsense", ""] {
                assert!(!policy.allows(ask, &headers(&[("host", host), ("sec-fetch-site", site)])), "{site}");
            }
        }
    }
}

#[test]
fn a_name_that_was_pointed_at_us_opens_nothing_where_there_is_no_password() {
    let rebound = headers(&[("host", "evil.example:9001"), ("origin", "http://evil.example:9001")]);
    for ask in ALL {
        assert!(!tcp("", &[], false).allows(ask, &rebound));
        assert!(!unix().allows(ask, &rebound), "through a proxy");
    }
}

#[test]
fn behind_a_proxy_that_changes_the_name_the_browsers_word_is_enough_with_a_password() {
    let (host, origin) = ("127.0.0.1:9001", "https://status.example");
    let proxied = headers(&[("host", host), ("origin", origin), ("sec-fetch-site", "same-origin")]);
    for ask in ALL {
        assert!(tcp("", &[], true).allows(ask, &proxied));
        assert!(!tcp("", &[], false).allows(ask, &proxied));
        let passed = headers(&[("host", "status.example"), ("origin", origin)]);
        assert!(tcp("", &[], true).allows(ask, &passed));
        assert!(tcp("", &["status.example"], false).allows(ask, &passed));
        assert!(!tcp("", &[], true).allows(ask, &headers(&[("host", host), ("origin", origin)])));
    }
}

#[test]
fn a_link_from_anywhere_may_lead_to_what_is_followed_and_to_nothing_else() {
    let link = headers(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]);
    let policy = tcp("", &[], true);
    assert_eq!(ALL.map(|ask| policy.allows(ask, &link)), [false, false, true]);
}

#[test]
fn the_domains_of_the_machine_are_those_of_its_resolver() {
    let text =
        "# search no\nnameserver 1.1.1.1\ndomain corp.example.\nsearch a.example  B.example .\nsearch\n";
    assert_eq!(domains(text), ["corp.example", "a.example", "B.example"]);
}

proptest! {
    #[test]
    fn no_header_makes_it_panic_or_a_foreign_name_ours(name in "[ -~]{0,40}", site in "[ -~]{0,20}") {
        let foreign = format!("{name}.evil.example");
        let policy = tcp("", &[], false);
        if let (Ok(host), Ok(origin)) = (foreign.parse(), format!("http://{foreign}").parse()) {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host);
            headers.insert(ORIGIN, origin);
            if let Ok(site) = site.parse() {
                headers.insert("sec-fetch-site", site);
            }
            prop_assert!(ALL.iter().all(|&ask| !policy.allows(ask, &headers)));
            let mut request = Request::new(());
            *request.headers_mut() = headers;
            prop_assert!(policy.unknown_host(&request).is_some());
        }
    }
}
