//! The mapping of an item's fields. Keys whose source is empty are absent.

use super::{Ninjs, associations, authors, concepts, places, renditions};
use crate::body;
use crate::chars::{count_words, reading_minutes};
use crate::context::Context;
use crate::error::Fault;
use crate::html::{Markup, escape, plain};
use crate::item::{Fields, Item, ItemType, is_truthy};
use crate::time;
use serde_json::{Value, json};

/// Whether associations are written too. Those of associations are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Whole,
    Associated,
}

/// Fields that are copied when they are not null, in the order of output.
const COPIED: [&str; 22] = [
    "versioncreated",
    "usageterms",
    "language",
    "headline",
    "copyrightnotice",
    "urgency",
    "pubstatus",
    "mimetype",
    "copyrightholder",
    "ednote",
    "body_text",
    "body_html",
    "slugline",
    "keywords",
    "firstcreated",
    "firstpublished",
    "source",
    "extra",
    "annotations",
    "rewrite_sequence",
    "rewrite_of",
    "name",
];

pub(super) fn of(
    variant: Ninjs,
    item: Item<'_>,
    context: &Context<'_>,
    depth: Depth,
) -> Result<Fields, Fault> {
    let mut out = Fields::new();
    identity(variant, item, &mut out);
    copied(variant, item, &mut out)?;
    texts(item, &mut out)?;
    put_list(&mut out, "place", places::of(item, context.site));
    if item.has("profile") {
        out.insert("profile".to_owned(), context.site.profile_name(item.text("profile")).into());
    }
    if depth == Depth::Whole {
        associations::add(variant, item, context, &mut out)?;
    }
    management(item, &mut out)?;
    for (field, source) in [("subject", "subject"), ("service", "anpa_category"), ("genre", "genre")] {
        if item.has(source) {
            put_list(&mut out, field, concepts::of(item, source, context.site));
        }
    }
    if let Some(found) = renditions::of(variant, item, context.site) {
        out.insert("renditions".to_owned(), found.into());
    }
    copy(item, "order", &mut out);
    put_list(&mut out, "organisation", concepts::organisations(item));
    if item.has("rewrite_of") {
        out.insert("evolvedfrom".to_owned(), item.text("rewrite_of").into());
    }
    rights(item, context, &mut out);
    put_list(&mut out, "signal", concepts::signals(item));
    put_list(&mut out, "attachments", associations::attachments(item, context));
    counts(item, context, &mut out)?;
    put_list(&mut out, "authors", authors::of(item, context.site));
    Ok(out)
}

fn identity(variant: Ninjs, item: Item<'_>, out: &mut Fields) {
    let version = match variant {
        Ninjs::Second => item.scalar_or("correction_sequence", "1"),
        _ => item.version(),
    };
    out.insert("guid".to_owned(), item.first_scalar(["guid", "uri"]).into());
    out.insert("version".to_owned(), version.into());
    let kind = match item.kind() {
        Some(ItemType::Preformatted) => "text",
        _ => item.text("type"),
    };
    if !kind.is_empty() {
        out.insert("type".to_owned(), kind.into());
    }
    if item.has("byline") {
        out.insert("byline".to_owned(), item.text("byline").into());
    }
    if let Some(located) = item.located() {
        out.insert("located".to_owned(), located.text("city").into());
    }
}

fn copied(variant: Ninjs, item: Item<'_>, out: &mut Fields) -> Result<(), Fault> {
    for field in COPIED {
        let Some(value) = item.get(field) else { continue };
        let value = match field {
            "rewrite_sequence" | "rewrite_of" if variant != Ninjs::Second => continue,
            // Events are called by a name that no other item has.
            "name" if item.kind() != Some(ItemType::Event) => continue,
            "versioncreated" | "firstcreated" | "firstpublished" => match item.date(field)? {
                Some(at) => time::wire(at).into(),
                None => continue,
            },
            "extra" => extra(value),
            _ => value.clone(),
        };
        out.insert(field.to_owned(), value);
    }
    if item.has("alt_text") && !item.has("body_text") {
        out.insert("body_text".to_owned(), item.text("alt_text").into());
    }
    if item.has("title") {
        out.insert("headline".to_owned(), item.text("title").into());
    }
    Ok(())
}

