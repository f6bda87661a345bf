//! Media of an item for transmitters: which there are, and their bytes without places.

use dateline_formats::Item;
use dateline_media::{Limits, Picture};
use dateline_transmit::{Lent, MediaError, MediaProvider, MediaReader, Medium, MediumKind, Transmission};
use serde_json::Value;

use super::reading;
use super::upload::CROP;
use crate::app::App;
use crate::blobs::Source;
use crate::eve::problem::Problem;

/// Levels of associations that are lent.
const DEPTH_MAX: usize = 2;
/// Quality of pictures in e-mails.
const QUALITY: u8 = 80;

/// The media of one item.
pub(crate) struct Lending {
    app: App,
    media: Vec<Medium>,
}

impl Lending {
    pub(crate) fn new(app: &App, item: Option<&Value>) -> Self {
        let mut media = Vec::new();
        if let Some(item) = item {
            collect(item, None, DEPTH_MAX, &mut media);
        }
        Self { app: app.clone(), media }
    }

    async fn reader(&self, medium: &Medium) -> Result<MediaReader, MediaError> {
        let file = reading::public(&self.app, &medium.id).map_err(|problem| unread(&problem))?;
        let gone = || MediaError { message: format!("there is no medium {}", medium.id) };
        let file = file.ok_or_else(gone)?;
        Ok(Box::new(Source::new(self.app.store(), file.manifest)))
    }

    async fn picture(&self, medium: &Medium) -> Result<MediaReader, MediaError> {
        let (id, limits) = (medium.id.clone(), self.app.media().limits);
        let made = super::made::in_turn(&self.app, move |app| {
            let Some(file) = reading::public(app, &id)? else { return Ok(None) };
            Ok(encoded(&Source::all(app.store(), &file.manifest)?, &limits))
        });
        match made.await.map_err(|problem| unread(&problem))? {
            Some(bytes) => Ok(Box::new(std::io::Cursor::new(bytes))),
            // What cannot be decoded here is lent as it is.
            None => self.reader(medium).await,
        }
    }
}

fn encoded(bytes: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    let picture = Picture::decode(bytes, limits).ok()?;
    Some(picture.encode_as(QUALITY).ok()?.bytes)
}

fn unread(problem: &Problem) -> MediaError {
    MediaError { message: problem.detail().to_owned() }
}

impl MediaProvider for Lending {
    fn media<'a>(&'a self, _: &'a Transmission) -> Lent<'a, Result<Vec<Medium>, MediaError>> {
        let media = self.media.clone();
        Box::pin(async { Ok(media) })
    }

    fn open<'a>(&'a self, medium: &'a Medium) -> Lent<'a, Result<MediaReader, MediaError>> {
        Box::pin(self.reader(medium))
    }

    fn open_picture<'a>(
        &'a self,
        medium: &'a Medium,
        has_watermark: bool,
    ) -> Lent<'a, Result<MediaReader, MediaError>> {
        if has_watermark {
            let error = MediaError { message: "no watermarks are made here".to_owned() };
            return Box::pin(async move { Err(error) });
        }
        Box::pin(self.picture(medium))
    }
}

/// Why media of an item cannot be lent: one of them is not in the store. Without it the item would seem to have arrived
/// whole.
pub(crate) fn missing(app: &App, item: &Value) -> dateline_engine::Result<Option<String>> {
    let mut unknown = Vec::new();
    nameless(item, None, DEPTH_MAX, &mut unknown);
    if let Some(name) = unknown.first() {
        return Ok(Some(format!("the file of {name} is not in the media store")));
    }
    let mut media = Vec::new();
    collect(item, None, DEPTH_MAX, &mut media);
    for medium in media {
        if reading::public(app, &medium.id).ok().flatten().is_none() {
            return Ok(Some(format!("there is no medium {}", medium.id)));
        }
    }
    Ok(None)
}

fn members<'a>(item: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    item.get(key).and_then(Value::as_object).into_iter().flatten().filter(|(_, own)| !own.is_null())
}

fn attachments(item: &Value) -> impl Iterator<Item = &Value> {
    item.get("attachments").and_then(Value::as_array).into_iter().flatten().filter(|own| !own.is_null())
}

