//! NINJS: one item, a list of them, or an answer with `items` or `_items`.

use super::draft::{Draft, concept, distinct, fields, tag};
use super::{Parser, Reading};
use crate::document::Document;
use crate::error::{Code, IngestError};
use crate::package;
use dateline_formats::{Fields, Item, ItemType};
use serde_json::{Value, json};

/// The format `ninjs`.
pub(super) struct Ninjs;

/// Fields that are taken over as they are.
const COPIED: [&str; 17] = [
    "usageterms",
    "language",
    "headline",
    "copyrightnotice",
    "urgency",
    "mimetype",
    "copyrightholder",
    "ednote",
    "body_text",
    "body_html",
    "slugline",
    "keywords",
    "extra",
    "byline",
    "description_text",
    "profile",
    "order",
];
/// What a rendition may say.
const RENDITION: [&str; 6] = ["href", "width", "height", "mimetype", "poi", "title"];

impl Parser for Ninjs {
    fn key(&self) -> &'static str {
        "ninjs"
    }

    fn label(&self) -> &'static str {
        "NINJS"
    }

    fn can_parse(&self, document: &Document) -> bool {
        let listed = document.json().and_then(listed);
        listed.is_some_and(|all| all.iter().all(|value| Item::of(value).is_some_and(is_item)))
    }

    fn parse(&self, document: &Document, reading: &Reading<'_>) -> Result<Vec<Fields>, IngestError> {
        let listed = document.json().and_then(listed).unwrap_or_default();
        let mut out = Vec::new();
        for item in listed.iter().filter_map(Item::of) {
            let main = one(item, reading)?;
            for (_, associated) in item.entries("associations").filter(|(_, own)| is_whole(*own)) {
                let associated = one(associated, reading)?;
                if !out.iter().any(|before: &Fields| before.get("guid") == associated.get("guid")) {
                    out.push(associated);
                }
            }
            out.push(main);
        }
        Ok(out)
    }
}

fn listed(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(all) => Some(all.clone()),
        Value::Object(answer) => match answer.get("items").or(answer.get("_items")) {
            Some(Value::Array(all)) => Some(all.clone()),
            _ => Some(vec![value.clone()]),
        },
        _ => None,
    }
}

fn is_item(item: Item<'_>) -> bool {
    let has_id = ["guid", "uri"].iter().any(|field| !item.text(field).is_empty());
    has_id && ["type", "headline", "body_html", "version"].iter().any(|field| item.get(field).is_some())
}

/// Whether an association can stand alone.
fn is_whole(item: Item<'_>) -> bool {
    is_item(item)
        && ["headline", "body_html", "renditions", "description_text"].iter().any(|field| item.has(field))
}

fn one(item: Item<'_>, reading: &Reading<'_>) -> Result<Fields, IngestError> {
    let uri = item.text("uri");
    let guid = match item.text("guid") {
        "" if uri.is_empty() => return Err(IngestError::new(Code::NINJS, "an item has no guid")),
        "" => tag(&reading.site.urn_domain, uri),
        guid => guid.to_owned(),
    };
    let kind = item.kind().unwrap_or(ItemType::Text);
    let mut out = Draft::new(kind.as_str(), &guid);
    out.put("uri", if uri.is_empty() { &guid } else { uri });
    out.put("version", item.scalar("version"));
    for field in COPIED {
        out.put(field, item.get(field).cloned().unwrap_or_default());
    }
    out.status(item.text("pubstatus"));
    for field in ["versioncreated", "firstcreated", "firstpublished"] {
        out.time(field, item.text(field));
    }
    out.embargo(item.text("embargoed"));
    out.put("original_source", item.text("source"));
    out.whole("priority", &item.scalar("priority"));
    for (field, source) in [("anpa_category", "service"), ("subject", "subject"), ("genre", "genre")] {
        out.put(field, distinct(item.objects(source).filter_map(coded)));
    }
    out.put("place", distinct(item.objects("place").filter_map(place)));
    out.put("company_codes", distinct(item.objects("organisation").flat_map(companies)));
    out.put("authors", distinct(item.objects("authors").map(author)));
    texts(item, kind, &mut out);
    out.dateline("", fields([("city", item.text("located").to_owned())]));
    out.put("renditions", renditions(item));
    if kind == ItemType::Composite {
        let members: Vec<&str> = item
            .entries("associations")
            .map(|(_, member)| member.text("guid"))
            .filter(|guid| !guid.is_empty())
            .collect();
        out.put("groups", package::groups(&members));
    } else {
        out.put("associations", associations(item, reading)?);
    }
    Ok(out.finish())
}

fn associations(item: Item<'_>, reading: &Reading<'_>) -> Result<Fields, IngestError> {
    let mut out = Fields::new();
    for (key, associated) in item.entries("associations").filter(|(_, own)| is_item(*own)) {
        let mut associated = one(associated, reading)?;
        associated.shift_remove("associations");
        out.insert(key.to_owned(), associated.into());
    }
    Ok(out)
}

fn texts(item: Item<'_>, kind: ItemType, out: &mut Draft) {
    let described = match item.text("description_html") {
        "" => item.text("description_text"),
        html => html,
    };
    if matches!(kind, ItemType::Text | ItemType::Preformatted) {
        out.put("abstract", described);
    }
    if !out.has("body_html") {
        out.put("body_html", item.text("body_xhtml"));
    }
    if kind == ItemType::Picture {
        out.put("alt_text", item.text("body_text"));
    }
}

fn coded(found: Item<'_>) -> Option<Value> {
    let code = if found.has("code") { found.scalar("code") } else { found.scalar("qcode") };
    concept(&code, found.text("name"), found.text("scheme"))
}

fn place(found: Item<'_>) -> Option<Value> {
    let mut out = coded(found)?;
    let fields = out.as_object_mut()?;
    for field in ["state", "state_code", "country", "country_code", "world_region"] {
        if found.has(field) {
            fields.insert(field.to_owned(), found.scalar(field).into());
        }
    }
    Some(out)
}

fn companies(found: Item<'_>) -> Vec<Value> {
    let symbols = found.objects("symbols").filter(|symbol| symbol.has("ticker"));
    let company = |symbol: Item<'_>| {
        json!({
            "qcode": symbol.scalar("ticker"), "name": found.text("name"), "security_exchange": symbol.text("exchange"),
        })
    };
    symbols.map(company).collect()
}

fn author(found: Item<'_>) -> Value {
    let entries = ["uri", "name", "role", "biography", "jobtitle", "avatar_url"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), found.get(field)?.clone())));
    Value::Object(entries.collect())
}

fn renditions(item: Item<'_>) -> Fields {
    let each = item.entries("renditions").filter(|(_, rendition)| rendition.has("href"));
    let kept = each.map(|(name, rendition)| {
        let kept =
            RENDITION.into_iter().filter_map(|field| Some((field.to_owned(), rendition.get(field)?.clone())));
        (name.to_owned(), Value::Object(kept.collect()))
    });
    kept.collect()
}
