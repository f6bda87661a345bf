//! Crops that people make: which names there are, what they demand, and the renditions they become.

use dateline_media::{Crop, CropSpec, Kind, Peak, Picture, Ratio, Size};
use serde_json::{Map, Value, json};

use super::files::{self, NewFile};
use super::made::{self, bad, pixel, pixel_in, refused};
use super::references;
use super::upload::{CROP, edge};
use crate::app::App;
use crate::blobs::Shelf;
use crate::eve::problem::{Problem, Slug};
use crate::resources::rules::{Draft, Effect};

/// Vocabulary of the names of crops.
const VOCABULARY: &str = "crop_sizes";
/// Member of an item that says where its point came from, and its value where nobody chose it.
pub(super) const POINT_SOURCE: &str = "poi_source";
pub(super) const FOUND: &str = "found";

/// Names that are active, unless the site wants none.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn specs(app: &App) -> dateline_engine::Result<Vec<CropSpec>> {
    if !app.media().settings.has_custom_crops {
        return Ok(Vec::new());
    }
    let site = app.publishing().site(app.store())?;
    let rows = site.vocabularies.get(VOCABULARY).and_then(|own| own.get("items")?.as_array());
    Ok(rows.into_iter().flatten().filter_map(spec).collect())
}

fn spec(row: &Value) -> Option<CropSpec> {
    if row.get("is_active") == Some(&Value::Bool(false)) {
        return None;
    }
    let length = |name: &str| row.get(name).and_then(edge).filter(|edge| (1..=8000).contains(edge));
    let ratio = match row.get("ratio") {
        Some(Value::String(text)) => Ratio::parse(text),
        Some(Value::Number(number)) => Ratio::parse(&number.to_string()),
        _ => None,
    };
    let name = row.get("name").or_else(|| row.get("qcode"))?.as_str()?.to_owned();
    Some(CropSpec { name, width: length("width"), height: length("height"), ratio })
}

/// Crops of a save that are not those of the stored item. The renditions of both are put together.
pub(super) async fn changed(
    draft: &Draft<'_>,
    stored: &Map<String, Value>,
    body: &mut Map<String, Value>,
) -> Result<Vec<Effect>, Problem> {
    let moved = body.get("poi").filter(|point| Some(*point) != stored.get("poi")).is_some();
    if moved {
        body.shift_remove(POINT_SOURCE);
    }
    let earlier = stored.get("renditions").and_then(Value::as_object);
    let given = match body.get("renditions") {
        Some(Value::Object(given)) if Some(given) != earlier => given.clone(),
        _ if moved => Map::new(),
        _ => return Ok(Vec::new()),
    };
    let wanted = new_crops(earlier, &given);
    let mut together = earlier.cloned().unwrap_or_default();
    for (name, own) in given {
        let told = earlier.and_then(|earlier| earlier.get(&name)).and_then(Value::as_object);
        match (told, own) {
            // What is not said of a rendition stays.
            (Some(told), Value::Object(own)) => {
                let mut whole = told.clone();
                whole.extend(own);
                together.insert(name, whole.into());
            }
            (_, own) => drop(together.insert(name, own)),
        }
    }
    let effects = match wanted.is_empty() {
        true => Vec::new(),
        false => make(draft, stored, body, wanted, &mut together).await?,
    };
    if moved {
        place_point(body.get("poi"), &mut together);
    }
    if earlier != Some(&together) && !(earlier.is_none() && together.is_empty()) {
        body.insert("renditions".to_owned(), together.into());
    }
    Ok(effects)
}

/// Those with an edge of a crop that is not the stored one.
fn new_crops(
    earlier: Option<&Map<String, Value>>,
    given: &Map<String, Value>,
) -> Vec<(String, Map<String, Value>)> {
    let mut wanted = Vec::new();
    for (name, own) in given {
        let Some(own) = own.as_object() else { continue };
        let told = earlier.and_then(|earlier| earlier.get(name));
        let is_new = CROP.iter().any(|edge| {
            own.get(*edge).is_some_and(|value| told.and_then(|told| told.get(*edge)) != Some(value))
        });
        if is_new && name != "original" {
            wanted.push((name.clone(), own.clone()));
        }
    }
    wanted
}