/// Renditions and attachments that are only an address somewhere else.
fn nameless(item: &Value, within: Option<&str>, depth: usize, found: &mut Vec<String>) {
    let has_id = |own: &Value| own.get("media").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    let of = |name: &str| within.map_or_else(|| name.to_owned(), |within| format!("{within}.{name}"));
    let renditions = members(item, "renditions").filter(|(_, own)| !has_id(own));
    found.extend(renditions.map(|(name, _)| of(name)));
    found.extend(attachments(item).filter(|own| !has_id(own)).map(|_| of("attachments")));
    if depth > 0 {
        members(item, "associations").for_each(|(name, own)| nameless(own, Some(name), depth - 1, found));
    }
}

fn collect(item: &Value, within: Option<&str>, depth: usize, found: &mut Vec<Medium>) {
    // The original first: of two renditions with the same bytes it is the one that is lent.
    let all: Vec<_> = members(item, "renditions").collect();
    let originals = all.iter().filter(|(name, _)| *name == "original");
    for (name, own) in originals.chain(all.iter().filter(|(name, _)| *name != "original")) {
        let kind = match name.as_str() {
            "original" => MediumKind::Original,
            name if own.get(CROP[0]).is_some() => MediumKind::Crop(name.to_owned()),
            name => MediumKind::Rendition(name.to_owned()),
        };
        add(own, kind, within, found);
    }
    attachments(item).for_each(|own| add(own, MediumKind::Attachment, within, found));
    if depth > 0 {
        for (name, own) in members(item, "associations") {
            // Of associations inside of an association the outer name is the one that formats use.
            collect(own, within.or(Some(name.as_str())), depth - 1, found);
        }
    }
}

fn add(own: &Value, kind: MediumKind, within: Option<&str>, found: &mut Vec<Medium>) {
    let text = |name: &str| own.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(id) = text("media") else { return };
    if found.iter().any(|known| known.id == id) {
        return;
    }
    let content_type = text("mimetype").unwrap_or("application/octet-stream").to_owned();
    let file_name = match (text("filename"), own.as_object()) {
        (Some(name), _) => super::receiving::harmless(name),
        // As formats refer to it.
        (None, Some(own)) => dateline_formats::media_file_name(Item::from(own)),
        (None, None) => id.to_owned(),
    };
    let association = within.map(str::to_owned);
    found.push(Medium { id: id.to_owned(), file_name, content_type, kind, association });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lent(item: Value) -> Vec<(String, Option<String>, Option<String>)> {
        let mut media = Vec::new();
        collect(&item, None, DEPTH_MAX, &mut media);
        let told =
            media.into_iter().map(|own| (own.id, own.kind.rendition().map(str::to_owned), own.association));
        told.collect()
    }

    #[test]
    fn each_file_is_lent_once_and_under_its_names() {
        let rendition = |id: &str| json!({"media": id, "mimetype": "image/jpeg", "href": "h"});
        let inner = json!({"renditions": {"original": rendition("c")}});
        let picture = json!({
            "renditions": {"viewImage": rendition("a"), "original": rendition("a"), "4-3": {"media": "b", "CropLeft": 1}},
            "associations": {"inner": inner, "gone": null},
        });
        let item = json!({"associations": {"featuremedia": picture}, "attachments": [{"media": "d"}]});
        let some = |text: &str| Some(text.to_owned());
        let expected = [
            ("d", None, None),
            ("a", some("original"), some("featuremedia")),
            ("b", some("4-3"), some("featuremedia")),
            ("c", some("original"), some("featuremedia")),
        ];
        let expected: Vec<_> =
            expected.into_iter().map(|(id, kind, within)| (id.to_owned(), kind, within)).collect();
        assert_eq!(lent(item), expected);
    }

    #[test]
    fn what_is_only_an_address_is_named() {
        let check = |item: Value, expected: &[&str]| {
            let mut found = Vec::new();
            nameless(&item, None, DEPTH_MAX, &mut found);
            assert_eq!(found, expected, "{item}");
        };
        check(json!({"renditions": {"original": {"href": "h"}}}), &["original"]);
        let picture = json!({"renditions": {"original": {"href": "h"}, "other": null}});
        check(json!({"associations": {"featuremedia": picture, "gone": null}}), &["featuremedia.original"]);
        check(json!({"attachments": [{"attachment": "a"}]}), &["attachments"]);
        check(
            json!({"renditions": {"original": {"media": "m"}}, "attachments": [], "associations": null}),
            &[],
        );
    }
}
