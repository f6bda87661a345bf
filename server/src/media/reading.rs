//! Files as they are read: whole or by ranges, under names that cannot change what they are.

use axum::extract::State;
use axum::http::HeaderMap;
use dateline_media::{Family, Kind};

use super::files::{self, File};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::blobs::{Served, disposition, serve};
use crate::eve::problem::{Problem, Slug};
use crate::http::Answer;
use crate::publishing::items;
use crate::resources::target::Id;
use crate::resources::{Query, Sight};

/// The bytes under an id never change. An id cannot be guessed: whoever is signed in and was told it may read the file.
const PRIVATE: &str = "private, max-age=31536000, immutable";
/// As subscribers of the content API know it.
const WEEK: &str = "private, max-age=604800";

/// `GET /api/upload/{id}/raw`: the file of an upload, or one by its own id.
pub(super) async fn of_upload(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    headers: HeaderMap,
) -> Answer {
    Sight::of(&principal, Action::Read, "upload")?;
    let upload = items::find(app.store(), app.media().collections().uploads, &id)?;
    let file = upload.as_ref().and_then(|upload| upload.get("media")?.as_str()).unwrap_or(&id);
    let file = files::find(&app, file)?.ok_or_else(|| missing(&id))?;
    answered(&app, &headers, &file, false, PRIVATE).await
}

/// `GET /api/upload-raw/{id}[.ext]`; `download=1` for an attachment.
pub(super) async fn of_file(
    State(app): State<App>,
    principal: Principal,
    uri: axum::http::Uri,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    Sight::of(&principal, Action::Read, "media")?;
    let id = named(&uri, 2);
    let file = files::find(&app, &id)?.ok_or_else(|| missing(&id))?;
    let is_download = matches!(params.get("download"), Some("1" | "true" | "True"));
    answered(&app, &headers, &file, is_download, PRIVATE).await
}

/// A file for somebody outside: the copy of it that says no place, where there is one.
///
/// # Errors
/// 404 when it is not here.
pub(crate) async fn serve_public(app: &App, headers: &HeaderMap, id: &str) -> Answer {
    let file = public(app, id)?.ok_or_else(|| missing(id))?;
    answered(app, headers, &file, false, WEEK).await
}

/// What goes out of a file.
///
/// # Errors
/// When it is damaged.
pub(super) fn public(app: &App, id: &str) -> Result<Option<File>, Problem> {
    let Some(file) = files::find(app, id)? else { return Ok(None) };
    let copy = file.word("public").to_owned();
    match copy.is_empty() {
        true => Ok(Some(file)),
        false => match files::find(app, &copy)? {
            Some(copy) => Ok(Some(copy)),
            // Never the other one in its place.
            None => Err(Problem::new(Slug::Corrupt, format!("the public copy of '{id}' is missing"))),
        },
    }
}

/// The part of the path, decoded, without the ending of a file.
pub(crate) fn named(uri: &axum::http::Uri, place: usize) -> String {
    let segment = uri.path().trim_start_matches('/').split('/').nth(place).unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
    decoded.split('.').next().unwrap_or_default().to_owned()
}

pub(super) fn missing(id: &str) -> Problem {
    Problem::new(Slug::NotFound, format!("there is no file '{id}'"))
}

async fn answered(
    app: &App,
    headers: &HeaderMap,
    file: &File,
    is_download: bool,
    cache: &'static str,
) -> Answer {
    // Only what a browser shows or plays by itself; anything else it might run.
    let is_shown = Kind::family_of(file.media_type()) != Family::Other;
    let kind = if is_shown && !is_download { "inline" } else { "attachment" };
    let name = match file.word("name") {
        "" => format!("{}.{}", file.id, file.word("extension")),
        name => name.to_owned(),
    };
    let served = Served {
        manifest: file.manifest.clone(),
        tag: &file.id,
        media_type: file.media_type(),
        disposition: disposition(kind, &name),
        cache,
    };
    serve(app, headers, served).await
}
