//! An item as it is shown outside: what a subscriber may have of it, with addresses at which it finds the files.

use dateline_engine::Document;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::store::subscribers_of;
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::publishing::items;

/// Members that are nobody's business outside.
const HIDDEN: [&str; 11] = [
    "_id",
    "_etag",
    "_created",
    "_updated",
    "_version",
    "subscribers",
    "_current_version",
    "_latest_version",
    "ancestors",
    "refs",
    "media_ids",
];
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An item as this subscriber sees it.
///
/// # Errors
/// When the stored item is damaged.
pub(super) fn shown(
    app: &App,
    document: &Document,
    subscriber: &str,
    fields: &Fields,
) -> Result<Value, Problem> {
    let mut item = outer(document)?;
    let files = app.media().collections().files;
    let is_here = |id: &str| items::find(app.store(), files, id).is_ok_and(|file| file.is_some());
    let mut assets = Assets { base: base(app), is_here: &is_here, moved: Vec::new() };
    let associations = item.shift_remove("associations");
    let mut associations = own_associations(associations, subscriber, &mut assets);
    if is_package(&item) {
        name_members(&mut associations, &assets.base);
    }
    item.insert("associations".to_owned(), associations);
    if let Some(own) = own_extra_items(item.shift_remove("extra_items"), subscriber, &mut assets) {
        item.insert("extra_items".to_owned(), own);
    }
    if let Some(renditions) = item.get_mut("renditions") {
        assets.clean(renditions);
    }
    for attachment in item.get_mut("attachments").and_then(Value::as_array_mut).into_iter().flatten() {
        let id = attachment.get("media").and_then(Value::as_str).unwrap_or_default().to_owned();
        attachment.as_object_mut().into_iter().for_each(|own| assets.move_here(own, &id));
    }
    if let Some(Value::String(body)) = item.get_mut("body_html") {
        for (from, to) in assets.moved.iter().filter(|(from, _)| !from.is_empty()) {
            *body = body.replace(from.as_str(), to);
        }
    }
    item.insert("uri".to_owned(), uri(&assets.base, document.id.as_str(), &item).into());
    item.retain(|name, _| fields.shows(name));
    Ok(Value::Object(item))
}

/// The item without what is nobody's business outside.
///
/// # Errors
/// When it is damaged.
pub(super) fn outer(document: &Document) -> Result<Map<String, Value>, Problem> {
    let Value::Object(mut item) = items::view(document)? else {
        return Err(Problem::new(Slug::Corrupt, "stored data is damaged; the log names the place"));
    };
    HIDDEN.iter().for_each(|name| drop(item.shift_remove(*name)));
    Ok(item)
}

/// Where the content API is for its clients.
pub(super) fn base(app: &App) -> String {
    let base = app.publishing().settings().public_url.trim_end_matches('/');
    if base.is_empty() { "/contentapi".to_owned() } else { base.to_owned() }
}

/// The address of an item.
pub(super) fn uri(base: &str, id: &str, item: &Map<String, Value>) -> String {
    let kind = if is_package(item) { "packages" } else { "items" };
    format!("{base}/{kind}/{}", utf8_percent_encode(id, IN_PATH))
}

pub(super) fn is_package(item: &Map<String, Value>) -> bool {
    item.get("type").and_then(Value::as_str) == Some("composite")
}

/// Gives the members of a package the addresses at which they are read by themselves.
fn name_members(members: &mut Value, base: &str) {
    let members = members.as_object_mut().into_iter().flat_map(|all| all.values_mut());
    for member in members.filter_map(Value::as_object_mut) {
        let Some(guid) = member.get("guid").and_then(Value::as_str) else { continue };
        let address = uri(base, guid, member);
        member.insert("uri".to_owned(), address.into());
    }
}

/// Those that the subscriber may have; of all others nothing is told.
fn own_associations(associations: Option<Value>, subscriber: &str, assets: &mut Assets<'_>) -> Value {
    let Some(Value::Object(mut all)) = associations else { return json!({}) };
    all.retain(|_, own| made_own(own, subscriber, assets));
    Value::Object(all)
}

