//! Pictures in a box of any size, by links that only the server can make.
//!
//! A link carries a keyed hash (HMAC-SHA256, RFC 2104) over the file and the size, so nobody makes the server compute
//! sizes that were not asked for by somebody who may read the file. What was made is kept for hours under a name of its
//! own and made again when it is asked for later.

use std::sync::OnceLock;

use axum::extract::State;
use axum::http::HeaderMap;
use dateline_engine::{
    CollectionId, Condition, DocId, Durability, Error, ErrorKind, Result, Store, Transaction,
};
use dateline_media::{Family, Kind, Size};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::editing::created;
use super::files::{self, File, NewFile};
use super::made::{self, bad, refused};
use super::reading::{self, missing};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::blobs::{Served, Shelf, disposition, serve};
use crate::eve::Params;
use crate::eve::problem::{Problem, Slug};
use crate::http::Answer;
use crate::ids;
use crate::publishing::items;
use crate::resources::{Query, Sight};

/// Longest edge of a box in pixels.
const EDGE_MAX: u32 = 4_000;
/// Document that holds the key.
const KEY: &str = "sizes";
/// Digits of a signature.
const DIGITS: usize = 40;
const DAY: &str = "public, max-age=86400";

/// The key of links. It is made for the first link of a store and kept in it.
pub(super) struct Sizes {
    secrets: CollectionId,
    key: OnceLock<Vec<u8>>,
}

impl Sizes {
    /// # Errors
    /// `NotFound` without the built-in collections.
    pub(super) fn open(store: &Store) -> Result<Self> {
        Ok(Self { secrets: crate::publishing::collection(store, "media_secrets")?, key: OnceLock::new() })
    }

    /// The key, if there is one.
    fn known(&self, store: &Store) -> Result<Option<&[u8]>> {
        if let Some(key) = self.key.get() {
            return Ok(Some(key));
        }
        Ok(stored(store, self.secrets)?.map(|key| self.key.get_or_init(|| key).as_slice()))
    }

    async fn key(&self, app: &App) -> Result<&[u8]> {
        if let Some(key) = self.known(app.store())? {
            return Ok(key);
        }
        let key: [u8; 32] = ids::random()?;
        let body = json!({"key": ids::hex(&key), "_version": 1}).to_string();
        let transaction = Transaction::new(Durability::Sync);
        let transaction = transaction.put(self.secrets, DocId::new(KEY)?, Condition::Absent, body);
        match app.commit(transaction).await {
            Ok(_) => {}
            // Somebody else made one at the same moment.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
        self.known(app.store())?.ok_or_else(|| Error::internal("the key of links is gone"))
    }
}

fn sign(key: &[u8], id: &str, size: Size) -> String {
    // Any length is a key of HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(format!("{id}\n{}\n{}", size.width, size.height).as_bytes());
    let mut digits = ids::hex(&mac.finalize().into_bytes());
    digits.truncate(DIGITS);
    digits
}

fn is_ours(key: &[u8], id: &str, size: Size, signature: &str) -> bool {
    let own = sign(key, id, size);
    !own.is_empty() && bool::from(own.as_bytes().ct_eq(signature.as_bytes()))
}

fn stored(store: &Store, collection: CollectionId) -> Result<Option<Vec<u8>>> {
    let document = items::find(store, collection, KEY)?;
    let key = document.as_ref().and_then(|own| own.get("key")?.as_str()).filter(|key| !key.is_empty());
    Ok(key.map(|key| key.as_bytes().to_vec()))
}

fn asked(params: &Params) -> std::result::Result<Size, Problem> {
    let edge = |name: &str| {
        let edge = params.get(name).and_then(|text| text.parse::<u32>().ok());
        let edge = edge.filter(|edge| (1..=EDGE_MAX).contains(edge));
        edge.ok_or_else(|| bad(name, &format!("must be pixels, 1 to {EDGE_MAX}")))
    };
    Ok(Size { width: edge("width")?, height: edge("height")? })
}

/// `POST /api/upload-raw/{id}/link?width=&height=` -> `{"href"}`.
///
/// # Errors
/// 400 for a size out of bounds or a file that is no picture, 404.
pub(super) async fn link(
    State(app): State<App>,
    principal: Principal,
    uri: axum::http::Uri,
    Query(params): Query,
) -> Answer {
    Sight::of(&principal, Action::Read, "media")?;
    let (id, size) = (reading::named(&uri, 2), asked(&params)?);
    let file = files::find(&app, &id)?.ok_or_else(|| missing(&id))?;
    if Kind::family_of(file.media_type()) != Family::Picture {
        return Err(bad("media", "Only images can be cropped!").into());
    }
    let signature = sign(app.media().sizes.key(&app).await?, &id, size);
    let Size { width, height } = size;
    let href = format!("/api/sized/{id}?width={width}&height={height}&signature={signature}");
    created(&json!({"href": href}))
}

/// `GET /api/sized/{id}?width=&height=&signature=`.
///
/// # Errors
/// 403 for a link that was not made here, 404 when the file is gone.
pub(super) async fn shown(
    State(app): State<App>,
    uri: axum::http::Uri,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let (id, size) = (reading::named(&uri, 2), asked(&params)?);
    let signature = params.get("signature").unwrap_or_default();
    let key = app.media().sizes.known(app.store())?;
    if !key.is_some_and(|key| is_ours(key, &id, size, signature)) {
        return Err(Problem::new(Slug::Forbidden, "the link was not made here, or was changed").into());
    }
    let file = sized(&app, &id, size).await?;
    let served = Served {
        manifest: file.manifest.clone(),
        tag: &file.id,
        media_type: file.media_type(),
        disposition: disposition("inline", ""),
        cache: DAY,
    };
    serve(&app, &headers, served).await
}

async fn sized(app: &App, id: &str, size: Size) -> std::result::Result<File, Problem> {
    let name = format!("{id}-{}x{}", size.width, size.height);
    let source = files::find(app, id)?.ok_or_else(|| missing(id))?;
    if let Some(kept) = files::find(app, &name)? {
        return Ok(kept);
    }
    let called = name.clone();
    let made = made::in_turn(app, move |app| {
        let encoded = source.picture(app)?.fit(size).encode().map_err(|fault| refused(&fault))?;
        let about: Value = json!({
            "media_type": encoded.media_type, "extension": encoded.extension, "of": source.id,
            "width": encoded.size.width, "height": encoded.size.height,
        });
        Ok(NewFile::named(
            DocId::new(called)?,
            encoded.bytes,
            about.as_object().cloned().unwrap_or_default(),
        )?)
    });
    let mut file = made.await?;
    file.stage(app).await?;
    let shelf = Shelf::of(app.store())?;
    app.commit(file.add_to(shelf, Transaction::new(Durability::Buffered))).await?;
    files::find(app, &name)?.ok_or_else(|| missing(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_of_one_file_and_one_size() {
        let size = Size { width: 300, height: 200 };
        let signature = sign(b"key", "file", size);
        let check = |key: &[u8], id: &str, size: Size, signature: &str, expected: bool| {
            assert_eq!(is_ours(key, id, size, signature), expected, "{id} {size:?} {signature}");
        };
        assert_eq!(signature.len(), DIGITS);
        check(b"key", "file", size, &signature, true);
        check(b"key", "other", size, &signature, false);
        check(b"key", "file", Size { width: 301, ..size }, &signature, false);
        check(b"key", "file", size, "", false);
        check(b"key", "file", size, &signature[1..], false);
        check(b"other", "file", size, &signature, false);
    }
}
