//! Reading the URL of an endpoint.

use super::Networks;
use reqwest::Url;
use std::net::IpAddr;
use url::Host;

/// Characters of a URL at most.
const URL_MAX: usize = 2_048;
/// Below 1024 stand services that take bytes of anybody for commands; these two are HTTP's.
const WELL_KNOWN_PORTS: [u16; 2] = [80, 443];
const FIRST_FREE_PORT: u16 = 1_024;

/// What is wrong with a URL, for whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It cannot be read.
    #[error("expected a URL such as https://example.com/sms, of at most 2048 characters")]
    NoUrl,
    /// Neither https, nor http where that may be.
    #[error("expected https")]
    NotHttps,
    /// `user:password@` in it.
    #[error("expected no user name and no password in it: the signature proves who calls")]
    Credentials,
    /// `#…` in it.
    #[error("expected no fragment (#…)")]
    Fragment,
    /// A port below 1024 that is not HTTP's.
    #[error("expected port 443, 80 or one from 1024 on")]
    Port,
    /// The address in it may not be called.
    #[error("this address may not be called: it is not on the public internet")]
    Address,
}

/// The URL of an endpoint, read strictly.
#[derive(Clone, Debug)]
pub struct Target {
    url: Url,
}

impl Target {
    /// Reads it. An address in it is judged at once (however it is written: decimal, octal and
    /// hexadecimal spellings of IPv4 are addresses too); a name is judged whenever it is called.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn read(text: &str, networks: &Networks) -> Result<Self, UrlError> {
        if text.len() > URL_MAX || text.chars().any(|character| character.is_control() || character == ' ') {
            return Err(UrlError::NoUrl);
        }
        let url = Url::parse(text).map_err(|_| UrlError::NoUrl)?;
        let encrypted = match url.scheme() {
            "https" => true,
            "http" if networks.allows_any() => false,
            _ => return Err(UrlError::NotHttps),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        let port = url.port_or_known_default().ok_or(UrlError::NoUrl)?;
        if port < FIRST_FREE_PORT && !WELL_KNOWN_PORTS.contains(&port) {
            return Err(UrlError::Port);
        }
        let target = Target { url };
        match target.address() {
            Some(address) => networks.check(address, encrypted).map_err(|_| UrlError::Address)?,
            None if target.url.host_str().is_none_or(str::is_empty) => return Err(UrlError::NoUrl),
            None => {}
        }
        Ok(target)
    }

    /// As it is kept and called.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it is called with TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The address in it, where it has one instead of a name.
    fn address(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }
}