/// Fields that hold items, with those that the subscriber may have.
fn own_extra_items(extra_items: Option<Value>, subscriber: &str, assets: &mut Assets<'_>) -> Option<Value> {
    let Some(Value::Object(mut fields)) = extra_items else { return None };
    fields.retain(|_, field| match field.get_mut("items").and_then(Value::as_array_mut) {
        Some(all) => {
            all.retain_mut(|own| made_own(own, subscriber, assets));
            !all.is_empty()
        }
        None => false,
    });
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// Takes out of an item inside what nobody is shown; says whether the subscriber may have it.
fn made_own(item: &mut Value, subscriber: &str, assets: &mut Assets<'_>) -> bool {
    if !subscribers_of(item).any(|own| own == subscriber) {
        return false;
    }
    if let Some(own) = item.as_object_mut() {
        own.shift_remove("subscribers");
        own.get_mut("renditions").into_iter().for_each(|own| assets.clean(own));
    }
    true
}

/// Addresses at which subscribers get the files of this server.
struct Assets<'a> {
    base: String,
    is_here: &'a dyn Fn(&str) -> bool,
    /// Addresses of the newsroom, and those that take their place.
    moved: Vec<(String, String)>,
}

impl Assets<'_> {
    /// Leaves out renditions that are gone, and what is nobody's business outside.
    fn clean(&mut self, renditions: &mut Value) {
        let Some(all) = renditions.as_object_mut() else { return };
        all.retain(|_, own| !own.is_null());
        for own in all.values_mut().filter_map(Value::as_object_mut) {
            let Some(Value::String(id)) = own.shift_remove("media") else { continue };
            self.move_here(own, &id);
        }
    }

    /// Gives a rendition or attachment the address of its file here; what another server has is found where it was.
    fn move_here(&mut self, own: &mut Map<String, Value>, id: &str) {
        if !(self.is_here)(id) {
            return;
        }
        let earlier = own.get("href").and_then(Value::as_str).unwrap_or_default().to_owned();
        let ending = earlier.rsplit('/').next().and_then(|last| last.rsplit_once('.'));
        let ending = ending.map(|(_, ending)| format!(".{ending}")).unwrap_or_default();
        let id = utf8_percent_encode(id, IN_PATH);
        let href = format!("{}/assets/{id}{ending}", self.base);
        own.insert("href".to_owned(), href.as_str().into());
        self.moved.push((earlier, href));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Assets<'static> {
        Assets { base: "/contentapi".to_owned(), is_here: &|id| id == "here", moved: Vec::new() }
    }

    #[test]
    fn files_of_this_server_have_public_addresses() {
        let mut assets = nowhere();
        let mut renditions = json!({
            "original": {"href": "/api/upload-raw/here.jpg", "media": "here"}, "gone": null,
            "other": {"href": "https://elsewhere/a.jpg", "media": "there"},
        });
        assets.clean(&mut renditions);
        let expected = json!({
            "original": {"href": "/contentapi/assets/here.jpg"}, "other": {"href": "https://elsewhere/a.jpg"},
        });
        assert_eq!(renditions, expected);
        let moved = ("/api/upload-raw/here.jpg".to_owned(), "/contentapi/assets/here.jpg".to_owned());
        assert_eq!(assets.moved, [moved]);
    }

    #[test]
    fn members_of_a_package_have_addresses() {
        let mut members =
            json!({"main": {"guid": "a b"}, "more": {"guid": "c", "type": "composite"}, "none": {}});
        name_members(&mut members, "/contentapi");
        let expected = json!({
            "main": {"guid": "a b", "uri": "/contentapi/items/a%20b"},
            "more": {"guid": "c", "type": "composite", "uri": "/contentapi/packages/c"},
            "none": {},
        });
        assert_eq!(members, expected);
    }

    #[test]
    fn items_inside_are_shown_to_those_who_may_have_them() {
        let item = |subscribers: Value| json!({"guid": "a", "subscribers": subscribers});
        let hidden =
            [item(json!(["t"])), item(json!([])), item(Value::Null), json!({"guid": "a"}), Value::Null];
        for hidden in hidden {
            assert_eq!(
                own_associations(Some(json!({"one": hidden})), "s", &mut nowhere()),
                json!({}),
                "{hidden}"
            );
            let extra = json!({"media": {"type": "media", "items": [hidden]}});
            assert_eq!(own_extra_items(Some(extra), "s", &mut nowhere()), None, "{hidden}");
        }
        let mut own = item(json!(["s", "t"]));
        own["renditions"] = json!({"original": {"href": "h", "media": "m"}, "gone": null});
        let clean = json!({"guid": "a", "renditions": {"original": {"href": "h"}}});
        assert_eq!(own_associations(Some(json!({"one": own})), "s", &mut nowhere()), json!({"one": clean}));
        let extra = json!({"media": {"type": "media", "items": [item(json!(["t"])), own]}});
        assert_eq!(
            own_extra_items(Some(extra), "s", &mut nowhere()),
            Some(json!({"media": {"type": "media", "items": [clean]}}))
        );
        assert_eq!(own_associations(None, "s", &mut nowhere()), json!({}));
    }
}
