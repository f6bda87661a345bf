//! What must come out: the contract of lists and fences in the plainest code, all against all.
//!
//! Every step is applied to a complete state; events are the differences of two states. No index, no candidates,
//! no code of the program. Coordinates are first rounded as the program keeps them, so that both judge the same places.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::rules::{Ad, Area, Fence, List};
use crate::sphere::{Place, kept, reach_deg};

/// One thing a client does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put { resource: &'static str, id: String, body: Value },
    Patch { resource: &'static str, id: String, changes: Value },
    Delete { resource: &'static str, id: String },
    Fixes(Vec<Fix>),
}

/// A position of a device.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fix {
    pub(crate) device: String,
    pub(crate) place: Place,
    /// Unix milliseconds.
    pub(crate) at_ms: i64,
}

/// An event that must come, and how precisely it is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    /// The step and, in a batch, the fix that causes it.
    pub(crate) cause: (usize, usize),
    pub(crate) kind: Kind,
    /// The list or fence.
    pub(crate) rule: String,
    /// The ad of a match.
    pub(crate) ad: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) event: &'static str,
    pub(crate) reason: &'static str,
    /// `None` where the contract leaves it open.
    pub(crate) distance_m: Option<f64>,
    /// Of `update:pos` only: the time of the fix. Otherwise the server's time of the change.
    pub(crate) at_ms: Option<i64>,
    pub(crate) place: Option<Place>,
    pub(crate) previous: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Match,
    Fence,
}

#[derive(Clone, Debug)]
struct Device {
    place: Place,
    at_ms: i64,
}

/// Latitudes of the ads by id: looking at all of them for every fix must be quick.
#[derive(Default)]
struct Column {
    lats: Vec<f64>,
    ids: Vec<String>,
    is_stale: bool,
}

impl Column {
    fn fill(&mut self, ads: &BTreeMap<String, Ad>) {
        if std::mem::take(&mut self.is_stale) {
            self.lats = ads.values().map(|ad| ad.place.1).collect();
            self.ids = ads.keys().cloned().collect();
        }
    }

    /// Every ad whose latitude is not out of reach.
    fn between(&self, low: f64, high: f64) -> impl Iterator<Item = &String> {
        let near = self.lats.iter().enumerate().filter(move |(_, lat)| (low..=high).contains(*lat));
        near.map(|(index, _)| &self.ids[index])
    }
}

/// The state of the world, and what was told on the way to it.
#[derive(Default)]
pub(crate) struct Oracle {
    bodies: BTreeMap<(&'static str, String), Value>,
    ads: BTreeMap<String, Ad>,
    column: Column,
    lists: BTreeMap<String, List>,
    fences: BTreeMap<String, Fence>,
    devices: BTreeMap<String, Device>,
    cause: (usize, usize),
    pub(crate) expected: Vec<Expected>,
    /// The narrowest decision between inside and outside of a circle, in metres.
    pub(crate) narrowest_m: f64,
}

impl Oracle {
    pub(crate) fn new() -> Self {
        Self { narrowest_m: f64::INFINITY, ..Self::default() }
    }

    /// Does a step and notes what it must cause.
    pub(crate) fn apply(&mut self, step: &Step) {
        self.cause.0 += 1;
        match step {
            Step::Fixes(fixes) => {
                for (index, fix) in fixes.iter().enumerate() {
                    self.cause.1 = index;
                    self.moved(fix);
                }
            }
            Step::Put { resource, id, body } => self.put(resource, id, body.clone()),
            Step::Patch { resource, id, changes } => {
                let key = (*resource, id.clone());
                let mut body =
                    self.bodies.get(&key).unwrap_or_else(|| panic!("nothing to patch at {key:?}")).clone();
                for (name, value) in changes.as_object().expect("changes are an object") {
                    body[name] = value.clone();
                }
                self.put(resource, id, body);
            }
            Step::Delete { resource, id } => match *resource {
                "ads" => {
                    let mut body = self.bodies[&(*resource, id.clone())].clone();
                    body["active"] = false.into();
                    self.put(resource, id, body);
                }
                _ => self.remove(resource, id),
            },
        }
        self.cause.1 = 0;
    }

