//! What the server is told: defaults < file < environment < flags, each value with its origin.
//!
//! Invariant: a configuration either loads completely or not at all; an unknown key in a file is an error that
//! names the nearest known one.

mod layers;
pub(crate) mod suggest;

use std::path::PathBuf;
use std::time::Duration;

use dateline_engine::{Compression, Filter, Retention, Tuning};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use layers::{ConfigError, Layers, Origin};

/// The complete configuration. Every field has a default; `dateline config show --origin` prints all of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The data directory.
    pub data: Option<PathBuf>,
    /// Address and port to listen on; port 0 picks a free one.
    pub listen: String,
    /// A proxy in front ends TLS and writes `X-Forwarded-For` and `X-Forwarded-Proto`.
    pub behind_proxy: bool,
    /// Host names that browsers may use, besides addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Transport encryption.
    pub tls: Tls,
    /// Passwords and sessions.
    pub auth: AuthConfig,
    /// Bounds.
    pub limits: LimitsConfig,
    /// Memory and disk of the storage engine.
    pub engine: EngineConfig,
    /// Backups on the server's own disk.
    pub backup: BackupConfig,
    /// The search for damaged bytes.
    pub scrub: ScrubConfig,
    /// How long the log of changes is kept.
    pub feed: RetentionConfig,
    /// How long the positions lane is kept.
    pub positions: RetentionConfig,
    /// Logging.
    pub log: Log,
    /// Where the server itself may connect to and write files.
    pub egress: Egress,
    /// How items go out.
    pub publishing: PublishingConfig,
    /// Macros that other servers do.
    pub macros: Vec<MacroConfig>,
    /// Site settings by their usual names, such as `MAIL_SERVER`.
    pub superdesk: Map<String, Value>,
}

/// PEM files; both or none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain.
    pub cert: Option<PathBuf>,
    /// Private key.
    pub key: Option<PathBuf>,
}

/// Passwords and sessions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// A session ends after this many seconds without a request.
    pub session_idle_s: u64,
    /// A session ends this many seconds after it began.
    pub session_absolute_s: u64,
    /// Shortest password, in characters.
    pub password_min: usize,
}

/// Bounds of what one client may ask for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Largest request body, unless a route says otherwise.
    pub body_bytes_max: u64,
    /// Largest upload.
    pub upload_bytes_max: u64,
    /// Most pixels of a picture, as the file declares them: width times height.
    pub picture_pixels_max: u64,
    /// Pictures that are worked on at one time; each takes up to eight bytes a pixel of memory.
    pub pictures_max: usize,
    /// A body must arrive within this many seconds.
    pub body_read_s: u64,
    /// A request's header must arrive within this many seconds.
    pub header_read_s: u64,
    /// Connections at one time.
    pub connections_max: usize,
    /// Streams and sockets at one time.
    pub streams_max: usize,
    /// Streams and sockets of one user.
    pub streams_per_user_max: usize,
    /// Streams and sockets of one address.
    pub streams_per_address_max: usize,
    /// A socket whose client takes nothing for this many seconds is closed.
    pub socket_stall_s: u64,
    /// A socket whose client says nothing for this many seconds, not even on being asked, is closed.
    pub socket_silence_s: u64,
    /// Scans at one time; more wait, and much more are refused.
    pub scans_max: usize,
    /// Seconds that open requests get to finish at shutdown.
    pub drain_s: u64,
}

/// Memory and disk of the storage engine. `dateline bench` shows what each key changes; nothing of it changes what is
/// stored, so a data directory opens with any other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// Block cache in bytes.
    pub cache_bytes: usize,
    /// Upper bound of all memtables in bytes.
    pub memtable_bytes: usize,
    /// With less free room than this on the disk nothing that grows is stored, in bytes; never more than a twentieth
    /// of the disk, and 0 for no bound.
    pub disk_reserve_bytes: u64,
    /// Bytes of an uncompressed block of documents, versions and answers to idempotency keys.
    pub block_bytes: usize,
    /// Bytes of an uncompressed block of both lanes of the log.
    pub lane_block_bytes: usize,
    /// Compression of blocks: `layered`, `none`, `lz4` or `zstd`.
    pub compression: Compression,
    /// What tells that a key is not in a file: `ribbon`, `bloom` or `none`.
    pub filter: Filter,
    /// Bits of filter for each key.
    pub filter_bits: u8,
    /// Versions from this size on are kept in blob files, in bytes.
    pub version_blob_bytes: usize,
    /// Most transactions that share one sync.
    pub group_transactions: usize,
    /// Bytes after which no more transactions share one sync.
    pub group_bytes: usize,
    /// Whether the storage counts what it does, for `/metrics` and `/api/admin/engine`.
    pub counted: bool,
}

/// Backups on the server's own disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupConfig {
    /// Directory below which `POST /api/admin/backup` may write; without one it writes nowhere.
    pub dir: Option<PathBuf>,
}

/// The search for damaged bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrubConfig {
    /// Bytes read per second; 0 turns it off.
    pub bytes_per_s: u64,
    /// A walk through everything begins this many seconds after the one before began.
    pub every_s: u64,
}

/// How long one lane of the log is kept. What followers, feeds and snapshots have not seen is kept longer, up to
/// `hold_s_max`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// Entries older than this many seconds are trimmed.
    pub keep_s: u64,
    /// The oldest are trimmed while the lane takes up more than this many bytes of files.
    pub keep_bytes: u64,
    /// Nobody holds an entry that is older than this many seconds.
    pub hold_s_max: u64,
}

