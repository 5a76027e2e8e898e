//! URLs of channels and the proxy variables of the environment: nothing panics, and what is shown of a URL holds no key.
#![no_main]

use ironlance_net::{HttpUrl, Proxy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '\n');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    let (url, proxy, no_proxy) = (next(), next(), next());
    let Ok(url) = HttpUrl::parse(&url) else { return };
    assert!(url.target.starts_with('/') && !url.host.is_empty());
    let authority = url.host_port.len();
    assert!(url.redacted().len() <= "https://".len() + authority + "/…".len());
    let _ = url.basic_authorization();
    let _ = Proxy::of_environment(&url, |name| match name {
        "no_proxy" => Some(no_proxy.clone()),
        "all_proxy" => Some(proxy.clone()),
        _ => None,
    });
});