    fn put(&mut self, resource: &'static str, id: &str, body: Value) {
        let existed = self.bodies.insert((resource, id.to_owned()), body.clone()).is_some();
        let object = body.as_object().expect("a body is an object");
        let is_active = object.get("active").is_none_or(|active| active == true);
        match resource {
            "ads" => self.ad_changed(id, is_active.then(|| Ad::of(object))),
            "adlists" if is_active => self.list_changed(id, List::of(object), existed),
            "adlists" => self.list_gone(id),
            "fences" => {
                self.fence_changed(id, Fence::of(object), object.get("initial") == Some(&true.into()))
            }
            "devices" => {}
            other => panic!("the oracle knows no {other}"),
        }
    }

    fn remove(&mut self, resource: &'static str, id: &str) {
        self.bodies.remove(&(resource, id.to_owned()));
        match resource {
            "adlists" => self.list_gone(id),
            "fences" => {
                let members = self.fences.get(id).map(|fence| fence.members.clone()).unwrap_or_default();
                members.iter().for_each(|device| self.tell_fence(id, device, "exit", "fence_removed", None));
                self.fences.remove(id);
            }
            "devices" => self.device_gone(id),
            other => panic!("the oracle removes no {other}"),
        }
    }

    fn moved(&mut self, fix: &Fix) {
        let place = kept(fix.place);
        let before = self.devices.get(&fix.device).cloned();
        if let Some(before) = &before
            && (fix.at_ms < before.at_ms || (fix.at_ms == before.at_ms && place == before.place))
        {
            return;
        }
        self.devices.insert(fix.device.clone(), Device { place, at_ms: fix.at_ms });
        let previous = before.map(|device| device.place);
        let mut crossed = Vec::new();
        for (id, fence) in &mut self.fences {
            let (was, is) =
                (fence.members.contains(&fix.device), fence.region.holds(place, &mut self.narrowest_m));
            if is && !was {
                fence.members.insert(fix.device.clone());
                crossed.push(("enter", id.clone()));
            }
            if was && !is {
                fence.members.remove(&fix.device);
                crossed.push(("exit", id.clone()));
            }
        }
        for event in ["exit", "enter"] {
            for (_, id) in crossed.iter().filter(|crossed| crossed.0 == event) {
                self.tell_fence(id, &fix.device, event, "update:pos", previous);
            }
        }
        let around = |list: &List| {
            list.device.as_deref() == Some(&fix.device) && matches!(list.area, Area::Around { .. })
        };
        let lists: Vec<String> =
            self.lists.iter().filter(|(_, list)| around(list)).map(|(id, _)| id.clone()).collect();
        let mut differences = Vec::new();
        for id in lists {
            differences.extend(self.settle(&id).into_iter().map(|(event, ad)| (event, id.clone(), ad)));
        }
        for event in ["exit", "enter"] {
            for (_, list, ad) in differences.iter().filter(|difference| difference.0 == event) {
                let distance_m = self.lists[list].distance_m(&self.ads[ad], Some(place));
                self.tell_match(list, ad, event, "update:pos", distance_m, Some(fix.at_ms));
            }
        }
    }