/// Logging, to stderr.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
    /// Filter, such as `info,dateline_server=debug`.
    pub filter: String,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// What the server itself may reach.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// Networks it may connect to although they are private, such as `10.0.0.0/8`.
    pub allow: Vec<String>,
    /// Directories it may write deliveries to.
    pub file_roots: Vec<PathBuf>,
    /// PEM file of authorities that are trusted beside the public ones.
    pub authorities: Option<PathBuf>,
}

/// How items go out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishingConfig {
    /// Which exchange does which requests; what fits none of these is done as usual.
    pub channels: Vec<ChannelConfig>,
    /// Deliveries that are sent at one time.
    pub deliveries_max: usize,
    /// Deliveries beside those that have waited for their receivers for more than a quarter of a second.
    pub slow_deliveries_max: usize,
    /// Wait before the second attempt at a delivery, in milliseconds; it doubles up to 64 times as much.
    pub retry_ms: u64,
}

/// A channel: a composition of registered parts for some requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelConfig {
    /// What it is called.
    pub name: String,
    /// Of these operations (`publish`, `correct`, `kill`, `takedown`, `unpublish`, `resend`); empty: all.
    pub operations: Vec<String>,
    /// Of items of these types; empty: all.
    pub item_types: Vec<String>,
    /// `content` or `basic`.
    pub exchange: String,
    /// `default`, `content`, `content:corrected`, `content:killed` or `resend`; empty: the one of the operation.
    pub filter: String,
    /// `default`.
    pub formatter: String,
    /// `default` or `serial`.
    pub router: String,
}

/// A macro that another server does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MacroConfig {
    /// The name by which it is asked for.
    pub name: String,
    /// What people call it; empty: its name.
    #[serde(default)]
    pub label: String,
    /// Where it is: `http` or `https`.
    pub url: String,
    /// Key of the signature: `whsec_` and base64, or a plain text; empty: it is not signed.
    #[serde(default)]
    pub secret: String,
    /// `backend` or `frontend`: whether people who edit are offered it.
    #[serde(default = "frontend")]
    pub access_type: String,
    /// Desks that are offered it; empty: all.
    #[serde(default)]
    pub desks: Vec<String>,
    /// An answer must be there within this many seconds, 1 to 60.
    #[serde(default = "ten")]
    pub timeout_s: u64,
}

fn frontend() -> String {
    "frontend".to_owned()
}

fn ten() -> u64 {
    10
}

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            data: None,
            listen: "127.0.0.1:8400".to_owned(),
            behind_proxy: false,
            hosts: Vec::new(),
            tls: Tls { cert: None, key: None },
            auth: AuthConfig { session_idle_s: 4 * 3600, session_absolute_s: 7 * 24 * 3600, password_min: 8 },
            limits: LimitsConfig {
                body_bytes_max: 1 << 20,
                upload_bytes_max: 512 << 20,
                picture_pixels_max: 64_000_000,
                pictures_max: 2,
                body_read_s: 120,
                header_read_s: 10,
                connections_max: 20_000,
                streams_max: 15_000,
                streams_per_user_max: 64,
                streams_per_address_max: 2_000,
                socket_stall_s: 30,
                socket_silence_s: 60,
                scans_max: 16,
                drain_s: 10,
            },
            backup: BackupConfig { dir: None },
            engine: EngineConfig::new(),
            scrub: ScrubConfig { bytes_per_s: 4 << 20, every_s: 7 * 24 * 3600 },
            feed: RetentionConfig::generous(),
            positions: RetentionConfig::generous(),
            log: Log { format: LogFormat::Text, filter: "info".to_owned() },
            egress: Egress { allow: Vec::new(), file_roots: Vec::new(), authorities: None },
            publishing: PublishingConfig {
                channels: Vec::new(),
                deliveries_max: 64,
                slow_deliveries_max: 2_000,
                retry_ms: 60_000,
            },
            macros: Vec::new(),
            superdesk: Map::new(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl EngineConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        let tuning = Tuning::SHIPPED;
        Self {
            cache_bytes: 256 << 20,
            memtable_bytes: 256 << 20,
            disk_reserve_bytes: 2 << 30,
            block_bytes: tuning.block_bytes,
            lane_block_bytes: tuning.lane_block_bytes,
            compression: tuning.compression,
            filter: tuning.filter,
            filter_bits: tuning.filter_bits,
            version_blob_bytes: tuning.version_blob_bytes,
            group_transactions: tuning.group_transactions,
            group_bytes: tuning.group_bytes,
            counted: tuning.counted,
        }
    }

    pub(crate) fn tuning(&self) -> Tuning {
        Tuning {
            block_bytes: self.block_bytes,
            lane_block_bytes: self.lane_block_bytes,
            compression: self.compression,
            filter: self.filter,
            filter_bits: self.filter_bits,
            version_blob_bytes: self.version_blob_bytes,
            group_transactions: self.group_transactions,
            group_bytes: self.group_bytes,
            counted: self.counted,
        }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl RetentionConfig {
    /// A week and 10 GiB; a month for those who hold.
    fn generous() -> Self {
        Self { keep_s: 7 * 24 * 3600, keep_bytes: 10 << 30, hold_s_max: 30 * 24 * 3600 }
    }

    pub(crate) fn retention(&self) -> Retention {
        Retention {
            keep_ms: self.keep_s.saturating_mul(1000),
            keep_bytes: self.keep_bytes,
            hold_ms_max: self.hold_s_max.saturating_mul(1000),
        }
    }
}

impl LimitsConfig {
    pub(crate) fn body_read(&self) -> Duration {
        Duration::from_secs(self.body_read_s)
    }
}
