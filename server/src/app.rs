//! The state that every request shares, and how a program comes to have it.
//!
//! [`App`] is a handle: clones share everything, the last one to go closes the store. Handlers reach the store for
//! point reads directly, for scans through [`App::scan`], for writes through [`App::commit`]; nothing here blocks
//! an executor thread for longer than a point read.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use dateline_engine::{
    Clock, Durability, Error, Options, Receipt, Result, Store, SystemClock, Tail, Transaction,
};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use dateline_geo::{Atlas, Geo, GeoOptions, Tracks};
use dateline_index::{SearchIndex, SearchOptions};
use dateline_transmit::Collectors;

use crate::auth::Auth;
use crate::backups::Backups;
use crate::config::Config;
use crate::data::{DataDir, DataError};
use crate::health::FollowerState;
use crate::http::Refusal;
use crate::ingest::Ingest;
use crate::internal::Internals;
use crate::macros::Macros;
use crate::media::Media;
use crate::metrics::Metrics;
use crate::outcome;
use crate::places::read_condition;
use crate::publishing::{Publishing, consumer};
use crate::queues::{Waiting, Watched};
use crate::resources::{self, Resources};
use crate::schedules::Bell;
use crate::scrub::Scrub;
use crate::streams::{Connections, Feeds, Holders, Records};
use crate::witness;

/// The shared state. See the module.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    config: Config,
    auth: Auth,
    resources: Resources,
    publishing: Publishing,
    ingest: Arc<Ingest>,
    internals: Internals,
    macros: Macros,
    media: Media,
    collectors: OnceLock<Collectors>,
    geo: Geo,
    atlas: Atlas,
    tracks: Tracks,
    search: SearchIndex,
    connections: Connections,
    holders: Holders,
    feeds: Feeds,
    records: Records,
    metrics: Metrics,
    waiting: Waiting,
    backups: Backups,
    watched: Watched,
    bell: Bell,
    scrub: Scrub,
    tail: watch::Receiver<Tail>,
    draining: watch::Sender<bool>,
    sockets: watch::Sender<()>,
    scans: Arc<Semaphore>,
    followers: RwLock<BTreeMap<String, FollowerProbe>>,
    document: OnceLock<Value>,
    // Declared last, so that the store is closed before the directory is given up.
    data: DataDir,
    _temporary: Option<tempfile::TempDir>,
}

/// Asks a follower where it stands.
type FollowerProbe = Box<dyn Fn() -> FollowerState + Send + Sync>;

/// Why an app cannot start.
#[derive(Debug)]
pub enum OpenError {
    /// The data directory cannot be used.
    Data(DataError),
    /// The engine refused.
    Engine(Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<DataError> for OpenError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

/// What the operator has agreed to, for one start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// Raise a store of an older format.
    pub upgrade: bool,
    /// Go on although acknowledged data is gone.
    pub accept_loss: bool,
}

/// What an app is made of.
pub struct Builder {
    data: Option<PathBuf>,
    config: Config,
    clock: Arc<dyn Clock>,
    consent: Consent,
}

impl Builder {
    /// Works in this directory instead of a temporary one.
    #[must_use]
    pub fn data(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data = Some(dir.into());
        self
    }

    /// Uses this configuration instead of the defaults.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Takes the time from here.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Does what needs the operator's word.
    #[must_use]
    pub fn consent(mut self, consent: Consent) -> Self {
        self.consent = consent;
        self
    }

