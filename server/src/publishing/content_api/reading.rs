//! Items as subscribers read them.

use axum::extract::State;
use axum::http::Uri;
use dateline_engine::Document;
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::access::Subscriber;
use super::asked::{self, Fields};
use super::store::subscribers_of;
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{ListMeta, PageRequest, Params};
use crate::http::Answer;
use crate::publishing::items;
use crate::resources::target::Id;
use crate::resources::{Query, Sight, answer, list, missing};

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

/// Which items an address lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Items,
    Packages,
    All,
}

impl Kind {
    fn condition(self) -> Option<Value> {
        match self {
            Self::Items => Some(json!({"type": {"$ne": "composite"}})),
            Self::Packages => Some(json!({"type": "composite"})),
            Self::All => None,
        }
    }

    fn is_of(self, item: &Value) -> bool {
        let is_package = item.get("type").and_then(Value::as_str) == Some("composite");
        match self {
            Self::Items => !is_package,
            Self::Packages => is_package,
            Self::All => true,
        }
    }
}

/// `GET /contentapi/items`: items that are no packages.
pub(super) async fn all_items(state: State<App>, who: Subscriber, query: Query, uri: Uri) -> Answer {
    listed(state, who, query, &uri, Kind::Items).await
}

/// `GET /contentapi/packages`.
pub(super) async fn all_packages(state: State<App>, who: Subscriber, query: Query, uri: Uri) -> Answer {
    listed(state, who, query, &uri, Kind::Packages).await
}

/// `GET /contentapi/search`: items and packages.
pub(super) async fn search(state: State<App>, who: Subscriber, query: Query, uri: Uri) -> Answer {
    listed(state, who, query, &uri, Kind::All).await
}

/// `GET /contentapi/items/{id}`.
pub(super) async fn one_item(state: State<App>, who: Subscriber, id: Id, query: Query) -> Answer {
    one(state, who, id, query, Kind::Items).await
}

/// `GET /contentapi/packages/{id}`.
pub(super) async fn one_package(state: State<App>, who: Subscriber, id: Id, query: Query) -> Answer {
    one(state, who, id, query, Kind::Packages).await
}

async fn listed(
    State(app): State<App>,
    Subscriber(subscriber): Subscriber,
    Query(params): Query,
    uri: &Uri,
    kind: Kind,
) -> Answer {
    let today = items::now(app.store()).to_zoned(TimeZone::UTC).date();
    let asked = asked::of_list(&params, today)?;
    let mut conditions = vec![json!({"subscribers": subscriber})];
    conditions.extend(kind.condition());
    conditions.extend(asked.conditions);
    let mut pairs = vec![("where".to_owned(), json!({"$and": conditions}).to_string())];
    let sort = params.get("sort").unwrap_or("-versioncreated");
    pairs.push(("sort".to_owned(), sort.to_owned()));
    for name in ["q", "page", "max_results"] {
        pairs.extend(params.get(name).map(|value| (name.to_owned(), value.to_owned())));
    }
    let page = PageRequest::parse(&params)?;
    let resource = app.resources().get("items")?;
    let used = app.clone();
    let found = app.scan(move |_| -> Result<_, Problem> {
        let selected = list::select(&used, &Sight::whole(), &resource, &Params::new(pairs))?;
        let shown = selected.documents.iter().map(|found| shown(&used, found, &subscriber, &asked.fields));
        Ok((shown.collect::<Result<Vec<_>, Problem>>()?, selected.total, selected.next.is_some()))
    });
    let (shown, total, more) = found.await?;
    let meta = ListMeta::new(&page, total, more);
    let path = uri.path().trim_start_matches("/contentapi/");
    let href = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut answer = Map::new();
    answer.insert("_items".to_owned(), shown.into());
    answer.insert("_links".to_owned(), json!({"self": {"title": path, "href": href}}));
    answer.insert(
        "_meta".to_owned(),
        json!({
            "page": meta.page, "max_results": meta.max_results, "total": meta.total,
        }),
    );
    Ok(answer::json_bytes(Value::Object(answer).to_string().into_bytes()))
}

async fn one(
    State(app): State<App>,
    Subscriber(subscriber): Subscriber,
    Id(id): Id,
    Query(params): Query,
    kind: Kind,
) -> Answer {
    let fields = asked::of_item(&params)?;
    let resource = app.resources().get("items")?;
    let gone = || missing(&resource, &id);
    let document = crate::resources::find(&app, &resource, &id)?.ok_or_else(gone)?;
    let item = items::view(&document)?;
    let is_entitled = subscribers_of(&item).any(|own| own == subscriber);
    if !is_entitled || !kind.is_of(&item) {
        // What somebody may not have does not exist for them.
        return Err(gone().into());
    }
    let shown = shown(&app, &document, &subscriber, &fields)?;
    Ok(answer::json_bytes(shown.to_string().into_bytes()))
}

/// An item as this subscriber sees it.
fn shown(app: &App, document: &Document, subscriber: &str, fields: &Fields) -> Result<Value, Problem> {
    let Value::Object(mut item) = items::view(document)? else {
        return Err(Problem::new(Slug::Corrupt, "stored data is damaged; the log names the place"));
    };
    HIDDEN.iter().for_each(|name| drop(item.shift_remove(*name)));
    let base = app.publishing().settings().public_url.trim_end_matches('/').to_owned();
    let base = if base.is_empty() { "/contentapi".to_owned() } else { base };
    let files = app.media().collections().files;
    let is_here = |id: &str| items::find(app.store(), files, id).is_ok_and(|file| file.is_some());
    let mut assets = Assets { base: base.clone(), is_here: &is_here, moved: Vec::new() };
    let associations = item.shift_remove("associations");
    item.insert("associations".to_owned(), own_associations(associations, subscriber, &mut assets));
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
    let kind =
        if item.get("type").and_then(Value::as_str) == Some("composite") { "packages" } else { "items" };
    let id = utf8_percent_encode(document.id.as_str(), IN_PATH);
    item.insert("uri".to_owned(), format!("{base}/{kind}/{id}").into());
    item.retain(|name, _| fields.shows(name));
    Ok(Value::Object(item))
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
