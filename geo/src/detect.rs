//! Which events a fence tells.

use serde_json::{Map, Value};

use crate::event::Kind;
use crate::issue::{Issues, issue};
use crate::region::member;

const ZONE_KINDS: [Kind; 6] =
    [Kind::Enter, Kind::Exit, Kind::Inside, Kind::Outside, Kind::Cross, Kind::Dwell];
const ROAM_KINDS: [Kind; 2] = [Kind::Near, Kind::Far];

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Detect(u8);

impl Detect {
    pub(crate) fn has(self, kind: Kind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    fn bit(kind: Kind) -> u8 {
        let place = Kind::ALL.iter().position(|known| *known == kind).unwrap_or_default();
        1 << place
    }

    fn of(kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(0, |bits, kind| bits | Self::bit(*kind)))
    }

    /// The member `detect` of a fence; without it, enter and exit, or near and far of one that roams.
    ///
    /// # Errors
    /// A name that is none of a fence of this sort.
    pub(crate) fn parse(object: &Map<String, Value>, roams: bool) -> Result<Self, Issues> {
        let known = if roams { &ROAM_KINDS[..] } else { &ZONE_KINDS[..] };
        let Some(detect) = member(object, "detect") else {
            return Ok(Self::of(if roams { known } else { &[Kind::Enter, Kind::Exit] }));
        };
        let list = detect.as_array().ok_or_else(|| issue("detect", "must be a list of event names"))?;
        let names = || known.iter().map(|kind| kind.text()).collect::<Vec<_>>().join(", ");
        list.iter().enumerate().try_fold(Self::default(), |set, (index, name)| {
            let kind = known.iter().find(|kind| name.as_str() == Some(kind.text()));
            let kind = kind
                .ok_or_else(|| issue(&format!("detect[{index}]"), &format!("must be one of {}", names())))?;
            Ok(Self(set.0 | Self::bit(*kind)))
        })
    }
}
