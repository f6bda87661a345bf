//! The matcher in the process beside the same work on plain rstar: a million devices in 100 km by 100 km.
//!
//! The reference keeps places in metres on a plane in one tree and looks at each candidate; it stores nothing and serves
//! nobody else, which is the least that could be done with it. Questions to the matcher come from one thread as well, which
//! looks for the answer itself: what it takes is what a question takes of a core.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dateline_engine::{
    CollectionId, CollectionOptions, Condition as Put, DocId, Durability, Options, Store, Tail, Transaction,
};
// The allocator of the program.
use dateline_benches as _;
use dateline_geo::{Fix, Geo, GeoOptions, Point, Within};
use fastrand::Rng;
use rstar::RTree;
use rstar::primitives::GeomWithData;
use serde_json::json;
use tempfile::TempDir;

const DEVICES: u32 = 1_000_000;
const CIRCLES: u32 = 100_000;
const LISTS: u32 = 1_000_000;
const CATEGORIES: u32 = 1_000;
/// Of the square, in metres.
const SIDE_M: f64 = 100_000.0;
/// Where the square has its middle.
const MIDDLE: (f64, f64) = (-112.5, 33.5);
const DEGREE_M: f64 = 111_195.0;
const REACH_M: f64 = 500.0;
const BATCH: usize = 2_000;
const ADS: u32 = 1_000;

type Placed = GeomWithData<[f64; 2], u32>;

fn anywhere(rng: &mut Rng) -> [f64; 2] {
    [0; 2].map(|_| (rng.f64() - 0.5) * SIDE_M)
}

fn degrees([x, y]: [f64; 2]) -> (f64, f64) {
    (MIDDLE.0 + x / (DEGREE_M * MIDDLE.1.to_radians().cos()), MIDDLE.1 + y / DEGREE_M)
}

fn point(place: [f64; 2]) -> Point {
    let (lon, lat) = degrees(place);
    Point::new(lon, lat).expect("a place")
}

fn name(device: u32) -> DocId {
    DocId::new(format!("device-{device:07}")).expect("a name")
}

/// Where the devices are, and how they move on: up to 55 m, as `dateline-tools positions --workload uniform` has it.
struct Movers {
    places: Vec<[f64; 2]>,
    rng: Rng,
    turn: u32,
}

impl Movers {
    fn new() -> Self {
        let mut rng = Rng::with_seed(1);
        let places = (0..DEVICES).map(|_| anywhere(&mut rng)).collect();
        Self { places, rng, turn: 0 }
    }

    /// The next device, where it was and where it is now.
    fn step(&mut self) -> (u32, [f64; 2], [f64; 2]) {
        let device = self.turn;
        self.turn = (self.turn + 1) % DEVICES;
        let mut hop = || (self.rng.f64() * 2.0 - 1.0) * 39.0;
        let (x, y) = (hop(), hop());
        let place = &mut self.places[device as usize];
        let before = *place;
        *place = [before[0] + x, before[1] + y];
        (device, before, *place)
    }
}

/// A store and its matcher.
struct Ground {
    store: Store,
    geo: Geo,
    at_ms: u64,
    _dir: TempDir,
}

impl Ground {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let store = Store::open(&dir.path().join("store"), Options::new()).expect("the store opens");
        for name in ["ads", "adlists", "fences", "devices", "matches", "fence_events"] {
            store.ensure_collection(name, CollectionOptions::default()).expect("the collection is defined");
        }
        let options = GeoOptions {
            shards: NonZeroUsize::MIN,
            events: Durability::Buffered,
            snapshot_every: Duration::from_secs(3600),
            conditions: |_| Err("no conditions here".to_owned()),
        };
        let geo = Geo::start(&store, &dir.path().join("geo"), options).expect("the matcher starts");
        let at_ms = store.now().get();
        Self { store, geo, at_ms, _dir: dir }
    }

    fn collection(&self, name: &str) -> CollectionId {
        self.store.ensure_collection(name, CollectionOptions::default()).expect("the collection is there")
    }

    fn put(
        &self,
        collection: CollectionId,
        documents: impl Iterator<Item = (String, serde_json::Value)>,
    ) -> Tail {
        let mut tail = Tail::default();
        let mut documents = documents.peekable();
        while documents.peek().is_some() {
            let chunk = documents.by_ref().take(2_000);
            let transaction =
                chunk.fold(Transaction::new(Durability::Buffered), |transaction, (id, body)| {
                    let id = DocId::new(id).expect("an id");
                    transaction.put(collection, id, Put::Always, body.to_string().into_bytes())
                });
            tail = self.store.commit(transaction).expect("the documents are stored").tail;
        }
        tail
    }

    fn send(&mut self, movers: &[(u32, [f64; 2])]) -> Tail {
        // Every device's clock goes on.
        self.at_ms += 1;
        let at = dateline_engine::Millis::new(self.at_ms);
        let fixes: Vec<Fix> =
            movers.iter().map(|(device, place)| Fix::bare(name(*device), point(*place), at)).collect();
        let (sender, receiver) = std::sync::mpsc::channel();
        self.geo.submit(&fixes, Durability::Buffered, move |result| drop(sender.send(result)));
        receiver.recv().expect("an answer").expect("accepted").tail
    }

    fn settle(&self, tail: Tail) {
        assert!(self.geo.wait_for(tail, Duration::from_secs(600)), "the matcher keeps up");
    }

    /// Every device where the movers have it.
    fn fill(&mut self, movers: &Movers) {
        let all: Vec<(u32, [f64; 2])> = (0..).zip(movers.places.iter().copied()).collect();
        let last = all.chunks(BATCH).map(|chunk| self.send(chunk)).last();
        self.settle(last.expect("a batch"));
    }

    /// Time of so many questions.
    fn ask(&self, rounds: u64, question: impl Fn(&Geo, Point)) -> Duration {
        let mut rng = Rng::with_seed(0);
        let started = Instant::now();
        (0..rounds).for_each(|_| question(&self.geo, point(anywhere(&mut rng))));
        started.elapsed()
    }
}

