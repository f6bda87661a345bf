//! The oracle of fences: what every fence makes of every device, pair by pair, in the plainest code.
//!
//! Every pair has a record, whether anything ever happened or not. A pair whose geometry was once in doubt is tainted:
//! what came of the doubt is not known, so it is left out from then on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::expect::Expected;
use super::oracle::{Gadget, Place, World, holds, reaches, way_meets, within};
use super::story::Deed;

pub(crate) type Name = (String, String);

#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// (fence, device)
    pairs: BTreeMap<Name, Pair>,
    /// (fence, `device~device`), the lesser first.
    company: BTreeSet<Name>,
    pub(crate) tainted: BTreeSet<Name>,
    /// How often each fence was written.
    writes: BTreeMap<String, u64>,
    count: u64,
}

#[derive(Clone, Debug, Default)]
struct Pair {
    state: State,
    since: u64,
    leaving: u64,
    dwelled: bool,
    /// For levels: the writing of the fence and the interval of the last fix, what was counted in it, and whether the
    /// state has changed since.
    seen: Option<(u64, u64)>,
    counted: BTreeSet<&'static str>,
    changed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Out,
    Closed,
    Pending,
    In,
    Leaving,
}

impl State {
    fn is_member(self) -> bool {
        matches!(self, Self::In | Self::Leaving)
    }
}

struct Rules {
    detect: Vec<String>,
    enter_ms: u64,
    exit_ms: u64,
    dwell_ms: Option<u64>,
    interval_ms: u64,
    /// Minutes of the day.
    hours: Option<(u64, u64)>,
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

impl Rules {
    fn of(body: &Value) -> Self {
        let usual = || vec!["enter".to_owned(), "exit".to_owned()];
        let detect: Vec<String> = body["detect"]
            .as_array()
            .map_or_else(usual, |list| list.iter().map(|name| name.as_str().unwrap().to_owned()).collect());
        let millis = |name: &str| body[name].as_u64().map(|seconds| seconds * 1000);
        let dwells = detect.iter().any(|name| name == "dwell");
        let dwell_ms = millis("dwell_s").unwrap_or(0);
        let minutes = |name: &str| {
            let text = body["schedule"]["hours"][0][name].as_str()?;
            let (hours, minutes) = text.split_once(':')?;
            Some(hours.parse::<u64>().ok()? * 60 + minutes.parse::<u64>().ok()?)
        };
        Self {
            enter_ms: if dwells { 0 } else { dwell_ms },
            dwell_ms: dwells.then_some(dwell_ms),
            exit_ms: millis("exit_dwell_s").unwrap_or(0),
            interval_ms: millis("interval_s").unwrap_or(60_000),
            hours: minutes("from").zip(minutes("to")),
            detect,
        }
    }

    fn is_open(&self, at: u64) -> bool {
        self.hours.is_none_or(|(from, to)| (from * MINUTE_MS..to * MINUTE_MS).contains(&(at % DAY_MS)))
    }

