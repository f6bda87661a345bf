//! What is told: a list gained or lost an ad, a device crossed a fence.
//!
//! An event's name is made of where it came from, so the same log gives the same documents however often it is
//! replayed.

use std::fmt;
use std::sync::Arc;

use dateline_engine::{DocId, Error, Millis, Result};
use serde::Serialize;
use serde_json::Value;

use crate::fence::Fence;
use crate::fix::Fix;
use crate::hash::hash;
use crate::point::Point;
use crate::time::time_text;

/// The entry that caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Log { seq: u64 },
    Positions { seq: u64, index: u32 },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log { seq } => write!(f, "c{seq:012x}"),
            Self::Positions { seq, index } => write!(f, "p{seq:012x}-{index:05x}"),
        }
    }
}

/// What happened, in the order in which the events of one cause are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Exit,
    Far,
    Cross,
    Enter,
    Near,
    Dwell,
    Outside,
    Inside,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Exit,
        Self::Far,
        Self::Cross,
        Self::Enter,
        Self::Near,
        Self::Dwell,
        Self::Outside,
        Self::Inside,
    ];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Far => "far",
            Self::Cross => "cross",
            Self::Enter => "enter",
            Self::Near => "near",
            Self::Dwell => "dwell",
            Self::Outside => "outside",
            Self::Inside => "inside",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    NewAd,
    UpdatePos,
    Changed,
    Expired,
    Removed,
    Initial,
    FenceChanged,
    FenceRemoved,
    Deleted,
    /// The hours of a fence began or ended.
    Schedule,
    /// Time went by while the device was silent.
    Clock,
}

impl Reason {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::NewAd => "new:ad",
            Self::UpdatePos => "update:pos",
            Self::Changed => "changed",
            Self::Expired => "expired",
            Self::Removed => "removed",
            Self::Initial => "initial",
            Self::FenceChanged => "fence_changed",
            Self::FenceRemoved => "fence_removed",
            Self::Deleted => "deleted",
            Self::Schedule => "schedule",
            Self::Clock => "clock",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) source: Source,
    pub(crate) at: Millis,
    pub(crate) kind: Kind,
    pub(crate) reason: Reason,
    pub(crate) told: Told,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Match(MatchTold),
    Fence(FenceTold),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MatchTold {
    pub(crate) list: DocId,
    pub(crate) ad: DocId,
    pub(crate) device: Option<Arc<str>>,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) distance_m: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FenceTold {
    pub(crate) fence: DocId,
    pub(crate) device: DocId,
    pub(crate) place: Point,
    pub(crate) previous: Option<Point>,
    /// To the edge of the fence, or to the other device.
    pub(crate) distance_m: f64,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) meta: Option<Value>,
    pub(crate) group: Option<Group>,
    /// How long the device has been inside, where that is known.
    pub(crate) dwell_ms: Option<u64>,
    /// Of a pair of devices.
    pub(crate) other: Option<DocId>,
}

impl FenceTold {
    /// What is told of a device at a fence, without what only some events have.
    pub(crate) fn new(
        id: &DocId,
        fence: &Fence,
        fix: &Fix,
        previous: Option<Point>,
        distance_m: f64,
    ) -> Self {
        Self {
            fence: id.clone(),
            device: fix.device.clone(),
            place: fix.point,
            previous,
            distance_m,
            name: fence.name.clone(),
            meta: fence.meta.clone(),
            group: fence.group.clone().map(|name| Group { name, crossed: false }),
            dwell_ms: None,
            other: None,
        }
    }
}

/// The group of a fence, and whether the group as a whole was entered or left with this event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) crossed: bool,
}

impl Event {
    /// The name of its document.
    pub(crate) fn id(&self) -> Result<DocId> {
        let kind = self.kind.text();
        let pair = match &self.told {
            Told::Match(told) => hash(&["match", told.list.as_str(), told.ad.as_str(), kind]),
            Told::Fence(told) => {
                let (fence, device) = (told.fence.as_str(), told.device.as_str());
                match &told.other {
                    Some(other) => hash(&["fence", fence, device, kind, other.as_str()]),
                    None => hash(&["fence", fence, device, kind]),
                }
            }
        };
        DocId::new(format!("{}-{pair:032x}", self.source))
            .map_err(|error| Error::internal(format!("event name: {error}")))
    }

    /// The body of its document, in JSON.
    pub(crate) fn body(&self) -> Result<Vec<u8>> {
        let (event, reason, at) = (self.kind.text(), self.reason.text(), time_text(self.at));
        let body = match &self.told {
            Told::Match(told) => serde_json::to_vec(&MatchBody {
                adlist: told.list.as_str(),
                ad: told.ad.as_str(),
                device: told.device.as_deref(),
                user: told.user.as_deref(),
                event,
                reason,
                distance_m: told.distance_m.map(rounded),
                at,
                adlist_name: told.name.as_deref(),
            }),
            Told::Fence(told) => {
                let crossed = told.group.as_ref().is_some_and(|group| group.crossed);
                serde_json::to_vec(&FenceBody {
                    fence: told.fence.as_str(),
                    device: told.device.as_str(),
                    event,
                    reason,
                    at,
                    lon: told.place.lon(),
                    lat: told.place.lat(),
                    previous: told.previous.map(|place| [place.lon(), place.lat()]),
                    distance_m: rounded(told.distance_m),
                    other: told.other.as_ref().map(DocId::as_str),
                    dwell_s: told.dwell_ms.map(|millis| millis as f64 / 1000.0),
                    group: told.group.as_ref().map(|group| &*group.name),
                    group_event: crossed.then_some(event),
                    fence_name: told.name.as_deref(),
                    meta: told.meta.as_ref(),
                })
            }
        };
        body.map_err(|error| Error::internal(format!("event: {error}")))
    }
}

/// What clients read, in this order.
#[derive(Serialize)]
struct MatchBody<'a> {
    adlist: &'a str,
    ad: &'a str,
    device: Option<&'a str>,
    user: Option<&'a str>,
    event: &'static str,
    reason: &'static str,
    distance_m: Option<f64>,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    adlist_name: Option<&'a str>,
}

/// What clients read, in this order.
#[derive(Serialize)]
struct FenceBody<'a> {
    fence: &'a str,
    device: &'a str,
    event: &'static str,
    reason: &'static str,
    at: String,
    lon: f64,
    lat: f64,
    previous: Option<[f64; 2]>,
    distance_m: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dwell_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_event: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fence_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a Value>,
}

/// To the millimetre: finer than a coordinate is stored.
pub(crate) fn rounded(metres: f64) -> f64 {
    (metres * 1000.0).round() / 1000.0
}
