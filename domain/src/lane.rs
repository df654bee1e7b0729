//! Lanes: how urgent a message is. Lanes are data; the same code serves all three.

use std::fmt;
use std::str::FromStr;

/// The lane a message travels in. Its price follows the lane that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Login codes and alerts.
    Express,
    /// Ordinary messages.
    Standard,
    /// Campaigns and large calls.
    Bulk,
}

impl Lane {
    /// All lanes, most urgent first.
    pub const ALL: [Lane; 3] = [Lane::Express, Lane::Standard, Lane::Bulk];

    /// The name used in topics, settings, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lane::Express => "express",
            Lane::Standard => "standard",
            Lane::Bulk => "bulk",
        }
    }

    /// The number stored in records and rows; it never changes meaning.
    pub const fn code(self) -> u8 {
        match self {
            Lane::Express => 1,
            Lane::Standard => 2,
            Lane::Bulk => 3,
        }
    }

    /// The lane with this stored number.
    pub const fn from_code(code: u8) -> Option<Lane> {
        match code {
            1 => Some(Lane::Express),
            2 => Some(Lane::Standard),
            3 => Some(Lane::Bulk),
            _ => None,
        }
    }

    /// The position in [`Lane::ALL`], for arrays with one slot a lane.
    pub const fn index(self) -> usize {
        self.code() as usize - 1
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no lane.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of express, standard, bulk")]
pub struct UnknownLane;

impl FromStr for Lane {
    type Err = UnknownLane;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Lane::ALL.into_iter().find(|lane| lane.as_str() == text).ok_or(UnknownLane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_lead_back() {
        for lane in Lane::ALL {
            assert_eq!(lane.as_str().parse(), Ok(lane));
            assert_eq!(Lane::from_code(lane.code()), Some(lane));
            assert_eq!(Lane::ALL[lane.index()], lane);
        }
        assert_eq!("campaign".parse::<Lane>(), Err(UnknownLane));
        assert_eq!(Lane::from_code(0), None);
    }
}