fn near(a: [f64; 2], b: [f64; 2], metres: f64) -> bool {
    let (x, y) = (a[0] - b[0], a[1] - b[1]);
    x * x + y * y <= metres * metres
}

/// The circles in a tree of their boxes.
struct Circles {
    boxes: RTree<GeomWithData<rstar::primitives::Rectangle<[f64; 2]>, u32>>,
    circles: Vec<([f64; 2], f64)>,
}

impl Circles {
    fn new() -> Self {
        let mut rng = Rng::with_seed(2);
        let circles: Vec<_> =
            (0..CIRCLES).map(|_| (anywhere(&mut rng), f64::from(rng.u32(100..1_000)))).collect();
        let boxed = |(n, ([x, y], radius)): (u32, &([f64; 2], f64))| {
            let corners = ([x - radius, y - radius], [x + radius, y + radius]);
            GeomWithData::new(rstar::primitives::Rectangle::from_corners(corners.0, corners.1), n)
        };
        let boxes = RTree::bulk_load((0..).zip(&circles).map(boxed).collect());
        Self { boxes, circles }
    }

    fn holding(&self, place: [f64; 2]) -> Vec<u32> {
        let candidates = self.boxes.locate_all_at_point(place).map(|boxed| boxed.data);
        let mut found: Vec<u32> = candidates
            .filter(|n| {
                let (center, radius_m) = self.circles[*n as usize];
                near(center, place, radius_m)
            })
            .collect();
        found.sort_unstable();
        found
    }
}

fn tree(movers: &Movers) -> RTree<Placed> {
    RTree::bulk_load((0..).zip(&movers.places).map(|(n, place)| GeomWithData::new(*place, n)).collect())
}

/// One question about devices near a place, and the same of the tree.
fn questions(
    criterion: &mut Criterion,
    case: &str,
    ground: &Ground,
    ours: impl Fn(&Geo, Point) -> usize,
    theirs: impl Fn([f64; 2]) -> usize,
) {
    let mut group = criterion.benchmark_group("geo-near");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    group.bench_function(BenchmarkId::new("dateline", case), |bencher| {
        bencher.iter_custom(|rounds| {
            ground.ask(rounds, |geo, place| {
                black_box(ours(geo, place));
            })
        });
    });
    let mut rng = Rng::with_seed(3);
    group.bench_function(BenchmarkId::new("rstar", case), |bencher| {
        bencher.iter(|| black_box(theirs(anywhere(&mut rng))));
    });
    group.finish();
}

