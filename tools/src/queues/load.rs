//! The clients: producers that wait for each answer, and consumers that take and complete.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::peer::{Client, Peer};

/// Jobs that wait at the most while consumers are measured: an endless backlog would measure another thing.
const BACKLOG_MAX: u64 = 20_000;
/// Not measured at the beginning.
const WARM_UP: Duration = Duration::from_secs(1);

/// How many clients of each kind, and how many jobs each of them moves at once.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) producers: usize,
    pub(super) consumers: usize,
    pub(super) batch: usize,
}

/// Jobs added each second, or completed where there are consumers; the time of one request of the producers.
pub(super) struct Measured {
    pub(super) per_s: f64,
    pub(super) median: Duration,
    pub(super) p99: Duration,
}

/// What the clients share.
struct Course {
    begin: Instant,
    end: Instant,
    added: AtomicU64,
    done: AtomicU64,
    /// As above, within the measured time.
    counted: AtomicU64,
}

impl Course {
    fn is_on(&self) -> bool {
        Instant::now() < self.end
    }

    fn is_measured(&self, since: Instant) -> bool {
        since >= self.begin && Instant::now() <= self.end
    }
}

/// Lets the clients of that shape work for so long.
pub(super) async fn run(peer: &Peer, shape: Shape, took: Duration) -> Result<Measured, String> {
    let (mut producers, mut consumers) = (Vec::new(), Vec::new());
    for _ in 0..shape.producers {
        producers.push(peer.client().await?);
    }
    for _ in 0..shape.consumers {
        consumers.push(peer.client().await?);
    }
    let begin = Instant::now() + WARM_UP;
    let zero = AtomicU64::default;
    let course = Arc::new(Course { begin, end: begin + took, added: zero(), done: zero(), counted: zero() });
    let has_consumers = shape.consumers > 0;
    let producers: Vec<_> = producers
        .into_iter()
        .map(|client| tokio::spawn(produce(client, Arc::clone(&course), shape.batch, has_consumers)))
        .collect();
    let consumers: Vec<_> = consumers
        .into_iter()
        .map(|client| tokio::spawn(consume(client, Arc::clone(&course), shape.batch)))
        .collect();
    let mut times = Vec::new();
    for producer in producers {
        times.extend(producer.await.map_err(|e| e.to_string())??);
    }
    for consumer in consumers {
        consumer.await.map_err(|e| e.to_string())??;
    }
    times.sort_unstable();
    let at = |part: usize| times.get(times.len().saturating_sub(1) * part / 100).copied().unwrap_or_default();
    let per_s = course.counted.load(Ordering::Relaxed) as f64 / took.as_secs_f64();
    Ok(Measured { per_s, median: at(50), p99: at(99) })
}

async fn produce(
    mut client: Client,
    course: Arc<Course>,
    batch: usize,
    has_consumers: bool,
) -> Result<Vec<Duration>, String> {
    let mut times = Vec::new();
    while course.is_on() {
        let waiting =
            || course.added.load(Ordering::Relaxed).saturating_sub(course.done.load(Ordering::Relaxed));
        if has_consumers && waiting() > BACKLOG_MAX {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        let began = Instant::now();
        client.put(batch).await?;
        course.added.fetch_add(batch as u64, Ordering::Relaxed);
        if course.is_measured(began) {
            times.push(began.elapsed());
            if !has_consumers {
                course.counted.fetch_add(batch as u64, Ordering::Relaxed);
            }
        }
    }
    Ok(times)
}

async fn consume(mut client: Client, course: Arc<Course>, batch: usize) -> Result<(), String> {
    while course.is_on() {
        let began = Instant::now();
        let done = client.take(batch).await? as u64;
        course.done.fetch_add(done, Ordering::Relaxed);
        if course.is_measured(began) {
            course.counted.fetch_add(done, Ordering::Relaxed);
        }
    }
    Ok(())
}
