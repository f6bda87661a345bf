//! Media: files that people bring, what is made of them, and how they are read again.
//!
//! **The way of a file.** Its bytes are stored chunk by chunk as they come. What it is, what it says about itself and its
//! renditions are found on threads that may wait, a bounded number of pictures at a time. Then one durable commit stores
//! the document that was asked for, a document of `media` for each file, and who refers to it.
//!
//! A document of `media` is a file: its id is the SHA-256 of its bytes, so the same file is stored once and never
//! changes. `upload` holds files by themselves, items of `archive` hold renditions; `media_references` says which file
//! is held by what, and a file that nothing holds is swept.
//!
//! **What it does not know.** Pixels and metadata (`dateline-media`), the wire (`dateline-transmit`), how bytes are cut and
//! streamed (`blobs`).

mod archive;
mod crops;
mod editing;
mod fetching;
mod files;
mod lane;
mod lending;
mod made;
mod reading;
mod receiving;
mod references;
mod settings;
mod sizes;
mod sweep;
mod upload;

use std::sync::Arc;

use dateline_engine::{CollectionId, Result, Store};
use dateline_media::Limits;
use serde_json::json;
use tokio::sync::Semaphore;

pub(crate) use archive::{create as create_item, prepare as prepare_item};
pub(crate) use files::find;
pub(crate) use lane::NewMedia;
pub(crate) use lending::{Lending, missing as cannot_lend};
pub(crate) use reading::{named as id_in, serve_public};
pub(crate) use references::{ids_of, of_item as references_of_item, removed as references_removed};
pub(crate) use sweep::sweep;

use crate::auth::Principal;
use crate::config::Config;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Doc, Param, Routes};
use crate::publishing;
use settings::Settings;

/// What the parts of this room share.
pub(crate) struct Media {
    settings: Settings,
    limits: Limits,
    collections: Collections,
    /// Pictures that are decoded at one time.
    permits: Arc<Semaphore>,
    sizes: sizes::Sizes,
}

/// Where the documents of media are.
#[derive(Clone, Copy)]
pub(crate) struct Collections {
    pub(crate) files: CollectionId,
    pub(crate) uploads: CollectionId,
    pub(crate) references: CollectionId,
}

impl Collections {
    /// # Errors
    /// `NotFound` without the built-in collections.
    pub(crate) fn of(store: &Store) -> Result<Self> {
        let id = |name| publishing::collection(store, name);
        Ok(Self { files: id("media")?, uploads: id("upload")?, references: id("media_references")? })
    }
}

impl Media {
    /// # Errors
    /// `Invalid` for a setting that cannot be read; `NotFound` without the built-in collections.
    pub(crate) fn open(store: &Store, config: &Config) -> Result<Self> {
        Ok(Self {
            settings: Settings::read(&config.superdesk)?,
            limits: Limits { pixels_max: config.limits.picture_pixels_max },
            collections: Collections::of(store)?,
            permits: Arc::new(Semaphore::new(config.limits.pictures_max.max(1))),
            sizes: sizes::Sizes::open(store)?,
        })
    }

    pub(crate) fn collections(&self) -> Collections {
        self.collections
    }
}

/// Whether somebody may bring files: everybody who is signed in, by a key only with the scope for it.
///
/// # Errors
/// 403.
fn may_bring(principal: &Principal) -> std::result::Result<(), Problem> {
    match principal.scopes.allow("upload", true) {
        true => Ok(()),
        false => Err(Problem::new(Slug::Forbidden, "this needs scope upload:write")),
    }
}

const CROP: &[Param] = &[
    Param::new("resource", "string", "passed over: every file is found by its id"),
    Param::new("download", "boolean", "1: as an attachment"),
];
const SIZE: &[Param] = &[
    Param::new("width", "integer", "pixels, 1 to 4000"),
    Param::new("height", "integer", "pixels, 1 to 4000"),
    Param::new("signature", "string", "as the link was given"),
];

/// The routes. Lists and documents of `upload` and `media` are those of every resource.
pub(crate) fn routes() -> Routes {
    let doc = |summary| Doc::new(summary, "media", Access::SignedIn);
    let bytes = |summary| {
        doc(summary)
            .answer_as(200, "application/octet-stream", Some("Bytes"))
            .answer_as(206, "application/octet-stream", Some("Bytes"))
            .empty(304)
            .empty(416)
    };
    Routes::new()
        .schema(
            "UploadForm",
            json!({
                "type": "object",
                "properties": {
                    "media": {"type": "string", "format": "binary"}, "URL": {"type": "string"},
                    "CropLeft": {"type": "integer"}, "CropTop": {"type": "integer"},
                    "CropRight": {"type": "integer"}, "CropBottom": {"type": "integer"},
                },
            }),
        )
        .schema(
            "PictureCrop",
            json!({
                "type": "object", "required": ["item", "crop"],
                "properties": {"item": {"type": "object"}, "crop": {"type": "object"}},
            }),
        )
        .schema(
            "PictureRenditions",
            json!({
                "type": "object", "required": ["item"],
                "properties": {"item": {"type": "object"}, "no_custom_crops": {"type": "boolean"}},
            }),
        )
        .schema(
            "MediaEdit",
            json!({
                "type": "object", "required": ["edit"],
                "properties": {
                    "item": {"type": "object"}, "item_id": {"type": "string"},
                    "edit": {"type": "array", "items": {"type": "array"}},
                },
            }),
        )
        .schema("Renditions", json!({"type": "object"}))
        .schema("SizedLink", json!({"type": "object", "required": ["href"]}))
        .post(
            "/api/upload",
            upload::create,
            doc("Store a file by itself: form field media, or URL (JSON takes URL too)")
                .request_as("multipart/form-data", "UploadForm")
                .answer(201, "Document")
                .body_max(0),
        )
        .get(
            "/api/upload/{id}/raw",
            reading::of_upload,
            bytes("The file of an upload; takes Range and If-Range"),
        )
        .get(
            "/api/upload-raw/{id}",
            reading::of_file,
            bytes("A file by its id, an ending such as .jpg is passed over").query(CROP),
        )
        .post(
            "/api/upload-raw/{id}/link",
            sizes::link,
            doc("A link that shows a picture in a box, to whoever has it")
                .query(SIZE)
                .answer(201, "SizedLink"),
        )
        .get(
            "/api/sized/{id}",
            sizes::shown,
            Doc::new("A picture in a box, by a link", "media", Access::Public)
                .query(SIZE)
                .answer_as(200, "image/jpeg", Some("Bytes"))
                .empty(304),
        )
        .post(
            "/api/picture_crop",
            editing::crop,
            doc("Cut a part out of a picture").request("PictureCrop").answer(201, "Renditions"),
        )
        .post(
            "/api/picture_renditions",
            editing::renditions,
            doc("Make the renditions of a picture anew")
                .request("PictureRenditions")
                .answer(201, "Renditions"),
        )
        .post(
            "/api/media_editor",
            editing::edit,
            doc("Turn, flip and correct a picture").request("MediaEdit").answer(201, "Renditions"),
        )
}
