//! The history of devices against all fixes that were sent, over restarts, trims and damage.

use std::collections::BTreeMap;
use std::time::Duration;

use dateline_engine::{DocId, Durability, Millis, Retention, Seq, TrimPolicy};
use dateline_geo::{Fix, HeatGrid, TrackQuery, Tracks, Within};

use super::engine::{House, fix_at};
use super::oracle::Place;

type Sent = BTreeMap<String, Vec<(u64, Fix)>>;

/// Sends batches of random devices; what each device sent, with the batch's number.
fn send(house: &House, rng: &mut Rng, batches: u64, devices: u64, sent: &mut Sent) {
    for _ in 0..batches {
        let mut fixes = Vec::new();
        for _ in 0..1 + rng.below(12) {
            let device = format!("dev-{}", rng.below(devices));
            let place = (
                rng.below(3_600_000_000) as i64 - 1_800_000_000,
                rng.below(1_800_000_000) as i64 - 900_000_000,
            );
            // Mostly rising, now and then late.
            let at =
                1_000_000 + house.store().watermark().applied().positions.get() * 1_000 - rng.below(20_000);
            fixes.push(fix_at(&device, place, at + rng.below(1_000)));
        }
        house.fixes(&fixes);
        let seq = house.store().watermark().applied().positions.get();
        for fix in fixes {
            sent.entry(fix.device.to_string()).or_default().push((seq, fix));
        }
    }
}

/// Numbers that come again with their seed.
struct Rng(u64);

impl Rng {
    fn new(test: &str) -> Self {
        let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) * 7_919 + 1);
        eprintln!("{test}: SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn open(house: &House) -> Tracks {
    let tracks = Tracks::open(house.store(), &house.dir.path().join("tracks")).unwrap();
    let seq = house.store().watermark().durable().positions;
    assert!(tracks.wait_for(seq, Duration::from_secs(20)), "{:?}", tracks.failed());
    tracks
}

fn query(device: &str, limit: usize) -> TrackQuery {
    let device = DocId::new(device).unwrap();
    TrackQuery { device, from: None, to: None, since: Seq::ZERO, after: None, limit }
}

/// All pages, in the order of the lane.
fn whole(tracks: &Tracks, query: &TrackQuery) -> Vec<Fix> {
    let (mut query, mut all) = (query.clone(), Vec::new());
    loop {
        let page = tracks.track(&query).unwrap();
        assert!(page.fixes.len() <= query.limit && page.fixes.is_sorted_by_key(|fix| fix.at));
        all.extend(page.fixes);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return all,
        }
    }
}

fn check(tracks: &Tracks, sent: &Sent, floor: u64, rng: &mut Rng) {
    let sorted = |fixes: Vec<Fix>| {
        let mut keys: Vec<(u64, String)> =
            fixes.iter().map(|fix| (fix.at.get(), format!("{:?}", fix.point))).collect();
        keys.sort();
        keys
    };
    for (device, fixes) in sent {
        let kept = fixes.iter().filter(|(seq, _)| *seq > floor).map(|(_, fix)| fix.clone());
        let limit = 1 + usize::try_from(rng.below(30)).unwrap();
        assert_eq!(sorted(whole(tracks, &query(device, limit))), sorted(kept.clone().collect()), "{device}");
        let (from, to) = (1_000_000 + rng.below(200_000), 1_000_000 + rng.below(400_000));
        let cut =
            TrackQuery { from: Some(Millis::new(from)), to: Some(Millis::new(to)), ..query(device, limit) };
        let meant = kept.filter(|fix| (from..=to).contains(&fix.at.get()));
        assert_eq!(sorted(whole(tracks, &cut)), sorted(meant.collect()), "{device} from {from} to {to}");
    }
    assert!(whole(tracks, &query("nobody", 5)).is_empty());
}

#[test]
fn a_track_is_what_was_sent() {
    let mut rng = Rng::new("a_track_is_what_was_sent");
    let house = House::new(1);
    let mut sent = Sent::new();
    let tracks = open(&house);
    send(&house, &mut rng, 150, 9, &mut sent);
    assert!(tracks.wait_for(house.store().watermark().durable().positions, Duration::from_secs(20)));
    check(&tracks, &sent, 0, &mut rng);
    drop(tracks);
    send(&house, &mut rng, 50, 9, &mut sent);
    let tracks = open(&house);
    check(&tracks, &sent, 0, &mut rng);
    let counted =
        tracks.heat(&Within::everywhere(), None, None, HeatGrid::new("geohash", 1).unwrap()).unwrap();
    let all: usize = sent.values().map(Vec::len).sum();
    let counted: u64 = counted.cells().unwrap().iter().map(|cell| cell.count).sum();
    assert_eq!(counted, all as u64);
}

