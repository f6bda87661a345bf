use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use super::*;
use crate::condition::Condition;
use crate::event::Told;
use crate::matcher;
use crate::packed::Reader;
use crate::point::Point;
use crate::seed;
use crate::state;

#[path = "../../tests/geo/expect.rs"]
mod expect;
#[path = "../../tests/geo/oracle.rs"]
mod oracle;
#[path = "../../tests/geo/story.rs"]
mod story;
#[path = "../../tests/geo/watch.rs"]
mod watch;

use expect::{Expected, expected};
use oracle::State;
use story::{Deed, Step};

/// Several shards without engine or threads, fed what a sequencer would feed them.
struct Bench {
    shards: Vec<Shard>,
    existing: BTreeSet<(String, String)>,
    /// Attributes by the documents of devices.
    documents: BTreeMap<String, Value>,
    seq: u64,
}

/// Conditions of equality.
fn equal(value: &Value) -> Result<Condition, String> {
    let wanted = value.as_object().cloned().ok_or("no object")?;
    Ok(Condition::new(move |device| wanted.iter().all(|(name, value)| device.get(name) == Some(value))))
}

impl Bench {
    fn new(count: usize) -> Self {
        let shards =
            (0..count).map(|number| Shard::new(ShardPlace { number, count }, Ground::default())).collect();
        Self { shards, existing: BTreeSet::new(), documents: BTreeMap::new(), seq: 0 }
    }

    /// `None` when the document would be refused. `log_ms` is the time of the log when it takes the deed in.
    fn item(&mut self, deed: &Deed, log_ms: u64) -> Option<Item> {
        let id = |id: &str| DocId::new(id).unwrap();
        let existed = match deed {
            Deed::Fix { .. } | Deed::Tick { .. } => false,
            Deed::Put { collection, id, .. } | Deed::Delete { collection, id } => {
                self.existing.contains(&((*collection).to_owned(), id.clone()))
            }
        };
        let what = match deed {
            Deed::Fix { device, place, at, more } => What::Fix(Fix {
                device: id(device),
                point: Point::from_units(place.0, place.1),
                at: Millis::new(*at),
                speed: None,
                heading: None,
                accuracy: more.accuracy.map(f64::from),
                altitude: more.altitude.map(f64::from),
                ttl_s: more.ttl_s.map(u32::from),
                fields: more.kind.map(|kind| format!("{{\"kind\":\"k{kind}\"}}").into()),
            }),
            Deed::Tick { .. } => What::Tick,
            Deed::Put { collection: "ads", id: ad, body } => {
                let parsed = Ad::parse(body).ok()?;
                What::Ad { id: id(ad), live: parsed.active.then(|| Arc::new(parsed)), ended: Reason::Removed }
            }
            Deed::Put { collection: "adlists", id: list, body } => {
                let live = Some(Arc::new(AdList::parse(body).ok()?));
                What::List { id: id(list), live, existed, ended: Reason::Removed }
            }
            Deed::Put { collection: "devices", id: device, body } => {
                let before = self.documents.insert(device.clone(), body["fields"].clone());
                let (before, after) = (before.unwrap_or(json!({})), body["fields"].as_object().unwrap());
                let changed = after.iter().filter(|(name, value)| before.get(*name) != Some(*value));
                let changed = changed.map(|(name, _)| name.as_str().into()).collect();
                What::Device { id: id(device), attributes: Arc::new(after.clone()), changed }
            }
            Deed::Put { id: fence, body, .. } => {
                What::Fence { id: id(fence), live: Some(Arc::new(Fence::parse(body, equal).ok()?)) }
            }
            Deed::Delete { collection: "ads", id: ad } => {
                What::Ad { id: id(ad), live: None, ended: Reason::Removed }
            }
            Deed::Delete { collection: "adlists", id: list } => {
                What::List { id: id(list), live: None, existed, ended: Reason::Removed }
            }
            Deed::Delete { collection: "fences", id: fence } => What::Fence { id: id(fence), live: None },
            Deed::Delete { id: device, .. } => {
                self.documents.remove(device);
                What::DeviceGone { id: id(device), reason: Reason::Deleted }
            }
        };
        match deed {
            Deed::Fix { .. } | Deed::Tick { .. } => {}
            Deed::Put { collection, id, .. } => {
                self.existing.insert(((*collection).to_owned(), id.clone()));
            }
            Deed::Delete { collection, id } => {
                self.existing.remove(&((*collection).to_owned(), id.clone()));
            }
        }
        self.seq += 1;
        let source = Source::Log { seq: self.seq };
        Some(Item { source, at: Millis::new(log_ms), log_seq: self.seq, what })
    }

