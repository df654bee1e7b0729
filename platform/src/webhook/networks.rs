//! Which addresses may be called.

use super::special;
use ipnet::IpNet;
use std::net::IpAddr;

/// The address may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address is not one that may be called")]
pub struct Forbidden;

/// The public internet, and the networks that the installation allows besides.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    allowed: Vec<IpNet>,
}

impl Networks {
    /// The public internet and these networks.
    pub fn new(allowed: &[IpNet]) -> Self {
        Networks { allowed: allowed.to_vec() }
    }

    /// Whether this address may be called. Without TLS only what is allowed by name: on its way
    /// through the internet anybody could read and change what is sent.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn check(&self, address: IpAddr, encrypted: bool) -> Result<(), Forbidden> {
        let permitted = self.allows(address) || (encrypted && special::is_public(address));
        if permitted { Ok(()) } else { Err(Forbidden) }
    }

    /// Whether the installation allows this very address.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        let reached = special::reached(address);
        self.allowed.iter().any(|network| network.contains(&address) || network.contains(&reached))
    }

    /// Whether the installation allows anything besides the public internet.
    pub(super) fn allows_any(&self) -> bool {
        !self.allowed.is_empty()
    }
}
