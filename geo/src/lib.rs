//! Geo matching for Dateline: standing queries for ads and fences, around things that move.
//!
//! **What it is for.** An *adlist* is a saved query of a device or user: an area (around the device's live
//! position, a circle, a polygon), categories, a price range, keywords. A *fence* is a fixed shape, or the company of
//! other devices. When an ad changes (`new:ad`) or a device moves (`update:pos`), the lists that gain or lose an ad and
//! what devices do at fences are told as documents of the collections `matches` and `fence_events`.
//!
//! **The way of a byte.** A fix is packed into the positions lane of the log ([`Geo::submit`]); an ad, adlist or
//! fence is a document. One sequencer follows both lanes in their merged order, reads each document as it was at
//! its change, and gives every shard its share through one bounded inbox. A shard thread owns the devices and lists
//! whose owner hashes to it, computes the difference of two states, and commits the events together with its
//! cursor. After a crash the state as of the cursor is played again silently: no event is lost and none is told twice.
//! Time goes by with the log: a batch without fixes is a tick ([`Geo::tick`]). Whoever asks looks at a shard between two
//! batches, in his own thread.
//!
//! **The earth** is a sphere of 6 371 008.8 m. Coordinates are longitude, latitude in degrees, kept to 1e-7;
//! distances are metres. Edges of shapes are straight in longitude and latitude and go the short way round; the
//! antimeridian and the poles are ordinary places; a boundary counts as inside.
//!
//! **What it does not know.** HTTP, users and their rights, full-text search, publishing; nor clocks: time comes
//! with the fixes and from the log.

mod ad;
mod adlist;
mod ads;
mod atlas;
mod bounds;
mod bucket;
mod cells;
mod condition;
mod crossing;
mod crowd;
mod detect;
mod devices;
mod edge;
mod event;
mod explain;
mod explain_fence;
mod fence;
mod fences;
mod fix;
mod footprint;
mod gap;
mod geojson;
mod grid;
mod hash;
mod heat;
mod holding;
mod issue;
mod levels;
mod lists;
mod matcher;
mod nearby;
mod nearest;
mod outbox;
mod packed;
mod patch;
mod point;
mod query;
mod reading;
mod rebuild;
mod region;
mod ring;
mod roam;
mod room;
mod rows;
mod safe;
mod schedule;
mod sector;
#[cfg(test)]
#[path = "../tests/geo/seed.rs"]
mod seed;
mod sequencer;
mod service;
mod shape;
mod shard;
mod snapshot;
mod state;
mod stay;
mod teller;
mod text;
mod time;
mod tracks;
mod turn;
mod verify;
mod whereabouts;
mod within;
mod worker;

pub use ad::Ad;
pub use adlist::AdList;
pub use atlas::{Atlas, FootprintsOf};
pub use condition::{Condition, ReadCondition};
pub use fence::Fence;
pub use fix::{FIELDS_BYTES_MAX, FUTURE_MS_MAX, Fix};
pub use footprint::{Footprint, outline_of_circle};
pub use geojson::VERTICES_MAX;
pub use heat::{CELLS_MAX, Heat, HeatCell, HeatGrid};
pub use issue::Issues;
pub use nearest::After;
pub use packed::{BATCH_FIXES_MAX, decode_fixes};
pub use point::{EARTH_RADIUS_M, Point};
pub use query::{ANSWER_ITEMS_MAX, AdHit, Counts, DeviceHit};
pub use safe::SAFE_M_MAX;
pub use service::{Geo, GeoOptions, begin_at};
pub use shape::Shape;
pub use snapshot::witnesses;
pub use tracks::{Figures as TrackFigures, Track, TrackQuery, Tracks};
pub use verify::Verdict;
pub use within::{TILE_ZOOM_MAX, Within};
