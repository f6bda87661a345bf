//! Random stories over a real store, with restarts and crashes in between: nothing is lost, nothing told twice, and
//! the documents are the same as those of a run without any interruption.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::Value;

use super::engine::{House, equal, fix_at, fix_with};
use super::expect::{Expected, expected};
use super::seed;
use super::story::{Deed, Step, log_time, step, world};

#[derive(Clone, Debug)]
enum Turn {
    Step(Step),
    Settle,
    Restart { in_order: bool },
    RestartGeo,
    LoseSnapshots,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        20 => step().prop_map(Turn::Step),
        3 => Just(Turn::Settle),
        1 => any::<bool>().prop_map(|in_order| Turn::Restart { in_order }),
        2 => Just(Turn::RestartGeo),
        1 => Just(Turn::LoseSnapshots),
    ]
}

/// Writes a deed if the document is valid; says whether it did.
fn write(house: &House, deed: &Deed) -> bool {
    match deed {
        Deed::Fix { device, place, at, more } => drop(house.fixes(&[fix_with(device, *place, *at, more)])),
        Deed::Tick { wait_ms } => house.tick(*wait_ms),
        Deed::Put { collection, id, body } => {
            let valid = match *collection {
                "ads" => dateline_geo::Ad::parse(body).is_ok(),
                "adlists" => dateline_geo::AdList::parse(body).is_ok(),
                "devices" => true,
                _ => dateline_geo::Fence::parse(body, equal).is_ok(),
            };
            if !valid {
                return false;
            }
            house.put(collection, id, body);
        }
        Deed::Delete { collection, id } => drop(house.delete(collection, id)),
    }
    true
}

fn seen(kind: &'static str, body: &Value) -> Expected {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let known = |value: &str| -> &'static str {
        let all = [
            "enter",
            "exit",
            "cross",
            "dwell",
            "inside",
            "outside",
            "near",
            "far",
            "update:pos",
            "initial",
            "fence_changed",
            "fence_removed",
            "deleted",
            "expired",
            "schedule",
            "clock",
            "new:ad",
            "changed",
            "removed",
        ];
        all.into_iter().find(|known| *known == value).unwrap_or("unknown")
    };
    let (event, reason) = (known(&text("event")), known(&text("reason")));
    if kind == "match" {
        return (kind, text("adlist"), text("ad"), event, reason, 0);
    }
    let (device, other) = (text("device"), text("other"));
    let pair = if other.is_empty() {
        device
    } else {
        format!("{}~{}", device.clone().min(other.clone()), device.max(other))
    };
    let at: jiff::Timestamp = text("at").parse().unwrap();
    (kind, text("fence"), pair, event, reason, u64::try_from(at.as_millisecond()).unwrap())
}

fn told(house: &House) -> Vec<Expected> {
    let mut all: Vec<Expected> = house.told("matches").iter().map(|body| seen("match", body)).collect();
    all.extend(house.told("fence_events").iter().map(|body| seen("fence", body)));
    all.sort();
    all
}

/// Documents without what the moment of the commit gives them.
fn documents(house: &House) -> Vec<String> {
    let all = house.told("matches").into_iter().chain(house.told("fence_events"));
    let mut texts: Vec<String> = all
        .map(|mut body| {
            // Names differ by where the entry stood in the log.
            body["_id"] = Value::Null;
            body.to_string()
        })
        .collect();
    texts.sort();
    texts
}

fn run(turns: &[Turn], shards: usize) {
    let (mut broken, whole) = (House::new(shards), House::new(1));
    let mut world = world();
    let (mut wanted, mut doubtful) = (Vec::new(), Vec::new());
    let mut was = world.state();
    for (number, turn) in (0..).zip(turns) {
        let step = match turn {
            Turn::Step(step) => step,
            Turn::Settle => {
                broken.settle();
                continue;
            }
            Turn::Restart { in_order } => {
                broken.restart(*in_order);
                continue;
            }
            Turn::RestartGeo => {
                broken.restart_geo(|_| ());
                continue;
            }
            Turn::LoseSnapshots => {
                let _ = std::fs::remove_dir_all(broken.geo_dir());
                broken.restart(false);
                continue;
            }
        };
        let Some(deed) = step.deed(&world, number) else { continue };
        log_time(&mut world, &deed);
        [&broken, &whole].iter().for_each(|house| house.clock.advance_ms(1000));
        if !write(&broken, &deed) {
            continue;
        }
        write(&whole, &deed);
        let before = world.clone();
        let (counts, told) = world.apply(&deed);
        let is = world.state();
        if counts {
            wanted.extend(expected(&before, &deed, &was, &is, told));
        }
        doubtful.extend(is.doubt.iter().cloned());
        was = is;
    }
    broken.settle();
    whole.settle();
    broken.check_verify();
    let certain = |event: &Expected| !doubtful.contains(&(event.1.clone(), event.2.clone()));
    wanted.retain(certain);
    wanted.sort();
    let mut events = told(&broken);
    events.retain(certain);
    assert_eq!(events, wanted, "events differ from the oracle's");
    assert_eq!(documents(&broken), documents(&whole), "an interrupted run told something else");
}

#[test]
fn interrupted_stories_tell_the_same() {
    let stories = (prop::collection::vec(turn(), 1..70), 1_usize..4);
    let outcome = seed::runner("interrupted_stories_tell_the_same", 24).run(&stories, |(turns, shards)| {
        run(&turns, shards);
        Ok::<(), TestCaseError>(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// The same fixes in one batch or in many, and a matcher that starts late: the same documents.
#[test]
fn batches_do_not_matter() {
    let (many, one) = (House::new(2), House::new(2));
    let circle = |lon: f64| serde_json::json!({"name": "f", "circle": {"center": [lon, 0], "radius_m": 300}});
    for house in [&many, &one] {
        for n in 0..5 {
            house.put("fences", &format!("f{n}"), &circle(f64::from(n) * 0.01));
        }
    }
    let fixes: Vec<_> = (0..400_u64)
        .map(|n| {
            fix_at(
                &format!("d{}", n % 7),
                ((n * 7_919 % 500_000) as i64, (n * 104_729 % 20_000) as i64),
                1_700_000_000_000 + n * 1_000,
            )
        })
        .collect();
    one.fixes(&fixes);
    let mut many = many;
    for (index, chunk) in fixes.chunks(3).enumerate() {
        if index % 40 == 20 {
            many.restart_geo(|house| {
                house.put("ads", "x", &serde_json::json!({"title": "x", "coords": [0, 0]}));
            });
        }
        many.fixes(chunk);
    }
    many.settle();
    one.settle();
    assert!(documents(&one).len() > 100, "{}", documents(&one).len());
    assert_eq!(documents(&one), documents(&many));
    // Per device in the order of its fixes.
    for house in [&one, &many] {
        for device in 0..7 {
            let name = format!("d{device}");
            let times: Vec<String> = house
                .told("fence_events")
                .iter()
                .filter(|told| told["device"] == *name)
                .map(|told| told["at"].to_string())
                .collect();
            assert!(times.is_sorted());
        }
    }
    many.check_verify();
}