    /// Opens everything.
    ///
    /// # Errors
    /// `Data` when the directory is held, newer or unusable; `Engine` when the store cannot be opened.
    pub fn open(self) -> std::result::Result<App, OpenError> {
        let (dir, temporary) = match self.data.or_else(|| self.config.data.clone()) {
            Some(dir) => (dir, None),
            None => {
                let made = tempfile::Builder::new().prefix("dateline-").tempdir();
                let made =
                    made.map_err(|error| Error::unavailable(format!("temporary directory: {error}")))?;
                (made.path().to_owned(), Some(made))
            }
        };
        let data = DataDir::take(&dir)?;
        let store = open_store(&data, &self.config, self.clock, self.consent)?;
        let auth = Auth::open(&store, &self.config.auth)?;
        resources::install(&store)?;
        let publishing = Publishing::open(&store, &self.config)?;
        let ingest = Arc::new(Ingest::open(&store, &self.config)?);
        let internals = Internals::open(&store)?;
        let macros = Macros::open(&self.config.macros)?;
        let media = Media::open(&store, &self.config)?;
        let search = SearchIndex::open(&store, &data.index(), SearchOptions::new(resources::searched()))?;
        let geo = Geo::start(&store, &data.geo(), geo_options())?;
        let tracks = Tracks::open(&store, &data.tracks())?;
        let metrics = Metrics::new(&store);
        let tail = bridge(&store);
        let (waiting, watched) = (Waiting::default(), Watched::default());
        let (woken, told, counted) = (waiting.clone(), watched.clone(), metrics.jobs.clone());
        store.queue().listen(move |news| {
            counted.count(news.events);
            told.tell(news.events);
            woken.wake(news.woken);
        });
        let scans = Arc::new(Semaphore::new(self.config.limits.scans_max));
        let shared = Shared {
            auth,
            resources: Resources::new(store.clone()),
            bell: Bell::new(&store)?,
            publishing,
            ingest,
            internals,
            macros,
            media,
            geo,
            atlas: Atlas::default(),
            tracks,
            search,
            connections: Connections::new(&self.config.limits, metrics.streams.clone()),
            holders: Holders::default(),
            feeds: Feeds::open(&store)?,
            records: Records::new(metrics.stream_reads.clone(), metrics.stream_encodings.clone()),
            store,
            metrics,
            waiting,
            backups: Backups::default(),
            watched,
            scrub: Scrub::default(),
            tail,
            draining: watch::Sender::new(false),
            sockets: watch::Sender::new(()),
            scans,
            followers: RwLock::default(),
            document: OnceLock::new(),
            collectors: OnceLock::new(),
            config: self.config,
            data,
            _temporary: temporary,
        };
        let app = App { shared: Arc::new(shared) };
        app.watch_followers();
        Ok(app)
    }
}

/// One core is left to the sockets and the writer.
fn geo_options() -> GeoOptions {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    GeoOptions {
        shards: NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN),
        events: Durability::Buffered,
        snapshot_every: Duration::from_secs(60),
        conditions: read_condition,
    }
}

/// Opens the store of a data directory: also for commands that work without a server.
///
/// # Errors
/// As `Store::open`.
pub fn open_store(data: &DataDir, config: &Config, clock: Arc<dyn Clock>, consent: Consent) -> Result<Store> {
    let options = Options {
        clock,
        cache_bytes: config.engine.cache_bytes,
        memtable_bytes: config.engine.memtable_bytes,
        upgrade: consent.upgrade,
        disk_reserve_bytes: config.engine.disk_reserve_bytes,
        tuning: config.engine.tuning(),
        witnesses: witness::gather(data),
        accept_loss: consent.accept_loss,
    };
    let store = Store::open(&data.store(), options)?;
    if store.has_lost() {
        witness::forget(data)?;
    }
    Ok(store)
}

/// The durable tail as a channel that async code can wait on.
fn bridge(store: &Store) -> watch::Receiver<Tail> {
    let (sender, receiver) = watch::channel(store.watermark().durable());
    store.watermark().subscribe(move |tail| {
        sender.send_replace(tail);
    });
    receiver
}

impl App {
    /// An app on a temporary directory with the default configuration, until told otherwise.
    #[must_use]
    pub fn builder() -> Builder {
        let (config, clock) = (Config::new(), Arc::new(SystemClock));
        Builder { data: None, config, clock, consent: Consent::default() }
    }