/// Devices near a place, and fixes without and with 100,000 circles.
fn devices(criterion: &mut Criterion) {
    let mut movers = Movers::new();
    let mut tree = tree(&movers);
    let mut ground = Ground::new();
    ground.fill(&movers);

    let circle = |geo: &Geo, center| {
        geo.devices(&Within::Near { center, radius_m: REACH_M }, 10_000).expect("an answer").len()
    };
    let within = |place| tree.locate_within_distance(place, REACH_M * REACH_M).count();
    questions(criterion, "circle", &ground, circle, within);
    let nearest = |geo: &Geo, center| geo.devices(&Within::nearest(center), 10).expect("an answer").len();
    let first = |place| tree.nearest_neighbor_iter(place).take(10).count();
    questions(criterion, "nearest-10", &ground, nearest, first);

    let mut group = criterion.benchmark_group("geo-fix");
    group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function(BenchmarkId::new("dateline", "plain"), |bencher| {
        bencher.iter_custom(|rounds| fixes(&mut ground, &mut movers, rounds));
    });
    group.bench_function(BenchmarkId::new("rstar", "plain"), |bencher| {
        bencher.iter(|| moved(&mut tree, &mut movers));
    });

    let circles = Circles::new();
    let fence = |(n, (center, radius_m)): (u32, &([f64; 2], f64))| {
        let (lon, lat) = degrees(*center);
        // The million devices are inside some from the start, which need not be told.
        let circle = json!({"center": [lon, lat], "radius_m": radius_m});
        (format!("fence-{n:06}"), json!({"circle": circle, "initial": false}))
    };
    ground.settle(ground.put(ground.collection("fences"), (0..).zip(&circles.circles).map(fence)));
    group.bench_function(BenchmarkId::new("dateline", "circles"), |bencher| {
        bencher.iter_custom(|rounds| fixes(&mut ground, &mut movers, rounds));
    });
    let mut stays: Vec<Vec<u32>> = movers.places.iter().map(|place| circles.holding(*place)).collect();
    group.bench_function(BenchmarkId::new("rstar", "circles"), |bencher| {
        bencher.iter(|| {
            let (device, place) = moved(&mut tree, &mut movers);
            let now = circles.holding(place);
            let before = std::mem::replace(&mut stays[device as usize], now);
            let now = &stays[device as usize];
            let left = before.iter().filter(|circle| now.binary_search(circle).is_err()).count();
            let entered = now.iter().filter(|circle| before.binary_search(circle).is_err()).count();
            black_box((left, entered))
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("geo-hold");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    group.bench_function("dateline", |bencher| {
        bencher.iter_custom(|rounds| {
            ground.ask(rounds, |geo, place| drop(black_box(geo.fences_holding(place).expect("an answer"))))
        });
    });
    let mut rng = Rng::with_seed(3);
    group.bench_function("rstar", |bencher| bencher.iter(|| black_box(circles.holding(anywhere(&mut rng)))));
    group.finish();
}

/// The next device moves in the tree.
fn moved(tree: &mut RTree<Placed>, movers: &mut Movers) -> (u32, [f64; 2]) {
    let (device, before, place) = movers.step();
    tree.remove(&GeomWithData::new(before, device));
    tree.insert(GeomWithData::new(place, device));
    (device, place)
}

/// Time of so many fixes, until they are matched and their events are stored.
fn fixes(ground: &mut Ground, movers: &mut Movers, rounds: u64) -> Duration {
    // A batch is the least that can be sent, and its share is told.
    let batches = rounds.div_ceil(BATCH as u64).max(1);
    let moves = |movers: &mut Movers| {
        (0..BATCH).map(|_| movers.step()).map(|(device, _, place)| (device, place)).collect::<Vec<_>>()
    };
    let batched: Vec<Vec<(u32, [f64; 2])>> = (0..batches).map(|_| moves(movers)).collect();
    let started = Instant::now();
    let last = batched.iter().map(|batch| ground.send(batch)).last();
    ground.settle(last.expect("a batch"));
    started.elapsed().mul_f64(rounds as f64 / (batches * BATCH as u64) as f64)
}

/// New ads against a million lists around as many devices.
fn ads(criterion: &mut Criterion) {
    let movers = Movers::new();
    let mut ground = Ground::new();
    ground.fill(&movers);
    let mut rng = Rng::with_seed(4);
    let category: Vec<u32> = (0..LISTS).map(|_| rng.u32(..CATEGORIES)).collect();
    let list = |(n, category): (u32, &u32)| {
        let body = json!({"device": name(n).as_str(), "area": {"around": {"radius_m": REACH_M}}, "category": format!("c{category}")});
        (format!("list-{n:07}"), body)
    };
    ground.settle(ground.put(ground.collection("adlists"), (0..).zip(&category).map(list)));
    let mut next = 0_u32;
    let mut batch = move |rng: &mut Rng| {
        let ads = (0..ADS).map(|_| {
            next += 1;
            let place = anywhere(rng);
            let (lon, lat) = degrees(place);
            let category = rng.u32(..CATEGORIES);
            let location = json!({"type": "Point", "coordinates": [lon, lat]});
            let body = json!({"title": "A bicycle", "category": format!("c{category}"), "price": 90, "location": location});
            (format!("ad-{next:08}"), body, place, category)
        });
        ads.collect::<Vec<_>>()
    };

    let mut group = criterion.benchmark_group("geo-ad");
    group.throughput(Throughput::Elements(u64::from(ADS))).sample_size(10);
    let (ads, others) = (ground.collection("ads"), ground.collection("others"));
    for (case, collection, matched) in [("dateline", ads, true), ("engine", others, false)] {
        group.bench_function(case, |bencher| {
            bencher.iter_custom(|rounds| {
                let batches: Vec<_> = (0..rounds).map(|_| batch(&mut rng)).collect();
                let documents = batches.into_iter().flatten().map(|(id, body, ..)| (id, body));
                let started = Instant::now();
                let tail = ground.put(collection, documents);
                if matched {
                    ground.settle(tail);
                }
                started.elapsed()
            });
        });
    }
    let tree = tree(&movers);
    group.bench_function("rstar", |bencher| {
        bencher.iter_custom(|rounds| {
            let batches: Vec<_> = (0..rounds).map(|_| batch(&mut rng)).collect();
            let started = Instant::now();
            for (_, _, place, wanted) in batches.iter().flatten() {
                let around = tree.locate_within_distance(*place, REACH_M * REACH_M);
                black_box(around.filter(|found| category[found.data as usize] == *wanted).count());
            }
            started.elapsed()
        });
    });
    group.finish();
}

criterion_group!(benches, devices, ads);
criterion_main!(benches);
