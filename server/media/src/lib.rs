//! Dateline's media: what a file is, what it says about itself, and smaller pictures made of it.
//!
//! **What it is for.** A caller has the bytes of a file that somebody sent. [`Kind`] says what they are, whatever the
//! sender claimed; [`Picture`] decodes them within [`Limits`] and gives [`Encoded`] renditions, crops and edits;
//! [`metadata`](Metadata) reads EXIF, IPTC and XMP, [`track`] the length and size of films and sounds; [`peaks`] finds
//! where a picture is looked at; [`without_places`] takes out where it was taken.
//!
//! **The one path of data.** bytes -> kind -> declared size judged -> pixels, upright -> crop, size, edit -> bytes. What
//! comes out was encoded anew and carries no metadata but a colour profile.
//!
//! **What it does not know.** Any other crate, files, the network, clocks, randomness, items and their renditions. The
//! same bytes give the same answer. Nothing a sender writes makes it panic or allocate beyond the limits.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::expect_used, clippy::panic))]

mod crop;
mod decode;
mod edit;
mod encode;
mod fault;
mod kind;
mod limits;
mod metadata;
mod picture;
mod poi;
mod privacy;
mod track;

pub use crop::{Crop, CropFault, CropSpec, Ratio};
pub use edit::{Edit, EditFault};
pub use encode::Encoded;
pub use fault::Fault;
pub use kind::{Family, Kind};
pub use limits::Limits;
pub use metadata::Metadata;
pub use picture::{Picture, Size};
pub use poi::{Peak, peaks};
pub use privacy::without_places;
pub use track::track;