    fn apply(&mut self, item: &Item) -> Vec<Event> {
        let mut events = Vec::new();
        self.shards.iter_mut().for_each(|shard| shard.apply(item, &mut events));
        events
    }

    fn state(&self) -> State {
        let mut state = State::default();
        let text = |id: &DocId| id.as_str().to_owned();
        for shard in &self.shards {
            for (device, held) in shard.devices.iter() {
                let inside = shard.fences_around(held);
                state.inside.extend(inside.iter().map(|fence| (text(fence), text(device))));
            }
            for (list, held) in shard.lists.iter() {
                state.members.extend(held.members.iter().map(|ad| (text(list), text(ad))));
            }
        }
        state
    }

    /// The reverse maps must say the same as the maps.
    fn check_mirrors(&self) {
        for shard in &self.shards {
            let forward: BTreeSet<_> = shard
                .devices
                .iter()
                .flat_map(|(device, held)| held.stays.iter().map(move |(fence, _)| (*fence, device.clone())))
                .collect();
            let mut back = BTreeSet::new();
            for (id, held) in shard.fences.iter() {
                let fence = shard.fences.slot(id).unwrap();
                let device = |slot| shard.devices.at(slot).unwrap().fix.device.clone();
                back.extend(held.stays.iter().map(|slot| (fence, device(*slot))));
            }
            assert_eq!(forward, back);
            for (list, held) in shard.lists.iter() {
                assert!(held.members.iter().all(|ad| shard.lists.holding(ad).any(|holder| holder == list)));
            }
        }
    }
}

fn seen(event: &Event) -> Expected {
    let text = |id: &DocId| id.as_str().to_owned();
    let (kind, first, second, at) = match &event.told {
        Told::Match(told) => ("match", text(&told.list), text(&told.ad), 0),
        Told::Fence(told) => {
            let pair = told.other.as_ref().map(|other| {
                let (a, b) = (text(&told.device), text(other));
                format!("{}~{}", a.clone().min(b.clone()), a.max(b))
            });
            ("fence", text(&told.fence), pair.unwrap_or_else(|| text(&told.device)), event.at.get())
        }
    };
    (kind, first, second, event.kind.text(), event.reason.text(), at)
}

fn check_order(events: &[Event]) {
    let key = |event: &Event| {
        let (kind, first, _, _, _, _) = seen(event);
        (event.kind, kind == "match", first)
    };
    assert!(events.is_sorted_by_key(key), "{events:?}");
}

/// Runs a story on one shard, on several, and in the oracle; compares every event and every state.
fn run(steps: &[Step], shards: usize) {
    let mut world = story::world();
    let (mut one, mut many) = (Bench::new(1), Bench::new(shards));
    let mut was = world.state();
    for (number, step) in (0..).zip(steps) {
        let Some(deed) = step.deed(&world, number) else { continue };
        let log_ms = story::log_time(&mut world, &deed);
        let Some(item) = one.item(&deed, log_ms) else { continue };
        many.item(&deed, log_ms);
        let before = world.clone();
        let (counts, told) = world.apply(&deed);
        let is = world.state();
        let events = one.apply(&item);
        check_order(&events);
        let mut events: Vec<Expected> = events.iter().map(seen).collect();
        let mut others: Vec<Expected> = many.apply(&item).iter().map(seen).collect();
        events.sort();
        others.sort();
        assert_eq!(events, others, "several shards tell something else about {deed:?}");
        let mut wanted = if counts { expected(&before, &deed, &was, &is, told) } else { Vec::new() };
        wanted.sort();
        let doubtful = |pair: &(String, String)| was.doubt.contains(pair) || is.doubt.contains(pair);
        events.retain(|event| !doubtful(&(event.1.clone(), event.2.clone())));
        assert_eq!(events, wanted, "events of step {number}: {deed:?}\nworld {before:?}");
        let (mut live, mut should) = (one.state(), is.clone());
        for state in [&mut live, &mut should] {
            state.inside.retain(|pair| !is.doubt.contains(pair));
            state.members.retain(|pair| !is.doubt.contains(pair));
        }
        assert_eq!(
            (&live.inside, &live.members),
            (&should.inside, &should.members),
            "state after step {number}: {deed:?}"
        );
        assert_eq!(one.state(), many.state());
        was = is;
    }
    one.check_mirrors();
    many.check_mirrors();
}

