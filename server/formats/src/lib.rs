//! Dateline's formats: an item in, the bytes for a subscriber out.
//!
//! A [`Formatter`] writes one format; a [`Registry`] finds it by the id that a destination names. An item is a JSON object
//! seen through [`Item`]; everything else a format needs (time, sequence number, vocabularies, related documents, the
//! destination) stands in a [`Context`] that the caller fills.
//!
//! This crate knows nobody: no store, no network, no clock, no configuration. The same item and context give the same
//! bytes, so an output can be kept for all subscribers whose context does not differ ([`Varies`]).
//!
//! The one path of data: item -> view -> body and fields (markup parsed, never passed through blindly into XML) -> tree
//! or object -> bytes. Nothing in an item can become markup, a header or a second line where one was meant: texts enter
//! XML trees through one filter and leave them through one escape, JSON is written by `serde_json`, single lines pass
//! `one_line`.

mod body;
mod chars;
mod context;
mod duration;
mod email;
mod error;
mod feeds;
mod formatter;
mod html;
mod idml;
mod item;
mod json;
mod limits;
mod newsml12;
mod newsmlg2;
mod ninjs;
mod nitf;
mod package;
mod renditions;
mod time;
mod xml;

pub use context::{Context, Recipient, Related, Site};
pub use email::Email;
pub use error::{Fault, FaultKind, FormatError};
pub use feeds::Feed;
pub use formatter::{Document, Formatter, Registry, Varies};
pub use html::{clean_markup, plain_lines, word_count};
pub use idml::Idml;
pub use item::{Fields, Item, ItemType};
pub use json::Json;
pub use newsml12::NewsMl12;
pub use newsmlg2::NewsMlG2;
pub use ninjs::{Ninjs, media_file_name};
pub use nitf::Nitf;
pub use time::{parse as parse_time, wire as wire_time};

impl Registry {
    /// All formats of this crate.
    pub fn standard() -> Registry {
        let mut registry = Registry::empty();
        for variant in [Ninjs::Plain, Ninjs::Second, Ninjs::Ftp, Ninjs::Newsroom] {
            registry.register(Box::new(variant));
        }
        registry.register(Box::new(Nitf));
        registry.register(Box::new(NewsMl12));
        registry.register(Box::new(NewsMlG2));
        registry.register(Box::new(Email));
        registry.register(Box::new(Idml));
        registry.register(Box::new(Json));
        registry.register(Box::new(Feed::Atom));
        registry.register(Box::new(Feed::Rss));
        registry
    }
}
