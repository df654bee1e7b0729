//! The countries that an installation serves.

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};

/// The countries whose numbers are accepted. The first is the one that a number without a
/// country code belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    first: Region,
    regions: Vec<Region>,
}

/// Why a setting names no set of countries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServedError {
    /// The list is empty.
    #[error("expected at least one country, such as \"IR\"")]
    Empty,
    /// Not a region that has phone numbers of its own.
    #[error("expected the two capital letters of a country (ISO 3166), such as \"IR\", not {0:?}")]
    UnknownRegion(String),
}

impl Served {
    /// Reads region codes (`"IR"`) from a setting; the order matters only for the first.
    /// Loads the metadata, so that the first number parsed need not wait for it.
    pub fn new<T: AsRef<str>>(codes: &[T]) -> Result<Served, ServedError> {
        let regions: Vec<Region> =
            codes.iter().map(|code| region(code.as_ref())).collect::<Result<_, _>>()?;
        let first = *regions.first().ok_or(ServedError::Empty)?;
        Ok(Served { first, regions })
    }

    /// The country of numbers without a country code.
    pub(super) fn first(&self) -> Region {
        self.first
    }

    pub(super) fn contains(&self, region: Region) -> bool {
        self.regions.contains(&region)
    }

    /// Whether numbers without a country code are Iranian.
    pub(super) fn iran_first(&self) -> bool {
        self.first == Region::IR
    }
}

/// The library takes small letters too, and makes a region of any two letters.
fn region(code: &str) -> Result<Region, ServedError> {
    PHONE_NUMBER_UTIL
        .get_supported_regions()
        .find(|region| region.as_region_str().as_str() == code)
        .ok_or_else(|| ServedError::UnknownRegion(code.to_owned()))
}
