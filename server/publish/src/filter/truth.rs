//! Three-valued truth: a broken filter neither matches nor fails to match.

/// What a condition or filter says of an item.
///
/// The order makes "and" the least and "or" the greatest of several (Kleene), so an answer never depends on the
/// order in which the parts are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It does not match.
    False,
    /// It is broken, and what else was asked does not decide.
    Unknown,
    /// It matches.
    True,
}

impl Truth {
    /// Whether every one is true; of none, true.
    pub(crate) fn all(each: impl IntoIterator<Item = Self>) -> Self {
        let mut least = Self::True;
        for truth in each {
            least = least.min(truth);
            if least == Self::False {
                break;
            }
        }
        least
    }

    /// Whether some one is true; of none, false.
    pub(crate) fn any(each: impl IntoIterator<Item = Self>) -> Self {
        let mut greatest = Self::False;
        for truth in each {
            greatest = greatest.max(truth);
            if greatest == Self::True {
                break;
            }
        }
        greatest
    }

    pub(crate) fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}
