//! `/metrics`: OpenMetrics text.
//!
//! What the engine counts itself is read when somebody asks; only what passes through the server is counted here.
//! Labels are bounded: routes as registered, methods and statuses, never anything a client invents.

mod delivery_figures;
mod ingest_figures;
mod job_figures;
mod storage;

use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use dateline_engine::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::app::App;
use crate::http::{Access, Answer, Doc, Routes};
use delivery_figures::DeliveryFigures;
use ingest_figures::IngestFigures;
use job_figures::JobFigures;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// Figures of the server.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    sign_ins: Family<OutcomeLabels, Counter>,
    /// Accesses to the content API that could not be written down.
    pub(crate) content_api_unlogged: Counter,
    pub(crate) jobs: JobFigures,
    pub(crate) deliveries: DeliveryFigures,
    pub(crate) ingest: IngestFigures,
    /// Open connections.
    pub connections: Gauge,
    /// Open event streams and sockets.
    pub streams: Gauge,
    /// Events sent on streams and sockets.
    pub stream_events: Counter,
    /// Documents read for readers of the log.
    pub stream_reads: Counter,
    /// Texts made of them.
    pub stream_encodings: Counter,
}

impl Metrics {
    pub(crate) fn new(store: &Store) -> Self {
        let mut registry = Registry::with_prefix("dateline");
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(duration_histogram),
            sign_ins: Family::default(),
            content_api_unlogged: Counter::default(),
            jobs: JobFigures::new(),
            deliveries: DeliveryFigures::new(),
            ingest: IngestFigures::default(),
            connections: Gauge::default(),
            streams: Gauge::default(),
            stream_events: Counter::default(),
            stream_reads: Counter::default(),
            stream_encodings: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Answered requests", metrics.requests.clone());
        let help = "Time from the request's header to the answer's header";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, metrics.durations.clone());
        registry.register("sign_ins", "Attempts to sign in", metrics.sign_ins.clone());
        let help = "Accesses to the content API that could not be written to api_audit";
        registry.register("content_api_unlogged", help, metrics.content_api_unlogged.clone());
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register("streams", "Open event streams and sockets", metrics.streams.clone());
        registry.register(
            "stream_events",
            "Events sent on streams and sockets",
            metrics.stream_events.clone(),
        );
        let help = "Documents read for readers of the log, once for all of them";
        registry.register("stream_reads", help, metrics.stream_reads.clone());
        let help = "Texts made of such documents, once for all readers";
        registry.register("stream_encodings", help, metrics.stream_encodings.clone());
        metrics.jobs.register(&mut registry);
        metrics.deliveries.register(&mut registry);
        metrics.ingest.register(&mut registry);
        registry.register_collector(Box::new(EngineFigures { store: store.clone() }));
        registry.register_collector(Box::new(storage::StorageFigures { store: store.clone() }));
        Self { registry, ..metrics }
    }

    pub(crate) fn request(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { method, route: route.to_owned(), status }).inc();
        let labels = RouteLabels { method, route: route.to_owned() };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
    }

    pub(crate) fn sign_in(&self, outcome: &'static str) {
        self.sign_ins.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    fn text(&self, app: &App) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode_registry(&mut text, &self.registry)?;
        text::encode_registry(&mut text, &follower_registry(app))?;
        text::encode_registry(&mut text, &job_figures::lane_registry(app.store()))?;
        text::encode_registry(&mut text, &feed_registry(app)?)?;
        text::encode_registry(&mut text, &app.scrub().registry())?;
        text::encode_eof(&mut text)?;
        Ok(text)
    }
}

fn duration_histogram() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

/// Reads the engine's own figures at each scrape.
struct EngineFigures {
    store: Store,
}

impl std::fmt::Debug for EngineFigures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EngineFigures")
    }
}