async fn make(
    draft: &Draft<'_>,
    stored: &Map<String, Value>,
    body: &Map<String, Value>,
    wanted: Vec<(String, Map<String, Value>)>,
    together: &mut Map<String, Value>,
) -> Result<Vec<Effect>, Problem> {
    let refuse = |text: &str| bad("renditions", text);
    if stored.get("type").and_then(Value::as_str) != Some("picture") {
        return Err(refuse("Only images can be cropped!"));
    }
    let renditions = stored.get("renditions").and_then(Value::as_object).filter(|own| !own.is_empty());
    let renditions = renditions.ok_or_else(|| refuse("Missing renditions!"))?;
    let original = renditions.get("original").and_then(|own| own.get("media")?.as_str());
    let original = original.ok_or_else(|| refuse("Missing original rendition!"))?;
    let known = specs(draft.app)?;
    let mut cuts = Vec::new();
    for (name, own) in wanted {
        let spec = known.iter().find(|spec| spec.name == name);
        let spec = spec.ok_or_else(|| refuse(&format!("Unknown crop name! (name={name})")))?;
        let crop = checked(&own)?;
        spec.check(crop).map_err(|fault| refuse(&fault.to_string()))?;
        cuts.push((spec.clone(), crop));
    }
    let is_chosen = body.get(POINT_SOURCE).is_none();
    let point = body.get("poi").and_then(point_of);
    let file = files::find(draft.app, original)?.ok_or_else(|| refuse("Missing original rendition!"))?;
    let prefix = draft.app.media().settings.prefix.clone();
    let made = made::in_turn(draft.app, move |app| {
        let picture = file.picture(app)?;
        let mut made = Vec::new();
        for (spec, crop) in cuts {
            made.push(cut(&picture, &spec, crop, point.filter(|_| is_chosen), point, &prefix)?);
        }
        Ok(made)
    });
    let (shelf, mut effects, mut ids) = (Shelf::of(draft.app.store())?, Vec::new(), Vec::new());
    for (name, rendition, mut file) in made.await? {
        file.stage(draft.app).await?;
        together.insert(name, rendition);
        ids.push(file.id().to_owned());
        effects.push(Effect::Also(Box::new(move |transaction| file.add_to(shelf, transaction))));
    }
    effects.push(references::effect(draft.app, draft.id.as_str(), ids));
    Ok(effects)
}

/// The edges of a crop, each a number.
fn checked(own: &Map<String, Value>) -> Result<Crop, Problem> {
    let invalid = |name: &str| bad("renditions", &format!("Invalid value for {name} in renditions"));
    for name in ["width", "height"] {
        if own.get(name).is_some_and(|value| edge(value).is_none()) {
            return Err(invalid(name));
        }
    }
    let [left, top, right, bottom] =
        CROP.map(|name| own.get(name).and_then(edge).ok_or_else(|| invalid(name)));
    Ok(Crop { left: left?, top: top?, right: right?, bottom: bottom? })
}

fn cut(
    picture: &Picture,
    spec: &CropSpec,
    crop: Crop,
    chosen: Option<Peak>,
    point: Option<Peak>,
    prefix: &str,
) -> Result<(String, Value, NewFile), Problem> {
    let own = picture.size();
    if let Some(Peak { x, y, .. }) = chosen
        && !crop.holds(own, x, y)
    {
        let text = format!("Point of interest outside the crop {} limits", spec.name);
        return Err(bad("renditions", &text));
    }
    let outside = || bad("renditions", &format!("The crop {} is outside of the picture", spec.name));
    let inside = crop.within(own).ok_or_else(outside)?;
    // What is cut off at an edge may leave too little.
    spec.check(inside).map_err(|fault| bad("renditions", &fault.to_string()))?;
    let cut = picture.crop_to(inside, spec.size_of(inside)).ok_or_else(outside)?;
    let point = point.map(|point| pixel_in(own, point, inside));
    let (file, rendition) = rendition(&cut, point, Some(inside), prefix)?;
    Ok((spec.name.clone(), rendition, file))
}

