//! Pictures changed on request, without saving an item: what is made is kept for hours, and longer once an item holds it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dateline_engine::{Durability, Transaction};
use dateline_media::{Edit, Picture, Size};
use serde_json::{Map, Value, json};

use super::crops::{self, no_item, point_of};
use super::files::{self, File, NewFile};
use super::made::{self, Wish, bad};
use super::may_bring;
use super::upload::{crop_of, edge};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::blobs::Shelf;
use crate::eve::problem::Problem;
use crate::http::{Answer, ObjectBody};
use crate::publishing::items;
use crate::resources::{Sight, answer};

/// `POST /api/picture_crop {"item", "crop"}` -> `{"href", "media", "width", "height", "mimetype"}`.
///
/// # Errors
/// 400 that names the part that is missing or wrong.
pub(super) async fn crop(
    State(app): State<App>,
    principal: Principal,
    ObjectBody(body): ObjectBody,
) -> Answer {
    may_bring(&principal)?;
    let file = original(&app, body.get("item"))?;
    let given = body.get("crop").and_then(Value::as_object).ok_or_else(|| bad("crop", "required field"))?;
    let crop = crop_of(given)?.ok_or_else(|| bad("crop", "a crop has all four edges"))?;
    let length = |name: &str| match given.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => {
            let length = edge(value).filter(|length| (1..=8000).contains(length));
            length.map(Some).ok_or_else(|| bad(name, &format!("Invalid value for {name} in renditions")))
        }
    };
    let (width, height) = (length("width")?, length("height")?);
    let prefix = app.media().settings.prefix.clone();
    let made = made::in_turn(&app, move |app| {
        let picture = decoded(app, &file)?;
        let outside = || bad("crop", "the crop is outside of the picture");
        let inside = crop.within(picture.size()).ok_or_else(outside)?;
        let size = Size {
            width: width.unwrap_or(inside.width()).min(inside.width()),
            height: height.unwrap_or(inside.height()).min(inside.height()),
        };
        let cut = picture.crop_to(inside, size).ok_or_else(outside)?;
        crops::rendition(&cut, None, None, &prefix)
    });
    let (file, rendition) = made.await?;
    keep(&app, vec![file]).await?;
    created(&rendition)
}

/// `POST /api/picture_renditions {"item", "no_custom_crops"?}` -> `{"renditions"}`.
///
/// # Errors
/// As [`crop`].
pub(super) async fn renditions(
    State(app): State<App>,
    principal: Principal,
    ObjectBody(body): ObjectBody,
) -> Answer {
    may_bring(&principal)?;
    let without = body.get("no_custom_crops") == Some(&Value::Bool(true));
    let crops = if without { Vec::new() } else { crops::specs(&app)? };
    let item = body.get("item");
    again(&app, original(&app, item)?, item, crops, Vec::new()).await
}

/// `POST /api/media_editor {"item" | "item_id", "edit"}` -> `{"renditions"}` with a new original.
///
/// # Errors
/// 400 that names the edit; 404 for an item that is not there.
pub(super) async fn edit(
    State(app): State<App>,
    principal: Principal,
    ObjectBody(body): ObjectBody,
) -> Answer {
    may_bring(&principal)?;
    let edits = body.get("edit").ok_or_else(|| bad("edit", "required field"))?;
    let edits = Edit::parse(edits).map_err(|fault| bad("edit", &fault.to_string()))?;
    let item = match (body.get("item"), body.get("item_id").and_then(Value::as_str)) {
        (Some(item @ Value::Object(_)), _) => item.clone(),
        (_, Some(id)) => {
            Sight::of(&principal, Action::Read, "archive")?;
            let archive = app.publishing().collections().archive;
            items::find(app.store(), archive, id)?.ok_or_else(|| no_item(id))?
        }
        _ => return Err(bad("item", "item or item_id is required").into()),
    };
    let crops = crops::specs(&app)?;
    again(&app, original(&app, Some(&item))?, Some(&item), crops, edits).await
}

async fn again(
    app: &App,
    file: File,
    item: Option<&Value>,
    crops: Vec<dateline_media::CropSpec>,
    edits: Vec<Edit>,
) -> Answer {
    // A point says where something is in the picture as it was.
    let point = item.and_then(|item| item.get("poi")).and_then(point_of).filter(|_| edits.is_empty());
    let point = point.map(|point| (point.x, point.y));
    let wish = Wish { crops, edits, point, ..Wish::new(&app.media().settings.picture, file.word("name")) };
    let made = made::of_stored(app, file.manifest, file.id, wish).await?;
    let renditions = made.renditions.clone();
    let shelf = Shelf::of(app.store())?;
    app.commit(made.add_to(shelf, Transaction::new(Durability::Sync))).await?;
    created(&json!({"renditions": renditions}))
}

/// The file of the original of an item.
fn original(app: &App, item: Option<&Value>) -> Result<File, Problem> {
    let renditions = item.and_then(|item| item.get("renditions")?.as_object()).filter(|own| !own.is_empty());
    let renditions: &Map<String, Value> = renditions.ok_or_else(|| bad("item", "Missing renditions!"))?;
    let missing = || bad("item", "Missing original rendition!");
    let media = renditions.get("original").and_then(|own| own.get("media")?.as_str()).ok_or_else(missing)?;
    files::find(app, media)?.ok_or_else(missing)
}

fn decoded(app: &App, file: &File) -> Result<Picture, Problem> {
    if dateline_media::Kind::family_of(file.media_type()) != dateline_media::Family::Picture {
        return Err(bad("item", "Only images can be cropped!"));
    }
    file.picture(app)
}

async fn keep(app: &App, files: Vec<NewFile>) -> Result<(), Problem> {
    let shelf = Shelf::of(app.store())?;
    let mut transaction = Transaction::new(Durability::Sync);
    for mut file in files {
        file.stage(app).await?;
        transaction = file.add_to(shelf, transaction);
    }
    app.commit(transaction).await?;
    Ok(())
}

pub(super) fn created(body: &Value) -> Answer {
    let response = answer::json_bytes(body.to_string().into_bytes());
    Ok((StatusCode::CREATED, response).into_response())
}