#[test]
fn random_stories_agree_with_the_oracle() {
    let stories = (prop::collection::vec(story::step(), 1..120), 2_usize..5);
    let outcome =
        seed::runner("random_stories_agree_with_the_oracle", 400).run(&stories, |(steps, shards)| {
            run(&steps, shards);
            Ok::<(), TestCaseError>(())
        });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// What a change of the whole world makes of its places and names.
#[derive(Clone, Copy)]
struct Change {
    turn: i64,
    mirror: bool,
    /// Fences change their names, and with them their order.
    rename: bool,
}

impl Change {
    fn place(self, (lon, lat): (i64, i64)) -> (i64, i64) {
        let lon = (lon + self.turn + 1_800_000_000).rem_euclid(3_600_000_000) - 1_800_000_000;
        (lon, if self.mirror { -lat } else { lat })
    }

    fn value(self, value: &Value) -> Value {
        match value {
            Value::Array(pair) if pair.len() == 2 && pair.iter().all(Value::is_number) => {
                let (lon, lat) = self.place(oracle::place_of(value));
                json!([lon as f64 / 1e7, lat as f64 / 1e7])
            }
            Value::Array(members) => members.iter().map(|member| self.value(member)).collect(),
            Value::Object(members) => Value::Object(
                members.iter().map(|(name, member)| (name.clone(), self.member(name, member))).collect(),
            ),
            other => other.clone(),
        }
    }

    fn member(self, name: &str, value: &Value) -> Value {
        match (name, self.mirror) {
            ("bearing", true) => {
                let [from, to] = [1, 0].map(|end| 180.0 - value[end].as_f64().unwrap());
                let fold = |degrees: f64| if degrees > 360.0 { degrees - 360.0 } else { degrees };
                json!([fold(from), fold(to)])
            }
            ("bearing", false) => value.clone(),
            _ => self.value(value),
        }
    }

    fn name(self, collection: &str, id: &str) -> String {
        let swapped = |digit: char| {
            if let Some(n) = digit.to_digit(10) { (9 - n).to_string() } else { digit.to_string() }
        };
        if self.rename && collection == "fences" { id.chars().map(swapped).collect() } else { id.to_owned() }
    }

    fn deed(self, deed: &Deed) -> Deed {
        match deed {
            Deed::Fix { device, place, at, more } => {
                Deed::Fix { device: device.clone(), place: self.place(*place), at: *at, more: more.clone() }
            }
            Deed::Put { collection, id, body } => {
                Deed::Put { collection, id: self.name(collection, id), body: self.value(body) }
            }
            Deed::Delete { collection, id } => Deed::Delete { collection, id: self.name(collection, id) },
            Deed::Tick { .. } => deed.clone(),
        }
    }
}

/// A world that is changed as a whole must tell the same.
fn check_alike(steps: &[Step], change: Change) {
    let mut world = story::world();
    let (mut here, mut there) = (Bench::new(1), Bench::new(1));
    for (number, step) in (0..).zip(steps) {
        let Some(deed) = step.deed(&world, number) else { continue };
        let other = change.deed(&deed);
        let log_ms = story::log_time(&mut world, &deed);
        let (Some(item), Some(changed)) = (here.item(&deed, log_ms), there.item(&other, log_ms)) else {
            break;
        };
        world.apply(&deed);
        // A place exactly on a circle may fall either way once its vectors are rounded anew.
        let is_sure = world.state().doubt.is_empty();
        let (events, others) = (here.apply(&item), there.apply(&changed));
        if !is_sure {
            break;
        }
        let names = |events: &[Event], back: bool| {
            let name = |event: &Event| {
                let mut seen = seen(event);
                if back && seen.0 == "fence" {
                    seen.1 = change.name("fences", &seen.1);
                }
                seen
            };
            let mut names: Vec<Expected> = events.iter().map(name).collect();
            if change.rename {
                names.sort();
            }
            names
        };
        assert_eq!(names(&events, false), names(&others, true), "{deed:?}");
        for (event, other) in events.iter().zip(&others).filter(|_| !change.rename) {
            if let (Told::Fence(event), Told::Fence(other)) = (&event.told, &other.told) {
                assert!((event.distance_m - other.distance_m).abs() < 0.2, "{event:?} {other:?}");
            }
        }
    }
}

fn alike(test: &str, change: impl Fn(i64) -> Change) {
    let stories = (prop::collection::vec(story::step(), 1..80), 1_i64..3_600_000_000);
    let outcome = seed::runner(test, 150).run(&stories, |(steps, turn)| {
        check_alike(&steps, change(turn));
        Ok::<(), TestCaseError>(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn longitudes_are_all_alike() {
    alike("longitudes_are_all_alike", |turn| Change { turn, mirror: false, rename: false });
}

#[test]
fn the_poles_are_alike() {
    alike("the_poles_are_alike", |_| Change { turn: 0, mirror: true, rename: false });
}

#[test]
fn names_of_fences_do_not_matter() {
    alike("names_of_fences_do_not_matter", |_| Change { turn: 0, mirror: false, rename: true });
}

/// A shard made anew from its snapshot must hold what one that lived through it holds, and tell the same from then on.
#[test]
fn loading_equals_living() {
    let steps = || prop::collection::vec(story::step(), 1..80);
    let outcome = seed::runner("loading_equals_living", 150).run(&(steps(), steps()), |(steps, more)| {
        let mut world = story::world();
        let mut bench = Bench::new(2);
        let mut stock = Stock::default();
        let mut loaded: Option<Bench> = None;
        let half = steps.len();
        for (number, step) in (0..).zip(steps.iter().chain(&more)) {
            if usize::try_from(number).unwrap() == half {
                loaded = Some(stock.load(&bench));
            }
            let Some(deed) = step.deed(&world, number) else { continue };
            let log_ms = story::log_time(&mut world, &deed);
            let Some(item) = bench.item(&deed, log_ms) else { continue };
            world.apply(&deed);
            let events = bench.apply(&item);
            stock.note(&item);
            if let Some(loaded) = &mut loaded {
                assert_eq!(loaded.apply(&item), events, "{deed:?}");
                assert_eq!(loaded.state(), bench.state());
            }
        }
        loaded.iter().for_each(Bench::check_mirrors);
        Ok::<(), TestCaseError>(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// The documents that a store would hold.
#[derive(Default)]
struct Stock {
    ads: BTreeMap<DocId, Arc<Ad>>,
    lists: BTreeMap<DocId, Arc<AdList>>,
    fences: BTreeMap<DocId, (Arc<Fence>, u64)>,
    attributes: HashMap<DocId, Attributes>,
}

impl Stock {
    fn note(&mut self, item: &Item) {
        fn put<T>(table: &mut BTreeMap<DocId, T>, id: &DocId, live: Option<T>) {
            match live {
                Some(live) => drop(table.insert(id.clone(), live)),
                None => drop(table.remove(id)),
            }
        }
        match &item.what {
            What::Ad { id, live, .. } => put(&mut self.ads, id, live.clone()),
            What::List { id, live, .. } => put(&mut self.lists, id, live.clone()),
            What::Fence { id, live } => {
                put(&mut self.fences, id, live.clone().map(|fence| (fence, item.log_seq)));
            }
            What::Device { id, attributes, .. } => {
                self.attributes.insert(id.clone(), Arc::clone(attributes));
            }
            What::DeviceGone { id, .. } => drop(self.attributes.remove(id)),
            What::Fix(_) | What::Tick => {}
        }
    }

    /// Shards made from these documents and from the bytes of a snapshot.
    fn load(&self, living: &Bench) -> Bench {
        let load = |living: &Shard| {
            let ground = Ground { fences: self.fences.clone(), attributes: self.attributes.clone() };
            let bytes = state::encode(living);
            let mut reader = Reader::bare(&bytes);
            let known = state::decode(&mut reader).unwrap();
            reader.end().unwrap();
            let mut shard = Shard::new(living.place, ground);
            shard.restore(known);
            shard.stock(self.ads.clone(), self.lists.clone());
            shard
        };
        Bench { shards: living.shards.iter().map(load).collect(), ..Bench::new(0) }
    }
}

/// Ads with shapes are not in the oracle; here the indexes are held against the bare test of every pair.
#[test]
fn indexes_propose_every_match_of_shapes() {
    let outcome = seed::runner("indexes_propose_every_match_of_shapes", 150).run(
        &prop::collection::vec(story::step(), 1..60),
        |steps| {
            let mut world = story::world();
            let mut bench = Bench::new(1);
            let (mut lists, mut ads) = (BTreeMap::new(), BTreeMap::new());
            for (number, step) in (0..).zip(&steps) {
                let Some(mut deed) = step.deed(&world, number) else { continue };
                if let Deed::Put { collection: "ads", body, .. } = &mut deed {
                    spread(body, number);
                }
                let log_ms = story::log_time(&mut world, &deed);
                let Some(item) = bench.item(&deed, log_ms) else { continue };
                if !matches!(deed, Deed::Put { collection: "ads", .. }) {
                    world.apply(&deed);
                }
                bench.apply(&item);
                match &item.what {
                    What::Ad { id, live: Some(ad), .. } => drop(ads.insert(id.clone(), Arc::clone(ad))),
                    What::Ad { id, live: None, .. } => drop(ads.remove(id)),
                    What::List { id, live: Some(list), .. } if list.active => {
                        drop(lists.insert(id.clone(), Arc::clone(list)))
                    }
                    What::List { id, .. } => drop(lists.remove(id)),
                    _ => {}
                }
                let shard = &bench.shards[0];
                for (list_id, list) in &lists {
                    let here = shard.here(list);
                    let wanted: BTreeSet<DocId> = ads
                        .iter()
                        .filter(|(_, ad)| matcher::is_match(list, ad, here))
                        .map(|(id, _)| id.clone())
                        .collect();
                    assert_eq!(shard.lists.get(list_id).unwrap().members, wanted, "{list:?} after {deed:?}");
                }
            }
            bench.check_mirrors();
            Ok::<(), TestCaseError>(())
        },
    );
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Makes a line or a triangle of an ad's place.
fn spread(body: &mut Value, number: u64) {
    let (lon, lat) = oracle::place_of(&body["location"]["coordinates"]);
    let degrees = |lon: i64, lat: i64| {
        let lon = (lon + 1_800_000_000).rem_euclid(3_600_000_000) - 1_800_000_000;
        json!([lon as f64 / 1e7, lat.clamp(-900_000_000, 900_000_000) as f64 / 1e7])
    };
    let reach = [10, 40_000, 9_000_000][usize::try_from(number % 3).unwrap()];
    let corners =
        [degrees(lon, lat), degrees(lon + reach, lat - reach / 2), degrees(lon + reach, lat + reach)];
    body["location"] = match number % 4 {
        0 => json!({"type": "Point", "coordinates": corners[0]}),
        1 => json!({"type": "LineString", "coordinates": [corners[0], corners[1]]}),
        2 => json!({"type": "MultiPoint", "coordinates": corners}),
        _ => json!({"type": "Polygon", "coordinates": [[corners[0], corners[1], corners[2], corners[0]]]}),
    };
}