    /// Gives a list the members it must have; the differences, exits first, by ad.
    fn settle(&mut self, id: &str) -> Vec<(&'static str, String)> {
        self.column.fill(&self.ads);
        let list = &self.lists[id];
        let here = self.here(list);
        let mut narrowest_m = self.narrowest_m;
        let (low, high) = match (&list.area, here) {
            (Area::Around { radius_m }, Some(here)) => {
                (here.1 - reach_deg(*radius_m), here.1 + reach_deg(*radius_m))
            }
            _ => (-91.0, 91.0),
        };
        let possible = self.column.between(low, high);
        let now: BTreeSet<String> =
            possible.filter(|ad| list.accepts(&self.ads[*ad], here, &mut narrowest_m)).cloned().collect();
        let exits = list.members.difference(&now).map(|ad| ("exit", ad.clone()));
        let enters = now.difference(&list.members).map(|ad| ("enter", ad.clone()));
        let differences = exits.chain(enters).collect();
        self.narrowest_m = narrowest_m;
        self.lists.get_mut(id).expect("the list is there").members = now;
        differences
    }

    fn here(&self, list: &List) -> Option<Place> {
        self.devices.get(list.device.as_deref()?).map(|device| device.place)
    }

    fn ad_changed(&mut self, id: &str, live: Option<Ad>) {
        let before = match &live {
            Some(ad) => self.ads.insert(id.to_owned(), ad.clone()),
            None => self.ads.remove(id),
        };
        self.column.is_stale = true;
        let Some(shown) = live.clone().or(before.clone()) else { return };
        let entered = if before.is_some() { "changed" } else { "new:ad" };
        let left = if live.is_some() { "changed" } else { "removed" };
        let lists: Vec<String> = self.lists.keys().cloned().collect();
        let mut differences = Vec::new();
        for list_id in lists {
            let list = &self.lists[&list_id];
            let here = self.here(list);
            let distance_m = list.distance_m(&shown, here);
            let mut narrowest_m = self.narrowest_m;
            let is = live.as_ref().is_some_and(|ad| list.accepts(ad, here, &mut narrowest_m));
            self.narrowest_m = narrowest_m;
            let members = &mut self.lists.get_mut(&list_id).expect("the list is there").members;
            let changed = if is { members.insert(id.to_owned()) } else { members.remove(id) };
            if changed {
                differences.push((is, list_id, distance_m));
            }
        }
        differences.sort_by_key(|difference| difference.0);
        for (is, list, distance_m) in differences {
            let (event, reason) = if is { ("enter", entered) } else { ("exit", left) };
            self.tell_match(&list, id, event, reason, distance_m, None);
        }
    }

    fn list_changed(&mut self, id: &str, list: List, existed: bool) {
        let before =
            self.lists.get(id).map(|list| (list.members.clone(), (list.device.clone(), list.user.clone())));
        if let Some((_, owner)) = &before {
            assert_eq!(
                *owner,
                (list.device.clone(), list.user.clone()),
                "the tests never give a list another owner"
            );
        }
        let members = before.map(|(members, _)| members).unwrap_or_default();
        self.lists.insert(id.to_owned(), List { members, ..list });
        let differences = self.settle(id);
        // A new list is silent: its first members are read, not told.
        if existed {
            let here = self.here(&self.lists[id]);
            for (event, ad) in differences {
                let distance_m = self.lists[id].distance_m(&self.ads[&ad], here);
                self.tell_match(id, &ad, event, "changed", distance_m, None);
            }
        }
    }

    fn list_gone(&mut self, id: &str) {
        let Some(list) = self.lists.get(id).cloned() else { return };
        let here = self.here(&list);
        for ad in &list.members {
            let distance_m = list.distance_m(&self.ads[ad], here);
            self.tell_match(id, ad, "exit", "removed", distance_m, None);
        }
        self.lists.remove(id);
    }

    fn fence_changed(&mut self, id: &str, fence: Fence, initial: bool) {
        let before = self.fences.get(id).map(|fence| fence.members.clone());
        let mut narrowest_m = self.narrowest_m;
        let mut holds = |device: &Device| fence.region.holds(device.place, &mut narrowest_m);
        let now: BTreeSet<String> =
            self.devices.iter().filter(|(_, device)| holds(device)).map(|(id, _)| id.clone()).collect();
        self.narrowest_m = narrowest_m;
        self.fences.insert(id.to_owned(), Fence { members: now.clone(), ..fence });
        let (old, reason, is_told) = match before {
            Some(members) => (members, "fence_changed", true),
            None => (BTreeSet::new(), "initial", initial),
        };
        if is_told {
            old.difference(&now).for_each(|device| self.tell_fence(id, device, "exit", reason, None));
            now.difference(&old).for_each(|device| self.tell_fence(id, device, "enter", reason, None));
        }
    }

