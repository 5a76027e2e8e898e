//! Findings about the HTTP servers: ports and sockets, and which users can connect.

use std::net::IpAddr;

use ironlance_config::ini::Section;
use ironlance_config::value::boolean;

use super::inspect::ConfigView;
use super::report::Findings;

/// Write permission for all users.
const OPEN: u32 = 0o002;

/// Adds the findings about `[inet_http_server]` and `[unix_http_server]`.
pub(super) fn examine(view: &ConfigView<'_>, found: &mut Findings) {
    for section in view.sections("inet_http_server") {
        tcp(view, section, found);
    }
    for section in view.sections("unix_http_server") {
        unix(view, section, found);
    }
}

fn has_password(view: &ConfigView<'_>, section: &Section) -> bool {
    ["username", "password"].iter().all(|key| view.outline.ini.get(section, key).is_some())
}

fn tcp(view: &ConfigView<'_>, section: &Section, found: &mut Findings) {
    let Some(port) = view.value(section, "port").filter(|_| !has_password(view, section)) else { return };
    let is_meant =
        view.value(section, "allow_anonymous_changes").is_some_and(|text| boolean(&text) == Ok(true));
    let text = match is_loopback(&port) {
        false if is_meant => format!(
            "{port} is open to other hosts without a password, and allow_anonymous_changes=true lets everybody who \
             reaches it stop and start programs"
        ),
        true => format!(
            "{port} has no password: every user of this machine can stop programs and read their logs, as under \
             Supervisor; set username and password, or use [unix_http_server]"
        ),
        false => format!(
            "{port} is open to other hosts without a password: Supervisor lets everybody do everything, ironlance is \
             read-only there; set username and password, bind it to 127.0.0.1, or, if this is meant, set \
             allow_anonymous_changes=true"
        ),
    };
    found.about(view.outline, section, "port", &text);
}

/// Whether `HOST:PORT` is a loopback address. Of names only localhost is.
fn is_loopback(port: &str) -> bool {
    let Some((host, _)) = port.rsplit_once(':') else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn unix(view: &ConfigView<'_>, section: &Section, found: &mut Findings) {
    let Some(text) = view.value(section, "chmod") else { return };
    let digits = text.trim().trim_start_matches("0o");
    if u32::from_str_radix(digits, 8).is_ok_and(|mode| mode & OPEN != 0) && !has_password(view, section) {
        let text = format!(
            "{} lets every user of this machine start and stop programs; 0700, or 0770 with chown=root:GROUP, \
             lets in whom you mean",
            text.trim()
        );
        found.about(view.outline, section, "chmod", &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_its_own() {
        for port in ["127.0.0.1:9001", "localhost:9001", "127.1.2.3:1", "[::1]:9001"] {
            assert!(is_loopback(port), "{port}");
        }
        for port in ["9001", "*:9001", ":9001", "0.0.0.0:9001", "web1:9001", "[::]:9001"] {
            assert!(!is_loopback(port), "{port}");
        }
    }
}
