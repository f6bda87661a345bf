use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use super::*;

#[path = "../../tests/geo/expect.rs"]
mod expect;
#[path = "../../tests/geo/oracle.rs"]
mod oracle;
#[path = "../../tests/geo/seed.rs"]
mod seed;
#[path = "../../tests/geo/story.rs"]
mod story;

use expect::{Expected, expected};
use oracle::{State, World};
use story::{Deed, Step};

/// Several shards without engine or threads, fed what a sequencer would feed them.
struct Bench {
    shards: Vec<Shard>,
    existing: BTreeSet<(String, String)>,
    seq: u64,
}

impl Bench {
    fn new(count: usize) -> Self {
        let shards =
            (0..count).map(|number| Shard::load(ShardPlace { number, count }, Ground::default())).collect();
        Self { shards, existing: BTreeSet::new(), seq: 0 }
    }

    /// `None` when the document would be refused.
    fn item(&mut self, deed: &Deed) -> Option<Item> {
        let at = Millis::new(story::TIME_START_MS + self.seq);
        let id = |id: &str| DocId::new(id).unwrap();
        let existed = match deed {
            Deed::Fix { .. } => false,
            Deed::Put { collection, id, .. } => !self.existing.insert(((*collection).to_owned(), id.clone())),
            Deed::Delete { collection, id } => self.existing.remove(&((*collection).to_owned(), id.clone())),
        };
        let what = match deed {
            Deed::Fix { device, place, at } => What::Fix(Fix {
                device: id(device),
                point: Point::from_units(place.0, place.1),
                at: Millis::new(*at),
                speed: None,
                heading: None,
                accuracy: None,
                fields: None,
            }),
            Deed::Put { collection: "ads", id: ad, body } => {
                let parsed = Ad::parse(body).ok()?;
                What::Ad { id: id(ad), live: parsed.active.then(|| Arc::new(parsed)), ended: Reason::Removed }
            }
            Deed::Put { collection: "adlists", id: list, body } => {
                What::List { id: id(list), live: Some(Arc::new(AdList::parse(body).ok()?)), existed }
            }
            Deed::Put { id: fence, body, .. } => {
                What::Fence { id: id(fence), live: Some(Arc::new(Fence::parse(body).ok()?)) }
            }
            Deed::Delete { collection: "ads", id: ad } => {
                What::Ad { id: id(ad), live: None, ended: Reason::Removed }
            }
            Deed::Delete { collection: "adlists", id: list } => {
                What::List { id: id(list), live: None, existed }
            }
            Deed::Delete { collection: "fences", id: fence } => What::Fence { id: id(fence), live: None },
            Deed::Delete { id: device, .. } => What::DeviceGone { id: id(device) },
        };
        self.seq += 1;
        Some(Item { source: Source::Log { seq: self.seq }, at, what })
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
                state.inside.extend(held.inside.iter().map(|fence| (text(fence), text(device))));
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
                .flat_map(|(device, held)| held.inside.iter().map(move |fence| (fence, device)))
                .collect();
            let back: BTreeSet<_> = shard
                .fences
                .iter()
                .flat_map(|(fence, held)| held.members.iter().map(move |device| (fence, device)))
                .collect();
            assert_eq!(forward, back);
            for (list, held) in shard.lists.iter() {
                assert!(held.members.iter().all(|ad| shard.lists.holding(ad).any(|holder| holder == list)));
            }
        }
    }
}

fn seen(event: &Event) -> Expected {
    let (kind, first, second) = match &event.told {
        Told::Match(told) => ("match", told.list.as_str().to_owned(), told.ad.as_str().to_owned()),
        Told::Fence(told) => ("fence", told.fence.as_str().to_owned(), told.device.as_str().to_owned()),
    };
    let crossing = if event.crossing == Crossing::Enter { "enter" } else { "exit" };
    (kind, first, second, crossing, event.reason.text())
}

fn check_order(events: &[Expected]) {
    let key = |event: &Expected| (event.3 == "enter", event.0 == "match", event.1.clone(), event.2.clone());
    assert!(events.is_sorted_by_key(key), "{events:?}");
}