    /// The store: directly for point reads.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Users and sessions.
    #[must_use]
    pub fn auth(&self) -> &Auth {
        &self.shared.auth
    }

    /// The resources.
    pub(crate) fn resources(&self) -> &Resources {
        &self.shared.resources
    }

    /// Publishing.
    pub(crate) fn publishing(&self) -> &Publishing {
        &self.shared.publishing
    }

    /// Ingest.
    pub(crate) fn ingest(&self) -> &Arc<Ingest> {
        &self.shared.ingest
    }

    /// Internal destinations.
    pub(crate) fn internals(&self) -> &Internals {
        &self.shared.internals
    }

    /// Macros.
    pub(crate) fn macros(&self) -> &Macros {
        &self.shared.macros
    }

    /// Media.
    pub(crate) fn media(&self) -> &Media {
        &self.shared.media
    }

    /// Whoever fetches what others keep. Reads certificates the first time, so this is for threads that may wait.
    pub(crate) fn collectors(&self) -> Result<&Collectors> {
        if let Some(made) = self.shared.collectors.get() {
            return Ok(made);
        }
        let site = consumer::site_of(self)?;
        let made = Collectors::new(&site).map_err(|reason| Error::invalid(format!("egress: {reason}")))?;
        Ok(self.shared.collectors.get_or_init(|| made))
    }

    /// The geo matcher.
    #[must_use]
    pub fn geo(&self) -> &Geo {
        &self.shared.geo
    }

    /// Where documents of any collection are.
    pub(crate) fn atlas(&self) -> &Atlas {
        &self.shared.atlas
    }

    /// Where devices have been.
    pub(crate) fn tracks(&self) -> &Tracks {
        &self.shared.tracks
    }

    /// Full-text search.
    #[must_use]
    pub fn search(&self) -> &SearchIndex {
        &self.shared.search
    }

    /// Open streams and sockets.
    pub(crate) fn connections(&self) -> &Connections {
        &self.shared.connections
    }

    /// Who has which named subscription.
    pub(crate) fn holders(&self) -> &Holders {
        &self.shared.holders
    }

    /// Kept by each socket as long as it is open: the library of HTTP knows of them no more.
    pub(crate) fn sockets(&self) -> watch::Receiver<()> {
        self.shared.sockets.subscribe()
    }

    /// Waits until no socket is open.
    pub(crate) async fn sockets_closed(&self) {
        self.shared.sockets.closed().await;
    }

    /// Workers that wait for jobs.
    pub(crate) fn waiting(&self) -> &Waiting {
        &self.shared.waiting
    }

    /// The backup being made.
    pub(crate) fn backups(&self) -> &Backups {
        &self.shared.backups
    }

    /// The search for damage.
    pub(crate) fn scrub(&self) -> &Scrub {
        &self.shared.scrub
    }

    /// Where a backup in the making is.
    pub(crate) fn checkpoint_dir(&self) -> PathBuf {
        self.shared.data.checkpoint()
    }

    /// Jobs whose steps somebody waits for.
    pub(crate) fn watched(&self) -> &Watched {
        &self.shared.watched
    }

    /// What wakes the thread that keeps the schedules.
    pub(crate) fn bell(&self) -> &Bell {
        &self.shared.bell
    }

    /// The newest records of the log.
    pub(crate) fn records(&self) -> &Records {
        &self.shared.records
    }

    /// Named feeds.
    pub(crate) fn feeds(&self) -> &Feeds {
        &self.shared.feeds
    }

