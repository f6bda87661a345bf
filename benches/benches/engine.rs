//! Commit, point read and feed tail of the engine, each beside plain RocksDB.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dateline_benches::{Plain, create, id, store};
use dateline_engine::{Ack, Durability, Holder, LeaseRequest, LeaseTerm, NewJob, Seq, Store, Transaction};
use futures_util::future::join_all;

/// Documents present before reads are measured.
const LOADED: u64 = 100_000;

/// `clients` threads commit one document at a time until `total` are in; how long it took.
fn commit_all(
    store: &Store,
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

/// The reference's way: so many records in each batch.
fn write_all(plain: &Plain, at: &mut u64, total: u64, per_batch: u64, sync: bool) -> Duration {
    let started = Instant::now();
    let end = *at + total;
    while *at < end {
        let to = end.min(*at + per_batch);
        plain.write(*at..to, sync);
        *at = to;
    }
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
            if clients > 1 {
                group.bench_function(BenchmarkId::new("tasks", &case), |bencher| {
                    let transaction = || create(collection, next.fetch_add(1, Ordering::Relaxed), durability);
                    bencher.iter_custom(|total| {
                        as_tasks(total, || async {
                            answer(|done| store.submit(transaction(), done)).await;
                        })
                    });
                });
            }
            let after = store.health().commits;
            let written = (after.changes - before.changes).max(1);
            let per_batch = written.div_ceil((after.groups - before.groups).max(1));
            drop(store);
            let dir = tempfile::tempdir().expect("a directory");
            let plain = Plain::open(dir.path());
            let mut at = 0;
            group.bench_function(BenchmarkId::new("rocksdb", &case), |bencher| {
                let sync = durability == Durability::Sync;
                bencher.iter_custom(|total| write_all(&plain, &mut at, total, per_batch, sync));
            });
        }
    }
    group.finish();
}

fn load_engine(dir: &std::path::Path) -> (Store, dateline_engine::CollectionId) {
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

/// 64 clients wait for their answers while they add jobs one at a time; or each adds one, leases one and completes it.
/// As tasks of one thread they are what a server has; as threads each answer costs a switch of threads too.
fn queue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue");
    group.sample_size(10).measurement_time(Duration::from_secs(6)).throughput(Throughput::Elements(1));
    for (case, full) in [("enqueue", false), ("cycle", true)] {
        // Each case starts from an empty queue.
        let dir = tempfile::tempdir().expect("a directory");
        let (engine, _) = store(dir.path());
        let (before, mut jobs) = (engine.health().commits.groups, 0);
        group.bench_function(BenchmarkId::new("tasks", case), |bencher| {
            bencher.iter_custom(|total| {
                jobs += total;
                as_tasks(total, || async {
                    answer(|done| engine.submit(new_job(), done)).await;
                    if full {
                        run_one(&engine).await;
                    }
                })
            });
        });
        if !full {
            // As many jobs of the same size, in as many batches and syncs.
            let per_batch = jobs.div_ceil((engine.health().commits.groups - before).max(1)).max(1);
            let dir = tempfile::tempdir().expect("a directory");
            let plain = Plain::open(dir.path());
            let mut at = 0;
            group.bench_function(BenchmarkId::new("rocksdb", case), |bencher| {
                bencher.iter_custom(|total| write_all(&plain, &mut at, total, per_batch, true));
            });
        }
        let dir = tempfile::tempdir().expect("a directory");
        let (engine, _) = store(dir.path());
        group.bench_function(BenchmarkId::new("threads", case), |bencher| {
            bencher.iter_custom(|total| as_threads(&engine, total, full));
        });
    }
    group.finish();
}

const CLIENTS: usize = 64;

fn is_left(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
}

fn new_job() -> Transaction {
    Transaction::new(Durability::Sync).enqueue(NewJob::new("bench", vec![b'x'; 1_024]))
}

fn one_job(wait: Duration) -> LeaseRequest {
    LeaseRequest {
        lane: "bench".to_owned(),
        max: 1,
        term: LeaseTerm::new(Duration::from_secs(60)).expect("a term"),
        holder: Holder::Process,
        wait,
    }
}

fn as_threads(store: &Store, total: u64, full: bool) -> Duration {
    let left = AtomicU64::new(total);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while is_left(&left) {
                    store.commit(new_job()).expect("enqueued");
                    if full {
                        for job in store.queue().lease(&one_job(Duration::from_secs(5))).expect("leased") {
                            store.queue().ack(Ack { lease: job.lease, result: None }).expect("completed");
                        }
                    }
                }
            });
        }
    });
    started.elapsed()
}

/// 64 tasks of one thread do the work so many times.
fn as_tasks<W: Future<Output = ()>>(total: u64, work: impl Fn() -> W) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let left = AtomicU64::new(total);
    let started = Instant::now();
    runtime.block_on(join_all((0..CLIENTS).map(|_| async {
        while is_left(&left) {
            work().await;
        }
    })));
    started.elapsed()
}

async fn run_one(store: &Store) {
    let queue = store.queue();
    let granted = answer(|done| queue.submit_lease(one_job(Duration::ZERO), done)).await;
    let acks: Vec<Ack> = queue
        .open(&granted)
        .expect("readable")
        .into_iter()
        .map(|job| Ack { lease: job.lease, result: None })
        .collect();
    assert_eq!(acks.len(), 1, "there are as many jobs as clients that want one");
    let done = answer(|done| queue.submit_acks(acks, done)).await;
    assert_eq!(done, [true], "the lease holds");
}

/// What is answered, without holding a thread meanwhile.
async fn answer<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(dateline_engine::Result<T>) + Send>),
) -> T {
    let (tell, told) = tokio::sync::oneshot::channel();
    ask(Box::new(move |outcome| drop(tell.send(outcome))));
    told.await.expect("an answer").expect("it succeeds")
}

criterion_group!(benches, commit, read, queue);
criterion_main!(benches);