    fn device_gone(&mut self, id: &str) {
        let Some(device) = self.devices.get(id).cloned() else { return };
        let inside: Vec<String> = self
            .fences
            .iter()
            .filter(|(_, fence)| fence.members.contains(id))
            .map(|(fence, _)| fence.clone())
            .collect();
        for fence in inside {
            self.tell_fence(&fence, id, "exit", "deleted", None);
            self.fences.get_mut(&fence).expect("the fence is there").members.remove(id);
        }
        self.devices.remove(id);
        let lists: Vec<String> = self.lists.keys().cloned().collect();
        for list_id in lists {
            let list = self.lists[&list_id].clone();
            if list.device.as_deref() != Some(id) || !matches!(list.area, Area::Around { .. }) {
                continue;
            }
            for ad in &list.members {
                let distance_m = list.distance_m(&self.ads[ad], Some(device.place));
                self.tell_match(&list_id, ad, "exit", "removed", distance_m, None);
            }
            self.lists.get_mut(&list_id).expect("the list is there").members.clear();
        }
    }

    fn tell_match(
        &mut self,
        rule: &str,
        ad: &str,
        event: &'static str,
        reason: &'static str,
        distance_m: Option<f64>,
        at_ms: Option<i64>,
    ) {
        let list = &self.lists[rule];
        self.expected.push(Expected {
            cause: self.cause,
            kind: Kind::Match,
            rule: rule.to_owned(),
            ad: Some(ad.to_owned()),
            device: list.device.clone(),
            user: list.user.clone(),
            event,
            reason,
            distance_m,
            at_ms,
            place: None,
            previous: None,
        });
    }

    fn tell_fence(
        &mut self,
        id: &str,
        device: &str,
        event: &'static str,
        reason: &'static str,
        previous: Option<Place>,
    ) {
        let fence = &self.fences[id];
        if !fence.detect.iter().any(|name| name == event) {
            return;
        }
        let at = &self.devices[device];
        self.expected.push(Expected {
            cause: self.cause,
            kind: Kind::Fence,
            rule: id.to_owned(),
            ad: None,
            device: Some(device.to_owned()),
            user: None,
            event,
            reason,
            distance_m: Some(fence.region.border_distance_m(at.place)),
            at_ms: (reason == "update:pos").then_some(at.at_ms),
            place: Some(at.place),
            previous,
        });
    }

    /// The ads a list holds now with their distance where the contract says it, nearest first.
    pub(crate) fn matches(&self, list: &str) -> Vec<(String, Option<f64>)> {
        let list = &self.lists[list];
        let here = self.here(list);
        let hit = |id: &String| (id.clone(), list.distance_m(&self.ads[id], here));
        let mut hits: Vec<_> = list.members.iter().map(hit).collect();
        hits.sort_by(|a, b| a.1.unwrap_or(0.0).total_cmp(&b.1.unwrap_or(0.0)));
        hits
    }

    pub(crate) fn fences_holding(&mut self, place: Place) -> Vec<String> {
        let mut narrowest_m = self.narrowest_m;
        let holding =
            self.fences.iter().filter(|(_, fence)| fence.region.holds(kept(place), &mut narrowest_m));
        holding.map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn fences_of(&self, device: &str) -> Vec<String> {
        let inside = self.fences.iter().filter(|(_, fence)| fence.members.contains(device));
        inside.map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn lists(&self) -> impl Iterator<Item = &String> {
        self.lists.keys()
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = (&String, Place)> {
        self.devices.iter().map(|(id, device)| (id, device.place))
    }
}