/// A picture as a file and a rendition.
pub(super) fn rendition(
    picture: &Picture,
    point: Option<made::Pixel>,
    crop: Option<Crop>,
    prefix: &str,
) -> Result<(NewFile, Value), Problem> {
    let encoded = picture.encode().map_err(|fault| refused(&fault))?;
    let (kind, size) = (Kind::of(&encoded.bytes), encoded.size);
    let about = json!({
        "media_type": kind.media_type, "extension": kind.extension, "width": size.width, "height": size.height,
    });
    let file = NewFile::of(encoded.bytes, about.as_object().cloned().unwrap_or_default())?;
    let rendition = made::rendition(prefix, file.id(), kind, Some(size), point, crop);
    Ok((file, rendition))
}

/// Puts a point that somebody chose into every rendition.
fn place_point(point: Option<&Value>, renditions: &mut Map<String, Value>) {
    let Some(point) = point.and_then(point_of) else { return };
    let size_of = |own: &Value| {
        let edge = |name: &str| own.get(name).and_then(edge);
        Some(Size { width: edge("width")?, height: edge("height")? })
    };
    let Some(original) = renditions.get("original").and_then(size_of) else { return };
    for own in renditions.values_mut() {
        let Some(size) = size_of(own) else { continue };
        let edges: Option<Vec<u32>> = CROP.iter().map(|name| own.get(*name).and_then(edge)).collect();
        let (x, y) = match edges.as_deref() {
            Some(&[left, top, right, bottom]) => pixel_in(original, point, Crop { left, top, right, bottom }),
            _ => pixel(size, point),
        };
        own["poi"] = json!({"x": x, "y": y});
    }
}

/// `{"x", "y"}` as fractions of the picture.
pub(super) fn point_of(value: &Value) -> Option<Peak> {
    let part = |name: &str| value.get(name).and_then(Value::as_f64).filter(|part| (0.0..=1.0).contains(part));
    Some(Peak { x: part("x")?, y: part("y")?, score: 1.0 })
}

/// 404 for an item that is not there.
pub(super) fn no_item(id: &str) -> Problem {
    Problem::new(Slug::NotFound, format!("there is no item '{id}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_vocabulary() {
        let sized = spec(&json!({"name": "4-3", "width": 800, "height": "600", "is_active": true})).unwrap();
        assert_eq!((sized.size(), sized.ratio), (Some(Size { width: 800, height: 600 }), None));
        let wide = spec(&json!({"name": "wide", "ratio": "16:9"})).unwrap();
        assert!(wide.size().is_none() && wide.ratio.is_some());
        assert!(spec(&json!({"name": "off", "width": 8, "height": 6, "is_active": false})).is_none());
        assert!(spec(&json!({"width": 8})).is_none());
    }

    #[test]
    fn only_other_edges_make_a_new_crop() {
        let stored = json!({"4-3": {"CropLeft": 0, "CropTop": 0, "href": "h"}, "16-9": {"CropLeft": 5}});
        let given = json!({
            "4-3": {"CropLeft": 0, "CropTop": 0}, "16-9": {"CropLeft": 6}, "new": {"CropTop": 1}, "original": {"CropLeft": 1},
            "viewImage": {"href": "h"}, "gone": null,
        });
        let wanted = new_crops(stored.as_object(), given.as_object().unwrap());
        let names: Vec<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["16-9", "new"]);
    }

    #[test]
    fn a_chosen_point_is_in_every_rendition() {
        let mut renditions = json!({
            "original": {"width": 1000, "height": 800}, "viewImage": {"width": 500, "height": 400},
            "4-3": {"width": 80, "height": 60, "CropLeft": 100, "CropTop": 50, "CropRight": 900, "CropBottom": 650},
            "film": {"href": "h"},
        });
        let map = renditions.as_object_mut().unwrap();
        place_point(Some(&json!({"x": 0.5, "y": 0.25})), map);
        assert_eq!(map["original"]["poi"], json!({"x": 500, "y": 200}));
        assert_eq!(map["viewImage"]["poi"], json!({"x": 250, "y": 100}));
        assert_eq!(map["4-3"]["poi"], json!({"x": 400, "y": 150}));
        assert!(map["film"].get("poi").is_none());
    }
}