/// Runs a story on one shard, on several, and in the oracle; compares every event and every state.
fn run(steps: &[Step], shards: usize) {
    let mut world = World::default();
    let (mut one, mut many) = (Bench::new(1), Bench::new(shards));
    let mut was = world.state();
    for (number, step) in (0..).zip(steps) {
        let Some(deed) = step.deed(&world, number) else { continue };
        let Some(item) = one.item(&deed) else { continue };
        many.item(&deed);
        let before = world.clone();
        let counts = world.apply(&deed);
        let is = world.state();
        let events: Vec<Expected> = one.apply(&item).iter().map(seen).collect();
        check_order(&events);
        let mut others: Vec<Expected> = many.apply(&item).iter().map(seen).collect();
        let mut sorted = events.clone();
        sorted.sort();
        others.sort();
        assert_eq!(sorted, others, "several shards tell something else about {deed:?}");
        let mut wanted = if counts { expected(&before, &deed, &was, &is) } else { Vec::new() };
        wanted.sort();
        let doubtful = |pair: &(String, String)| was.doubt.contains(pair) || is.doubt.contains(pair);
        sorted.retain(|event| !doubtful(&(event.1.clone(), event.2.clone())));
        assert_eq!(sorted, wanted, "events of step {number}: {deed:?}\nworld {before:?}");
        let mut live = one.state();
        live.inside.retain(|pair| !is.doubt.contains(pair));
        live.members.retain(|pair| !is.doubt.contains(pair));
        assert_eq!(
            (&live.inside, &live.members),
            (&is.inside, &is.members),
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

/// Turning the earth below the story must change no event.
#[test]
fn longitudes_are_all_alike() {
    let stories = (prop::collection::vec(story::step(), 1..80), 1_i64..3_600_000_000);
    let outcome = seed::runner("longitudes_are_all_alike", 150).run(&stories, |(steps, turn)| {
        let mut world = World::default();
        let (mut here, mut there) = (Bench::new(1), Bench::new(1));
        for (number, step) in (0..).zip(&steps) {
            let Some(deed) = step.deed(&world, number) else { continue };
            world.apply(&deed);
            // A place exactly on a circle may fall either way once its vectors are rounded anew.
            let doubt = world.state().doubt;
            let (Some(item), Some(turned)) = (here.item(&deed), there.item(&turned(&deed, turn))) else {
                break;
            };
            let (events, others) = (here.apply(&item), there.apply(&turned));
            if !doubt.is_empty() {
                break;
            }
            let names = |events: &[Event]| events.iter().map(seen).collect::<Vec<_>>();
            assert_eq!(names(&events), names(&others), "{deed:?}");
            for (event, other) in events.iter().zip(&others) {
                if let (Told::Fence(event), Told::Fence(other)) = (&event.told, &other.told) {
                    assert!((event.distance_m - other.distance_m).abs() < 0.2, "{event:?} {other:?}");
                }
            }
        }
        Ok::<(), TestCaseError>(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

fn turned(deed: &Deed, turn: i64) -> Deed {
    fn turn_value(value: &Value, turn: i64) -> Value {
        match value {
            Value::Array(pair) if pair.len() == 2 && pair.iter().all(Value::is_number) => {
                let (lon, lat) = oracle::place_of(value);
                let lon = (lon + turn + 1_800_000_000).rem_euclid(3_600_000_000) - 1_800_000_000;
                json!([lon as f64 / 1e7, lat as f64 / 1e7])
            }
            Value::Array(members) => members.iter().map(|member| turn_value(member, turn)).collect(),
            Value::Object(members) => Value::Object(
                members.iter().map(|(name, member)| (name.clone(), turn_value(member, turn))).collect(),
            ),
            other => other.clone(),
        }
    }
    match deed {
        Deed::Fix { device, place, at } => {
            let lon = (place.0 + turn + 1_800_000_000).rem_euclid(3_600_000_000) - 1_800_000_000;
            Deed::Fix { device: device.clone(), place: (lon, place.1), at: *at }
        }
        Deed::Put { collection, id, body } => {
            Deed::Put { collection, id: id.clone(), body: turn_value(body, turn) }
        }
        Deed::Delete { .. } => deed.clone(),
    }
}

/// A shard loaded from its ground must hold what one that lived through it holds.
#[test]
fn loading_equals_living() {
    let outcome = seed::runner("loading_equals_living", 150).run(
        &prop::collection::vec(story::step(), 1..80),
        |steps| {
            let mut world = World::default();
            let mut bench = Bench::new(2);
            let mut ground = [Ground::default(), Ground::default()];
            for (number, step) in (0..).zip(&steps) {
                let Some(deed) = step.deed(&world, number) else { continue };
                let Some(item) = bench.item(&deed) else { continue };
                world.apply(&deed);
                bench.apply(&item);
                ground.iter_mut().for_each(|ground| note(ground, &item));
            }
            let [first, second] = ground;
            let mut fixes = [first, second];
            for (place, ground) in fixes.iter_mut().enumerate() {
                let living = &bench.shards[place];
                ground.fixes =
                    living.devices.iter().map(|(id, device)| (id.clone(), device.fix.clone())).collect();
            }
            let shards = fixes
                .into_iter()
                .enumerate()
                .map(|(number, ground)| Shard::load(ShardPlace { number, count: 2 }, ground))
                .collect();
            let loaded = Bench { shards, existing: BTreeSet::new(), seq: 0 };
            assert_eq!(loaded.state(), bench.state());
            loaded.check_mirrors();
            Ok::<(), TestCaseError>(())
        },
    );
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

fn note(ground: &mut Ground, item: &Item) {
    fn put<T>(table: &mut BTreeMap<DocId, Arc<T>>, id: &DocId, live: Option<&Arc<T>>) {
        match live {
            Some(live) => drop(table.insert(id.clone(), Arc::clone(live))),
            None => drop(table.remove(id)),
        }
    }
    match &item.what {
        What::Ad { id, live, .. } => put(&mut ground.ads, id, live.as_ref()),
        What::List { id, live, .. } => put(&mut ground.lists, id, live.as_ref()),
        What::Fence { id, live } => put(&mut ground.fences, id, live.as_ref()),
        What::Fix(_) | What::DeviceGone { .. } => {}
    }
}

/// Ads with shapes are not in the oracle; here the indexes are held against the bare test of every pair.
#[test]
fn indexes_propose_every_match_of_shapes() {
    let outcome = seed::runner("indexes_propose_every_match_of_shapes", 150).run(
        &prop::collection::vec(story::step(), 1..60),
        |steps| {
            let mut world = World::default();
            let mut bench = Bench::new(1);
            let (mut lists, mut ads) = (BTreeMap::new(), BTreeMap::new());
            for (number, step) in (0..).zip(&steps) {
                let Some(mut deed) = step.deed(&world, number) else { continue };
                if let Deed::Put { collection: "ads", body, .. } = &mut deed {
                    spread(body, number);
                }
                let Some(item) = bench.item(&deed) else { continue };
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