    fn watch_followers(&self) {
        // Weak: the probes live inside what they look at.
        let shared = Arc::downgrade(&self.shared);
        self.watch_follower("geo", move || match shared.upgrade() {
            Some(shared) => {
                FollowerState { at: shared.geo.visible(), failed: shared.geo.failed(), positions: true }
            }
            None => FollowerState::gone(),
        });
        let shared = Arc::downgrade(&self.shared);
        self.watch_follower("tracks", move || match shared.upgrade() {
            Some(shared) => {
                // History that is being indexed keeps nothing else from being served, so its lag is no fault.
                let at = shared.store.watermark().durable();
                FollowerState { at, failed: shared.tracks.failed(), positions: false }
            }
            None => FollowerState::gone(),
        });
        let shared = Arc::downgrade(&self.shared);
        self.watch_follower("search", move || match shared.upgrade() {
            Some(shared) => {
                let at = Tail { seq: shared.search.visible(), ..Tail::default() };
                FollowerState { at, failed: shared.search.failed(), positions: false }
            }
            None => FollowerState::gone(),
        });
    }

    /// Ends the followers in good order and closes the store. Blocks.
    pub fn stop(&self) {
        self.shared.geo.stop();
        self.shared.tracks.stop();
        self.shared.search.stop();
        self.shared.store.close();
    }

    /// The figures.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.shared.data.path()
    }

    /// How far the log durably is: `borrow()` for now, `changed()` or `wait_for()` for later.
    #[must_use]
    pub fn tail(&self) -> watch::Receiver<Tail> {
        self.shared.tail.clone()
    }

    /// Becomes true when the server begins to stop; a stream then says `bye` and ends.
    #[must_use]
    pub fn draining(&self) -> watch::Receiver<bool> {
        self.shared.draining.subscribe()
    }

    /// Tells everybody that the server begins to stop.
    pub fn drain(&self) {
        self.shared.draining.send_replace(true);
    }

    /// Commits without blocking.
    ///
    /// # Errors
    /// As `Store::commit`. An error of kind `Unavailable` leaves the outcome unknown. Dropping the future does not
    /// take the transaction back.
    pub async fn commit(&self, transaction: Transaction) -> Result<Receipt> {
        outcome::of(|done| self.shared.store.submit(transaction, done)).await
    }

    /// Commits in the background what keeps a session alive: losing it costs minutes of idle time, nothing else.
    pub(crate) fn refresh(&self, refresh: Transaction) {
        self.shared.store.submit(refresh, |_| {});
    }

    /// Runs what takes long (scans, joins, many reads) on a thread of its own; a bounded number at a time.
    ///
    /// # Errors
    /// What `work` returns; `Internal` when it panicked.
    pub async fn scan<T, E>(
        &self,
        work: impl FnOnce(&Store) -> std::result::Result<T, E> + Send + 'static,
    ) -> std::result::Result<T, Refusal>
    where
        T: Send + 'static,
        E: Into<Refusal> + Send + 'static,
    {
        let permit = Arc::clone(&self.shared.scans).acquire_owned().await;
        let permit = permit.map_err(|_| Error::unavailable("the server is closing"))?;
        let store = self.shared.store.clone();
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let _entered = span.enter();
            let done = work(&store);
            drop(permit);
            done
        });
        match task.await {
            Ok(done) => done.map_err(Into::into),
            Err(error) => Err(Error::internal(format!("a scan failed: {error}")).into()),
        }
    }

    /// Makes a follower known to `/readyz` and `/metrics`. A later one of the same name takes its place.
    pub fn watch_follower(&self, name: &str, probe: impl Fn() -> FollowerState + Send + Sync + 'static) {
        let mut followers = self.shared.followers.write().unwrap_or_else(PoisonError::into_inner);
        followers.insert(name.to_owned(), Box::new(probe));
    }

    /// Where every known follower stands.
    #[must_use]
    pub fn followers(&self) -> Vec<(String, FollowerState)> {
        let followers = self.shared.followers.read().unwrap_or_else(PoisonError::into_inner);
        followers.iter().map(|(name, probe)| (name.clone(), probe())).collect()
    }

    pub(crate) fn set_document(&self, document: Value) {
        // Building routes twice over one app gives the same document.
        let _ = self.shared.document.set(document);
    }

    pub(crate) fn document(&self) -> &Value {
        static NONE: Value = Value::Null;
        self.shared.document.get().unwrap_or(&NONE)
    }
}
