//! Which URLs and addresses are refused: one line for each range and each spelling.

use super::super::{Networks, Target, UrlError};
use ipnet::IpNet;
use std::net::IpAddr;

fn networks(allowed: &[&str]) -> Networks {
    let allowed: Vec<IpNet> = allowed.iter().map(|network| network.parse().unwrap()).collect();
    Networks::new(&allowed)
}

fn public(address: &str) -> bool {
    let address: IpAddr = address.parse().unwrap();
    networks(&[]).check(address, true).is_ok()
}

/// First and last of each range, and their neighbours outside.
#[test]
fn every_range_of_ipv4_that_is_not_the_internet() {
    for (first, last, before, after) in [
        ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
        ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
        ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
        ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
        ("168.63.129.16", "168.63.129.16", Some("168.63.129.15"), Some("168.63.129.17")),
        ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
        ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
        ("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0")),
        ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
        ("192.31.196.0", "192.31.196.255", Some("192.31.195.255"), Some("192.31.197.0")),
        ("192.52.193.0", "192.52.193.255", Some("192.52.192.255"), Some("192.52.194.0")),
        ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
        ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
        ("192.175.48.0", "192.175.48.255", Some("192.175.47.255"), Some("192.175.49.0")),
        ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
        ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
        ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
        ("224.0.0.0", "239.255.255.255", Some("223.255.255.255"), None),
        ("240.0.0.0", "255.255.255.255", None, None),
    ] {
        for inside in [first, last] {
            assert!(!public(inside), "{inside}");
            // However it is dressed up.
            assert!(!public(&format!("::ffff:{inside}")), "mapped {inside}");
            assert!(!public(&format!("64:ff9b::{inside}")), "NAT64 {inside}");
        }
        for outside in [before, after].into_iter().flatten() {
            assert!(public(outside), "{outside}");
            assert!(public(&format!("64:ff9b::{outside}")), "NAT64 {outside}");
        }
    }
}

#[test]
fn of_ipv6_only_what_is_known_to_be_the_internet() {
    for address in [
        "::",
        "::1",
        "::7f00:1",         // IPv4-compatible
        "64:ff9b:1::a00:1", // local NAT64
        "100::1",           // discarded
        "fc00::1",          // unique local
        "fd00:ec2::254",    // metadata
        "fd20:ce::254",     // metadata
        "fe80::1",          // link-local
        "febf:ffff::1",
        "fec0::1",    // site-local, of old
        "ff02::1",    // multicast
        "2001::1",    // Teredo
        "2001:10::1", // ORCHID
        "2001:1ff:ffff::1",
        "2001:db8::1",    // documentation
        "2002:7f00:1::1", // 6to4 of 127.0.0.1
        "2002:808:808::1",
        "3fff::1", // documentation
        "3fff:fff:ffff::1",
        "5f00::1", // segment routing
        "4000::1",
        "1fff:ffff::1",
    ] {
        assert!(!public(address), "{address}");
    }
    for address in ["2001:200::1", "2001:4860:4860::8888", "2606:4700:4700::1111", "2a00:1450::1", "3ffe::1"]
    {
        assert!(public(address), "{address}");
    }
}

fn read(url: &str) -> Result<String, UrlError> {
    Target::read(url, &networks(&[])).map(|target| target.as_str().to_owned())
}

#[test]
fn good_urls_are_taken_as_they_are() {
    for url in [
        "https://example.com/",
        "https://example.com/sms?account=7",
        "https://example.com:8443/a",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
    ] {
        assert_eq!(read(url).as_deref(), Ok(url));
    }
    assert_eq!(read("https://مثال.ایران/").as_deref(), Ok("https://xn--mgbh0fb.xn--mgba3a4f16a/"));
}

#[test]
fn an_address_is_seen_however_it_is_spelt() {
    for url in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/", // decimal
        "https://0x7f000001/", // hexadecimal
        "https://0177.0.0.1/", // octal
        "https://017700000001/",
        "https://0x7f.1/",
        "https://127.0.0.1./",
        "https://１２７.0.0.1/", // full-width digits
        "https://127。0。0。1/", // ideographic full stops
        "https://%31%32%37.0.0.1/",
        "https://0/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::10.0.0.1]/",
        "https://[fe80::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.100.100.200/",
        "https:\\\\127.0.0.1/", // backslashes
        "https:127.0.0.1",
        "https:////127.0.0.1/",
        "HTTPS://127.0.0.1/",
    ] {
        assert_eq!(read(url), Err(UrlError::Address), "{url}");
    }
}

#[test]
fn what_no_endpoint_needs_is_refused() {
    for (url, error) in [
        ("", UrlError::NoUrl),
        ("example.com", UrlError::NoUrl),
        ("https://", UrlError::NoUrl),
        ("https://exa mple.com/", UrlError::NoUrl),
        ("https://example.com/\r\nHost: x", UrlError::NoUrl),
        ("https://256.1.1.1/", UrlError::NoUrl),
        ("https://[fe80::1%25eth0]/", UrlError::NoUrl),
        ("https://example.com:99999/", UrlError::NoUrl),
        ("http://example.com/", UrlError::NotHttps),
        ("http://127.0.0.1/", UrlError::NotHttps),
        ("ftp://example.com/", UrlError::NotHttps),
        ("file:///etc/passwd", UrlError::NotHttps),
        ("gopher://example.com/", UrlError::NotHttps),
        ("javascript:alert(1)", UrlError::NotHttps),
        ("https://user@example.com/", UrlError::Credentials),
        ("https://user:password@example.com/", UrlError::Credentials),
        ("https://example.com@127.0.0.1/", UrlError::Credentials),
        ("https://example.com/#a", UrlError::Fragment),
        ("https://example.com:22/", UrlError::Port),
        ("https://example.com:25/", UrlError::Port),
        ("https://example.com:0/", UrlError::Port),
        ("https://example.com:1023/", UrlError::Port),
    ] {
        assert_eq!(read(url), Err(error), "{url}");
    }
    assert_eq!(read(&format!("https://example.com/{}", "a".repeat(2_048))), Err(UrlError::NoUrl));
}

#[test]
fn what_the_installation_allows_is_allowed_and_that_alone() {
    let networks = networks(&["10.20.0.0/16", "fd00:1::/64"]);
    for url in [
        "http://10.20.0.1/",
        "https://10.20.255.255:9000/",
        "https://[::ffff:10.20.0.1]/",
        "http://[fd00:1::7]/",
        "http://inside.example/",
        "https://8.8.8.8/",
    ] {
        assert!(Target::read(url, &networks).is_ok(), "{url}");
    }
    for url in ["https://10.21.0.1/", "https://127.0.0.1/", "https://[fd00:2::1]/", "http://8.8.8.8/"] {
        assert_eq!(Target::read(url, &networks).err(), Some(UrlError::Address), "{url}");
    }
}