/// Embeds always have a description.
fn extra(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        for embed in
            fields.values_mut().filter_map(Value::as_object_mut).filter(|field| field.contains_key("embed"))
        {
            embed.entry("description").or_insert_with(|| "".into());
        }
    }
    value
}

fn texts(item: Item<'_>, out: &mut Fields) -> Result<(), Fault> {
    if item.get("body_html").is_some() && item.kind().is_some_and(ItemType::is_story) {
        out.insert("body_html".to_owned(), body::with_footer(item)?.into());
    }
    let mut describe = |html: String, text: String| {
        out.insert("description_html".to_owned(), html.into());
        out.insert("description_text".to_owned(), text.into());
    };
    if item.has("abstract") {
        let html = item.text("abstract");
        describe(html.to_owned(), plain("abstract", html)?);
    } else if item.has("description_text") {
        let text = item.text("description_text");
        let html = item.text("description_html");
        let html = if html.is_empty() { format!("<p>{}</p>", escape(text)) } else { html.to_owned() };
        describe(html, text.to_owned());
    } else if item.has("description") {
        let html = body::append_footer(item, item.text("description").to_owned())?;
        out.insert("description_html".to_owned(), html.into());
    } else if item.fields().contains_key("abstract") {
        describe(String::new(), String::new());
    }
    Ok(())
}

fn management(item: Item<'_>, out: &mut Fields) -> Result<(), Fault> {
    let embargoed = match item.embargo()? {
        Some(embargo) => Some(embargo),
        None => item.date("embargoed")?,
    };
    if let Some(embargoed) = embargoed {
        out.insert("embargoed".to_owned(), time::iso(embargoed).into());
    }
    let priority = item.get("priority").filter(|priority| is_truthy(priority));
    out.insert("priority".to_owned(), priority.cloned().unwrap_or_else(|| 5.into()));
    let schedule = item.object("schedule_settings");
    if let Some(at) = schedule.map(|settings| settings.date("utc_publish_schedule")).transpose()?.flatten() {
        out.insert("publish_schedule".to_owned(), time::wire(at).into());
    }
    Ok(())
}

fn rights(item: Item<'_>, context: &Context<'_>, out: &mut Fields) {
    if ["copyrightholder", "copyrightnotice", "usageterms"].iter().any(|field| item.has(field)) {
        return;
    }
    let rights = context.site.rights(item);
    let named = [
        ("copyrightholder", rights.holder),
        ("copyrightnotice", rights.notice),
        ("usageterms", rights.terms),
    ];
    for (field, text) in named {
        if !text.is_empty() {
            out.insert(field.to_owned(), text.into());
        }
    }
}

/// Characters, words and minutes of the body as it is sent.
fn counts(item: Item<'_>, context: &Context<'_>, out: &mut Fields) -> Result<(), Fault> {
    if item.kind() != Some(ItemType::Text) {
        return Ok(());
    }
    let html = Item::from(&*out).first_text(["body_html", "body_text"]);
    if html.is_empty() {
        return Ok(());
    }
    let markup = Markup::parse("body_html", html)?;
    let lines = markup.lines();
    let site = context.site;
    let minutes = reading_minutes(&lines, site.language_of(item), site.japanese_characters_per_minute);
    out.insert("charcount".to_owned(), json!(markup.text().chars().count()));
    out.insert("wordcount".to_owned(), json!(count_words(&lines)));
    out.insert("readtime".to_owned(), json!(minutes));
    Ok(())
}

pub(super) fn copy(item: Item<'_>, field: &str, out: &mut Fields) {
    if let Some(value) = item.get(field) {
        out.insert(field.to_owned(), value.clone());
    }
}

fn put_list(out: &mut Fields, field: &str, list: Vec<Value>) {
    if !list.is_empty() {
        out.insert(field.to_owned(), list.into());
    }
}