impl Collector for EngineFigures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let health = self.store.health();
        let (commits, feed, kept) = (health.commits, self.store.feed_totals(), self.store.kept());
        let counters = [
            ("commit_groups", "Groups written to the log", commits.groups),
            ("commit_changes", "Records written to the log", commits.changes),
            ("commit_bytes", "Bytes of keys and values written", commits.bytes),
            ("commit_syncs", "Syncs to disk", commits.syncs),
            ("commit_write_microseconds", "Time spent in writing and syncing groups", commits.write_us),
            ("feed_ring_hits", "Reads of the log answered from memory", feed.ring_hits),
            ("feed_ring_misses", "Reads of the log that went to disk", feed.ring_misses),
            ("feed_trimmed_bytes", "About the bytes of files given back by trimming", feed.trimmed_bytes),
            ("documents_expired", "Documents that reached their end", kept.expired),
            ("versions_removed", "Superseded versions removed as kept no longer", kept.versions_removed),
            ("tombstones_purged", "Deleted documents forgotten", kept.purged),
        ];
        for (name, help, value) in counters {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        let (tail, room) = (self.store.watermark().durable(), health.room);
        let gauges = [
            (
                "commit_waiting",
                "Requests waiting for the writer",
                u64::try_from(health.waiting).unwrap_or(u64::MAX),
            ),
            (
                "engine_poisoned",
                "1 when the engine has stopped accepting writes",
                u64::from(health.poisoned.is_some()),
            ),
            (
                "damaged_families",
                "Column families in which damaged bytes have been met; they are merged no more",
                u64::try_from(health.damaged.len()).unwrap_or(u64::MAX),
            ),
            (
                "keep_waiting",
                "Documents due for housekeeping, counted up to 10000",
                self.store.keep_waiting().unwrap_or(0),
            ),
            (
                "disk_free_bytes",
                "Room on the disk of the data directory",
                room.map_or(0, |room| room.free_bytes),
            ),
            (
                "disk_reserve_bytes",
                "With less room than this nothing that grows is stored",
                room.map_or(0, |room| room.reserve_bytes),
            ),
            ("disk_short", "1 while growth is refused", u64::from(room.is_some_and(|room| room.is_short()))),
            ("log_seq", "Last durable sequence of the log", tail.seq.get()),
            ("positions_seq", "Last durable sequence of the positions lane", tail.positions.get()),
            ("log_floor", "Last sequence of the log that is trimmed", feed.floor.seq.get()),
            (
                "positions_floor",
                "Last entry of the positions lane that is trimmed",
                feed.floor.positions.get(),
            ),
            ("engine_epoch", "Number of this opening of the store", u64::from(self.store.epoch().get())),
        ];
        for (name, help, value) in gauges {
            let metric = gauge(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        Ok(())
    }
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FollowerLabels {
    follower: String,
}

fn follower_registry(app: &App) -> Registry {
    let (seq, lag) = (Family::<FollowerLabels, Gauge>::default(), Family::<FollowerLabels, Gauge>::default());
    let failed = Family::<FollowerLabels, Gauge>::default();
    let tail = app.store().watermark().durable();
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    for (follower, state) in app.followers() {
        let labels = FollowerLabels { follower };
        seq.get_or_create(&labels).set(number(state.at.seq.get()));
        lag.get_or_create(&labels).set(number(state.lag(tail)));
        failed.get_or_create(&labels).set(i64::from(state.failed.is_some()));
    }
    let mut registry = Registry::with_prefix("dateline");
    registry.register("follower_seq", "Sequence up to which a follower is exact", seq);
    registry.register("follower_lag", "Records of both lanes that a follower has not seen", lag);
    registry.register("follower_failed", "1 when a follower has stopped", failed);
    registry
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FeedLabels {
    feed: String,
}

/// Bounded by the number of feeds that may be defined.
fn feed_registry(app: &App) -> Result<Registry, std::fmt::Error> {
    let lag = Family::<FeedLabels, Gauge>::default();
    let leased = Family::<FeedLabels, Gauge>::default();
    // A figure that cannot be read fails the scrape, which is how an operator hears of it.
    for (feed, state) in app.feeds().states(app.store()).map_err(|_| std::fmt::Error)? {
        let labels = FeedLabels { feed };
        lag.get_or_create(&labels).set(i64::try_from(state.lag).unwrap_or(i64::MAX));
        leased.get_or_create(&labels).set(i64::try_from(state.leased).unwrap_or(i64::MAX));
    }
    let mut registry = Registry::with_prefix("dateline");
    registry.register("feed_lag", "Records that the slowest partition of a feed has not seen", lag);
    registry.register("feed_leases", "Partitions of a feed that a consumer has", leased);
    Ok(registry)
}

/// `/metrics`.
pub(crate) fn routes() -> Routes {
    let media_type = "application/openmetrics-text";
    let doc =
        Doc::new("Figures as OpenMetrics", "operations", Access::Public).answer_as(200, media_type, None);
    Routes::new().get("/metrics", serve, doc)
}

async fn serve(State(app): State<App>) -> Answer {
    let scraped = app.clone();
    // Reading the storage's figures may touch its locks.
    let text = app.scan(move |_| {
        scraped
            .metrics()
            .text(&scraped)
            .map_err(|error| dateline_engine::Error::internal(format!("metrics: {error}")))
    });
    let headers = [(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Ok((headers, text.await?).into_response())
}
