//! Commit, point read and feed tail of the engine, each beside plain RocksDB.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dateline_benches::{Plain, create, id, store};
use dateline_engine::{Ack, Durability, Holder, LeaseRequest, LeaseTerm, NewJob, Seq, Transaction};

/// Documents present before reads are measured.
const LOADED: u64 = 100_000;

/// `clients` threads commit one document at a time until `total` are in; how long it took.
fn commit_all(
    store: &dateline_engine::Store,
    collection: dateline_engine::CollectionId,
    next: &AtomicU64,
    total: u64,
    clients: u64,
    durability: Durability,
) -> Duration {
    let left = AtomicU64::new(total);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    store.commit(create(collection, number, durability)).expect("the commit succeeds");
                }
            });
        }
    });
    started.elapsed()
}

/// The reference writes the same documents in as many batches and syncs as the engine needed.
fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    group.sample_size(10).measurement_time(Duration::from_secs(6)).throughput(Throughput::Elements(1));
    for (name, durability) in [("sync", Durability::Sync), ("buffered", Durability::Buffered)] {
        for clients in [1_u64, 64] {
            let dir = tempfile::tempdir().expect("a directory");
            let (store, collection) = store(dir.path());
            let next = AtomicU64::new(0);
            let before = store.health().commits;
            let case = format!("{name}-{clients}");
            group.bench_function(BenchmarkId::new("engine", &case), |bencher| {
                bencher
                    .iter_custom(|total| commit_all(&store, collection, &next, total, clients, durability));
            });
            let after = store.health().commits;
            let written = (after.changes - before.changes).max(1);
            let per_batch = written.div_ceil((after.groups - before.groups).max(1));
            drop(store);
            let dir = tempfile::tempdir().expect("a directory");
            let plain = Plain::open(dir.path());
            let mut at = 0;
            group.bench_function(BenchmarkId::new("rocksdb", &case), |bencher| {
                bencher.iter_custom(|total| {
                    let started = Instant::now();
                    let end = at + total;
                    while at < end {
                        let to = end.min(at + per_batch);
                        plain.write(at..to, durability == Durability::Sync);
                        at = to;
                    }
                    started.elapsed()
                });
            });
        }
    }
    group.finish();
}

fn load_engine(dir: &std::path::Path) -> (dateline_engine::Store, dateline_engine::CollectionId) {
    let (store, collection) = store(dir);
    let next = AtomicU64::new(0);
    commit_all(&store, collection, &next, LOADED, 64, Durability::Buffered);
    (store, collection)
}

fn read(criterion: &mut Criterion) {
    let (engine_dir, plain_dir) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let (store, collection) = load_engine(engine_dir.path());
    let plain = Plain::open(plain_dir.path());
    (0..LOADED).step_by(1_000).for_each(|at| plain.write(at..at + 1_000, false));
    let scattered = |n: u64| n.wrapping_mul(0x9e37_79b9) % LOADED;

    let mut group = criterion.benchmark_group("get");
    group.throughput(Throughput::Elements(1));
    let mut n = 0;
    group.bench_function("engine", |bencher| {
        bencher.iter(|| {
            n += 1;
            black_box(store.get(collection, &id(scattered(n))).expect("readable").expect("present"))
        });
    });
    group.bench_function("rocksdb", |bencher| {
        bencher.iter(|| {
            n += 1;
            black_box(plain.get(scattered(n)).expect("present"))
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("feed");
    const STEP: usize = 1_000;
    group.throughput(Throughput::Elements(STEP as u64));
    let feed = store.feed();
    group.bench_function("engine", |bencher| {
        bencher.iter(|| {
            n += 1;
            let after = Seq::new(scattered(n) % (LOADED - STEP as u64));
            black_box(feed.changes(after, STEP).expect("readable").len())
        });
    });
    // The ring holds the newest records; beside it a bare queue of the same records, copied as a reader does.
    let tail = 32_000;
    let queue: std::collections::VecDeque<_> =
        feed.changes(Seq::new(LOADED - tail), 30_000).expect("readable").into();
    group.bench_function("ring", |bencher| {
        bencher.iter(|| {
            n += 1;
            let after = Seq::new(LOADED - tail + scattered(n) % (tail - STEP as u64));
            black_box(feed.changes(after, STEP).expect("readable").len())
        });
    });
    group.bench_function("vecdeque", |bencher| {
        bencher.iter(|| {
            n += 1;
            let from = usize::try_from(scattered(n)).expect("small") % (queue.len() - STEP);
            black_box(queue.range(from..from + STEP).cloned().collect::<Vec<_>>().len())
        });
    });
    assert!(store.feed_totals().ring_hits > 0, "the ring answers");
    group.bench_function("rocksdb", |bencher| {
        bencher.iter(|| {
            n += 1;
            black_box(plain.scan(scattered(n) % (LOADED - STEP as u64), STEP))
        });
    });
    group.finish();
}

/// 64 threads add jobs one at a time; or each adds one, leases one and completes it.
fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue");
    group.sample_size(10).measurement_time(Duration::from_secs(6)).throughput(Throughput::Elements(1));
    for (case, full) in [("enqueue-64", false), ("cycle-64", true)] {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, _) = store(dir.path());
        group.bench_function(BenchmarkId::new("engine", case), |bencher| {
            bencher.iter_custom(|total| {
                let left = AtomicU64::new(total);
                let started = Instant::now();
                std::thread::scope(|scope| {
                    for _ in 0..64 {
                        scope.spawn(|| {
                            while left
                                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                                .is_ok()
                            {
                                run_job(&store, full);
                            }
                        });
                    }
                });
                started.elapsed()
            });
        });
        // The next case starts from an empty queue.
        drop(store);
    }
    group.finish();
}

fn run_job(store: &dateline_engine::Store, full: bool) {
    let job = NewJob::new("bench", vec![b'x'; 1_024]);
    store.commit(Transaction::new(Durability::Sync).enqueue(job)).expect("enqueued");
    if !full {
        return;
    }
    let request = LeaseRequest {
        lane: "bench".to_owned(),
        max: 1,
        term: LeaseTerm::new(Duration::from_secs(60)).expect("a term"),
        holder: Holder::Process,
        wait: Duration::from_secs(5),
    };
    for job in store.queue().lease(&request).expect("leased") {
        store.queue().ack(Ack { lease: job.lease, result: None }).expect("completed");
    }
}

criterion_group!(benches, commit, read, queue);
criterion_main!(benches);
