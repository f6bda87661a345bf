//! Real files, made here, and what the crate says of them.
//!
//! Environment: `MAGICK` and `EXIFTOOL` name ImageMagick's `convert` and exiftool, which some answers are held against;
//! `REQUIRE_PARTS=1`, by which a part that is missing is a failure and not a skipped test; `SEED`.

#![expect(clippy::unwrap_used, reason = "in a test a failed assumption is a failed test")]

mod files;
mod garbage;
mod metadata;
mod oracles;
mod parts;
mod pictures;
mod tracks;