    /// When it last became as it is at `at`.
    fn border(&self, at: u64) -> u64 {
        let Some((from, to)) = self.hours else { return at };
        let today = at / DAY_MS * DAY_MS;
        let borders = [today - DAY_MS, today]
            .into_iter()
            .flat_map(|day| [day + from * MINUTE_MS, day + to * MINUTE_MS]);
        borders.filter(|border| *border <= at).max().unwrap()
    }
}

/// What one pair comes to: (event, time, whether the hours did it).
type Changes = Vec<(&'static str, u64, bool)>;

impl Pair {
    fn observe(
        &mut self,
        rules: &Rules,
        at: u64,
        inside: bool,
        near: bool,
        admits: bool,
        at_once: bool,
    ) -> Changes {
        let (open, here) = (rules.is_open(at), inside && admits);
        let was = self.state;
        let mut changes = Changes::new();
        if was.is_member() {
            if !open {
                changes.push(("exit", at, true));
                self.state = if here { State::Closed } else { State::Out };
            } else if admits && (inside || near) {
                self.state = State::In;
            } else {
                if was != State::Leaving {
                    (self.state, self.leaving) = (State::Leaving, at);
                }
                if !admits || at_once || at - self.leaving >= rules.exit_ms {
                    changes.push(("exit", at, false));
                    self.state = State::Out;
                }
            }
        } else if !here {
            self.state = State::Out;
        } else if !open {
            self.state = State::Closed;
        } else if was != State::Pending {
            (self.state, self.since, self.dwelled) = (State::Pending, at, false);
        }
        self.ripen(rules, at, at, false, &mut changes);
        self.changed |= was.is_member() != self.state.is_member();
        changes
    }

    fn elapse(&mut self, rules: &Rules, now: u64) -> Changes {
        let (open, border) = (rules.is_open(now), rules.border(now));
        let was = self.state;
        let mut changes = Changes::new();
        match was {
            State::Closed if open => {
                (self.state, self.since, self.dwelled) = (State::Pending, border, false);
                self.ripen(rules, border, border, true, &mut changes);
            }
            State::Pending if !open => self.state = State::Closed,
            State::In | State::Leaving if !open => {
                changes.push(("exit", border.max(self.since), true));
                self.state = if was == State::In { State::Closed } else { State::Out };
            }
            State::Leaving if self.leaving + rules.exit_ms <= now => {
                changes.push(("exit", self.leaving + rules.exit_ms, false));
                self.state = State::Out;
            }
            _ => {}
        }
        if self.state == State::Pending {
            self.ripen(rules, now, self.since + rules.enter_ms, false, &mut changes);
        }
        if let (State::In, Some(dwell_ms), false) = (self.state, rules.dwell_ms, self.dwelled)
            && self.since + dwell_ms <= now
        {
            self.dwelled = true;
            changes.push(("dwell", self.since + dwell_ms, false));
        }
        self.changed |= was.is_member() != self.state.is_member();
        changes
    }

    fn ripen(&mut self, rules: &Rules, now: u64, told: u64, by_hours: bool, changes: &mut Changes) {
        if self.state == State::Pending && now >= self.since + rules.enter_ms {
            self.state = State::In;
            changes.push(("enter", told, by_hours));
        }
        if let (State::In, Some(dwell_ms), false) = (self.state, rules.dwell_ms, self.dwelled)
            && self.since + dwell_ms <= now
        {
            self.dwelled = true;
            changes.push(("dwell", told, by_hours));
        }
    }

    fn leave(&mut self, at: u64) -> Changes {
        let was = std::mem::take(&mut self.state);
        self.changed |= was.is_member();
        if was.is_member() { vec![("exit", at, false)] } else { Changes::new() }
    }
}

impl Watch {
    pub(crate) fn inside(&self) -> BTreeSet<Name> {
        let members = self.pairs.iter().filter(|(_, pair)| pair.state.is_member());
        members.map(|(name, _)| name.clone()).collect()
    }

    fn pair(&mut self, fence: &str, device: &str) -> &mut Pair {
        self.pairs.entry((fence.to_owned(), device.to_owned())).or_default()
    }
}

fn zone_name(fence: &str, device: &str) -> Name {
    (fence.to_owned(), device.to_owned())
}

fn company_name(fence: &str, a: &str, b: &str) -> Name {
    (fence.to_owned(), format!("{}~{}", a.min(b), a.max(b)))
}

impl Gadget {
    fn time_at(&self, log_ms: u64) -> u64 {
        self.at + log_ms.saturating_sub(self.arrived)
    }
}

impl World {
    /// Applies a deed. Says whether it can have changed anything, and what fences must tell of it.
    pub(crate) fn apply(&mut self, deed: &Deed) -> (bool, Vec<Expected>) {
        let mut told = Vec::new();
        let counts = match deed {
            Deed::Fix { device, place, at, .. } => {
                let place = if place.0 == 1_800_000_000 { (-1_800_000_000, place.1) } else { *place };
                match self.devices.get(device) {
                    Some(last) if *at < last.at || (*at == last.at && last.place == place) => false,
                    _ => {
                        self.move_device(deed, place, &mut told);
                        true
                    }
                }
            }
            Deed::Tick { wait_ms } => {
                self.log_ms += wait_ms;
                self.tick(&mut told);
                true
            }
            Deed::Put { collection: "fences", id, body } => {
                self.put_fence(id, body, &mut told);
                true
            }
            Deed::Put { collection: "devices", id, body } => {
                self.put_device(id, body, &mut told);
                true
            }
            Deed::Put { collection, id, body } => {
                self.table(collection).insert(id.clone(), body.clone());
                true
            }
            Deed::Delete { collection: "devices", id } => {
                self.documents.remove(id);
                self.end_device(id, "deleted", &mut told)
            }
            Deed::Delete { collection: "fences", id } => {
                self.empty_fence(id, "fence_removed", &mut told);
                self.fences.remove(id).is_some()
            }
            Deed::Delete { collection, id } => self.table(collection).remove(id).is_some(),
        };
        (counts, told)
    }

    fn table(&mut self, collection: &str) -> &mut BTreeMap<String, Value> {
        if collection == "ads" { &mut self.ads } else { &mut self.lists }
    }

    fn move_device(&mut self, deed: &Deed, place: Place, told: &mut Vec<Expected>) {
        let Deed::Fix { device, at, more, .. } = deed else { return };
        let before = self.devices.get(device).cloned();
        let kind = match (more.kind, &before) {
            (Some(kind), _) => Some(format!("k{kind}")),
            (None, Some(before)) => before.kind.clone(),
            (None, None) => None,
        };
        let gadget = Gadget { place, at: *at, more: more.clone(), kind, arrived: self.log_ms };
        self.devices.insert(device.clone(), gadget);
        for (fence, body) in self.zones() {
            let rules = Rules::of(&body);
            let name = zone_name(&fence, device);
            let state = self.watch.pair(&fence, device).state;
            let previous = before.as_ref().map(|before| before.place);
            if state == State::Out && rules.detect.iter().any(|name| name == "cross") {
                match self.crosses(&body, device, previous, &rules) {
                    Some(true) => {
                        told.push(("fence", fence.clone(), device.clone(), "cross", "update:pos", *at))
                    }
                    Some(false) => {}
                    None => drop(self.watch.tainted.insert(name.clone())),
                }
            }
            let changes = self.see(&fence, &body, device, *at, false);
            tell(&rules, &name, changes, "update:pos", None, told);
            self.level(&fence, &body, device, told);
        }
        self.walk(device, "update:pos", *at, told);
    }

    fn crosses(&self, body: &Value, device: &str, previous: Option<Place>, rules: &Rules) -> Option<bool> {
        let (gadget, Some(from)) = (&self.devices[device], previous) else { return Some(false) };
        let fits = counts(body, gadget) && high(body, gadget) && self.admits(body, device);
        if !fits || !rules.is_open(gadget.at) || from == gadget.place {
            return Some(false);
        }
        let outside = !holds(body, from)? && !holds(body, gadget.place)?;
        if outside { way_meets(body, from, gadget.place) } else { Some(false) }
    }

    /// What a device's place and attributes make of it at one fence.
    fn see(&mut self, fence: &str, body: &Value, device: &str, at: u64, at_once: bool) -> Changes {
        let gadget = self.devices[device].clone();
        if !counts(body, &gadget) {
            return Changes::new();
        }
        let hysteresis_m = body["hysteresis_m"].as_f64().unwrap_or(0.0);
        let inside = holds(body, gadget.place);
        let near = match (inside, body["circle"]["radius_m"].as_f64()) {
            (Some(false), _) if hysteresis_m == 0.0 => Some(false),
            (Some(false), Some(radius_m)) => within(
                super::oracle::place_of(&body["circle"]["center"]),
                gadget.place,
                radius_m + hysteresis_m,
            ),
            (Some(false), None) => reaches(body, gadget.place, hysteresis_m),
            (inside, _) => inside,
        };
        let (high, admits) = (high(body, &gadget), self.admits(body, device));
        let pair = self.watch.pair(fence, device);
        let (Some(inside), Some(near)) = (inside, near) else {
            self.watch.tainted.insert(zone_name(fence, device));
            return Changes::new();
        };
        pair.observe(&Rules::of(body), at, inside && high, near && high, admits, at_once)
    }

    fn level(&mut self, fence: &str, body: &Value, device: &str, told: &mut Vec<Expected>) {
        let (rules, at) = (Rules::of(body), self.devices[device].at);
        let (written, admits) = (self.watch.writes[fence], self.admits(body, device));
        let pair = self.watch.pair(fence, device);
        let level = if pair.state.is_member() { "inside" } else { "outside" };
        let interval = at.checked_div(rules.interval_ms);
        let seen = interval.map(|interval| (written, interval));
        let first = seen.is_none() || pair.seen != seen;
        if first {
            pair.counted.clear();
        }
        let due = (first || pair.changed) && pair.counted.insert(level);
        (pair.seen, pair.changed) = (seen, false);
        if due && rules.is_open(at) && admits && rules.detect.iter().any(|name| name == level) {
            told.push(("fence", fence.to_owned(), device.to_owned(), level, "update:pos", at));
        }
    }

    fn admits(&self, body: &Value, device: &str) -> bool {
        let Some(wanted) = body["where"]["kind"].as_str() else { return true };
        let document = self.documents.get(device).and_then(|body| body["fields"]["kind"].as_str());
        self.devices[device].kind.as_deref().or(document) == Some(wanted)
    }

    fn zones(&self) -> Vec<(String, Value)> {
        let zones = self.fences.iter().filter(|(_, body)| !body["roam"].is_object());
        zones.map(|(fence, body)| (fence.clone(), body.clone())).collect()
    }

    fn tick(&mut self, told: &mut Vec<Expected>) {
        let names: Vec<String> = self.devices.keys().cloned().collect();
        for device in names {
            let gadget = self.devices[&device].clone();
            if gadget.more.ttl_s.is_some_and(|ttl_s| gadget.arrived + u64::from(ttl_s) * 1000 <= self.log_ms)
            {
                self.end_device(&device, "expired", told);
                continue;
            }
            let now = gadget.time_at(self.log_ms);
            for (fence, body) in self.zones() {
                let rules = Rules::of(&body);
                let changes = self.watch.pair(&fence, &device).elapse(&rules, now);
                tell(&rules, &zone_name(&fence, &device), changes, "clock", None, told);
            }
        }
    }

    fn put_fence(&mut self, fence: &str, body: &Value, told: &mut Vec<Expected>) {
        let earlier = self.fences.get(fence).cloned();
        let reason = if earlier.is_some() { "fence_changed" } else { "initial" };
        let roams = body["roam"].is_object();
        if earlier.is_some_and(|earlier| earlier["roam"].is_object() != roams) {
            self.empty_fence(fence, reason, told);
        }
        let is_new = !self.fences.contains_key(fence);
        let silent = is_new && body["initial"] != true;
        self.fences.insert(fence.to_owned(), body.clone());
        self.watch.count += 1;
        self.watch.writes.insert(fence.to_owned(), self.watch.count);
        let (names, mut found) = (self.devices.keys().cloned().collect::<Vec<_>>(), Vec::new());
        for device in &names {
            if roams {
                self.walk_by(fence, body, device, reason, self.log_ms, true, &mut found);
            } else {
                let now = self.devices[device].time_at(self.log_ms);
                let changes = self.see(fence, body, device, now, true);
                let name = zone_name(fence, device);
                tell(&Rules::of(body), &name, changes, reason, Some(self.log_ms), &mut found);
            }
        }
        if !silent {
            told.append(&mut found);
        }
    }

    fn empty_fence(&mut self, fence: &str, reason: &'static str, told: &mut Vec<Expected>) {
        let Some(body) = self.fences.get(fence).cloned() else { return };
        let (log_ms, names) = (self.log_ms, self.devices.keys().cloned().collect::<Vec<_>>());
        for device in names {
            let changes = self.watch.pair(fence, &device).leave(log_ms);
            tell(&Rules::of(&body), &zone_name(fence, &device), changes, reason, None, told);
        }
        let company: Vec<Name> = self.watch.company.iter().filter(|name| name.0 == fence).cloned().collect();
        for name in company {
            self.watch.company.remove(&name);
            told.push(("fence", name.0, name.1, "far", reason, log_ms));
        }
    }

    fn put_device(&mut self, device: &str, body: &Value, told: &mut Vec<Expected>) {
        let before = self.documents.insert(device.to_owned(), body.clone());
        let kind =
            |body: Option<&Value>| body.and_then(|body| body["fields"]["kind"].as_str()).map(str::to_owned);
        let (before, after) = (kind(before.as_ref()), kind(Some(body)));
        if before == after {
            return;
        }
        let Some(gadget) = self.devices.get_mut(device) else { return };
        if after.is_some() {
            gadget.kind = None;
        }
        let now = self.devices[device].time_at(self.log_ms);
        for (fence, body) in self.zones().into_iter().filter(|(_, body)| body["where"].is_object()) {
            let changes = self.see(&fence, &body, device, now, false);
            let name = zone_name(&fence, device);
            tell(&Rules::of(&body), &name, changes, "changed", Some(self.log_ms), told);
        }
        self.walk(device, "changed", self.log_ms, told);
    }

    fn end_device(&mut self, device: &str, reason: &'static str, told: &mut Vec<Expected>) -> bool {
        if !self.devices.contains_key(device) {
            return false;
        }
        let log_ms = self.log_ms;
        for (fence, body) in self.zones() {
            let changes = self.watch.pair(&fence, device).leave(log_ms);
            tell(&Rules::of(&body), &zone_name(&fence, device), changes, reason, None, told);
        }
        let with = |name: &Name| name.1.split('~').any(|one| one == device);
        let company: Vec<Name> = self.watch.company.iter().filter(|name| with(name)).cloned().collect();
        for name in company {
            self.watch.company.remove(&name);
            told.push(("fence", name.0, name.1, "far", reason, log_ms));
        }
        self.watch.pairs.retain(|name, _| name.1 != device);
        self.devices.remove(device);
        true
    }

    fn walk(&mut self, device: &str, reason: &'static str, at: u64, told: &mut Vec<Expected>) {
        let roams: Vec<(String, Value)> = self
            .fences
            .iter()
            .filter(|(_, body)| body["roam"].is_object())
            .map(|(f, b)| (f.clone(), b.clone()))
            .collect();
        for (fence, body) in roams {
            self.walk_by(&fence, &body, device, reason, at, false, told);
        }
    }

    /// Who is near a device by one fence; `once`: pairs are judged by the lesser of the two only.
    #[expect(clippy::too_many_arguments, reason = "it is one judgement")]
    fn walk_by(
        &mut self,
        fence: &str,
        body: &Value,
        device: &str,
        reason: &'static str,
        at: u64,
        once: bool,
        told: &mut Vec<Expected>,
    ) {
        let own = self.devices[device].clone();
        if !counts(body, &own) {
            return;
        }
        let radius_m = body["roam"]["radius_m"].as_f64().unwrap();
        let hysteresis_m = body["hysteresis_m"].as_f64().unwrap_or(0.0);
        let others: Vec<(String, Gadget)> = self
            .devices
            .iter()
            .filter(|(name, _)| if once { name.as_str() > device } else { name.as_str() != device })
            .map(|(name, gadget)| (name.clone(), gadget.clone()))
            .collect();
        for (other, gadget) in others {
            let name = company_name(fence, device, &other);
            let was = self.watch.company.contains(&name);
            let reach_m = if was { radius_m + hysteresis_m } else { radius_m };
            let is = match (counts(body, &gadget), within(own.place, gadget.place, reach_m)) {
                _ if !self.admits(body, device) => Some(false),
                (false, _) => Some(was),
                (true, near) => near.map(|near| near && self.admits(body, &other)),
            };
            let Some(is) = is else {
                self.watch.tainted.insert(name);
                continue;
            };
            if was != is {
                let event = if is { "near" } else { "far" };
                told.push(("fence", name.0.clone(), name.1.clone(), event, reason, at));
            }
            if is {
                self.watch.company.insert(name)
            } else {
                self.watch.company.remove(&name)
            };
        }
    }
}

fn tell(
    rules: &Rules,
    name: &Name,
    changes: Changes,
    reason: &'static str,
    at: Option<u64>,
    told: &mut Vec<Expected>,
) {
    for (event, own, by_hours) in changes {
        if rules.detect.iter().any(|known| known == event) {
            let reason = if by_hours { "schedule" } else { reason };
            told.push(("fence", name.0.clone(), name.1.clone(), event, reason, at.unwrap_or(own)));
        }
    }
}

/// Whether a fix is exact enough for a fence, and says how high it was if that matters.
fn counts(body: &Value, gadget: &Gadget) -> bool {
    let exact = match (body["max_accuracy_m"].as_f64(), gadget.more.accuracy) {
        (Some(most), Some(accuracy)) => f64::from(accuracy) <= most,
        _ => true,
    };
    exact && (body["altitude_max_m"].is_null() || gadget.more.altitude.is_some())
}

fn high(body: &Value, gadget: &Gadget) -> bool {
    match (body["altitude_max_m"].as_f64(), gadget.more.altitude) {
        (Some(most), Some(altitude)) => f64::from(altitude) <= most,
        _ => true,
    }
}