/// Batches of one fix of seven devices, more than one segment holds.
fn flood(house: &House, place: Place) {
    const BATCHES: u64 = 66_000;
    let (told, done) = std::sync::mpsc::channel();
    for n in 0..BATCHES {
        let (told, fixes) = (told.clone(), [fix_at(&format!("d{}", n % 7), place, 1_000_000 + n)]);
        house.geo().submit(&fixes, Durability::Buffered, move |outcome| told.send(outcome.is_ok()).unwrap());
        if n % 200 == 199 {
            assert!((0..200).all(|_| done.recv().unwrap()));
        }
    }
}

#[test]
fn a_segment_that_cannot_be_written_waits() {
    let house = House::new(1);
    let (dir, tracks) = (house.dir.path().join("tracks"), open(&house));
    std::fs::remove_dir_all(&dir).unwrap();
    flood(&house, (100_000_000, 500_000_000));
    let tail = house.store().watermark().applied().positions;
    // The index stands still at the end of the segment, and takes in nothing that would not fit it.
    assert!(!tracks.wait_for(tail, Duration::from_secs(3)));
    let stood = tracks.visible();
    assert!(stood < tail && tracks.figures().segments == 0 && tracks.failed().is_none());
    std::fs::create_dir_all(&dir).unwrap();
    assert!(tracks.wait_for(tail, Duration::from_secs(20)));
    assert_eq!(tracks.figures().segments, 1);
    let total: usize = (0..7).map(|n| whole(&tracks, &query(&format!("d{n}"), 10_000)).len()).sum();
    assert_eq!(total as u64, tail.get());
}

#[test]
fn segments_are_sealed_found_again_and_forgotten() {
    let mut rng = Rng::new("segments_are_sealed_found_again_and_forgotten");
    let house = House::new(1);
    let mut sent = Sent::new();
    let (place, store) = ((100_000_000, 500_000_000), house.store());
    flood(&house, place);
    house.fixes(&[fix_at("last", place, 5)]);
    let tracks = open(&house);
    let tail = store.watermark().durable().positions.get();
    let waited = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        tracks.figures().segments == 1
    });
    assert!(waited, "{:?} of {tail} batches", tracks.figures());
    let figures = tracks.figures();
    eprintln!("{} postings in {} bytes", figures.postings, figures.bytes);
    let total: usize = (0..7).map(|n| whole(&tracks, &query(&format!("d{n}"), 10_000)).len()).sum();
    assert_eq!(total as u64, tail - 1);
    drop(tracks);
    let tracks = open(&house);
    assert_eq!(tracks.figures(), figures);
    send(&house, &mut rng, 30, 5, &mut sent);
    assert!(tracks.wait_for(store.watermark().durable().positions, Duration::from_secs(20)));
    check(&tracks, &sent, 0, &mut rng);
    drop(tracks);
    // A damaged bucket costs time and nothing else; a damaged head has the segment made anew.
    let dir = house.dir.path().join("tracks");
    let path = std::fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    let good = std::fs::read(&path).unwrap();
    for at in [good.len() - 3, 40] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let tracks = open(&house);
        let found: usize = (0..7).map(|n| whole(&tracks, &query(&format!("d{n}"), 10_000)).len()).sum();
        assert_eq!(found as u64, tail - 1, "damaged at {at}");
    }
    // What is trimmed of the lane is gone from tracks, and its files with it.
    let keep = Retention { keep_ms: 0, keep_bytes: 0, hold_ms_max: 0 };
    let never = Retention { keep_ms: u64::MAX, keep_bytes: u64::MAX, hold_ms_max: u64::MAX };
    let tracks = open(&house);
    house.settle();
    // What is as old as now is not yet too old.
    house.clock.advance_ms(1);
    house.fixes(&[fix_at("d1", place, 2_000_000)]);
    // The matcher's cursor holds the lane and follows by the second.
    let gone = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        store.trim(&TrimPolicy { log: never, positions: keep }).unwrap();
        tracks.figures().segments == 0 && std::fs::read_dir(&dir).unwrap().count() == 0
    });
    let floors = store.feed().floors();
    assert!(gone, "{:?} at {}, floors {floors:?}, {:?}", tracks.figures(), tracks.visible(), tracks.failed());
    assert_eq!(whole(&tracks, &query("d1", 10)).len(), 1);
}

#[test]
fn fixes_stored_before_a_moment_can_be_left_out() {
    let house = House::new(1);
    house.fix("d", 1.0, 1.0, "2026-01-01T00:00:00Z");
    let deleted = house.delete("devices", "d").seq;
    house.fix("d", 2.0, 2.0, "2026-01-01T00:00:01Z");
    let tracks = open(&house);
    assert_eq!(whole(&tracks, &query("d", 10)).len(), 2);
    let since = TrackQuery { since: deleted, ..query("d", 10) };
    let fixes = whole(&tracks, &since);
    assert_eq!((fixes.len(), fixes[0].point.lon()), (1, 2.0));
}
