//! Other items inside: members of packages, pictures and embeds of stories, related content, attachments.

use super::Ninjs;
use super::document::{self, Depth};
use crate::context::Context;
use crate::error::Fault;
use crate::item::{Fields, Item, ItemType};
use crate::package;
use crate::renditions::positive;
use serde_json::{Value, json};

/// Adds `associations`, and `extra_items` for fields of the profile that hold items.
pub(super) fn add(
    variant: Ninjs,
    item: Item<'_>,
    context: &Context<'_>,
    out: &mut Fields,
) -> Result<(), Fault> {
    let mut found = Fields::new();
    if item.kind() == Some(ItemType::Composite) {
        members(variant, item, context, &mut found)?;
    }
    let is_named = item.has("associations") || !found.is_empty();
    let mut extra_items = Fields::new();
    for (key, association) in ordered(item) {
        let (name, formatted) = associated(variant, key, association, context)?;
        let field = key.split("--").next().unwrap_or(key);
        let kind = field_type(item, field, context);
        if !kind.is_empty() {
            list_under_field(&mut extra_items, field, kind, &formatted);
        }
        found.insert(name, formatted.into());
    }
    if is_named {
        out.insert("associations".to_owned(), found.into());
    }
    if !extra_items.is_empty() {
        for field in extra_items.values_mut() {
            sort_items(field);
        }
        out.insert("extra_items".to_owned(), extra_items.into());
    }
    Ok(())
}

/// By `order`, where 1 is usual; those of the same order as sent.
fn ordered(item: Item<'_>) -> Vec<(&str, Item<'_>)> {
    let mut entries: Vec<_> = item.entries("associations").collect();
    entries.sort_by_key(|(_, association)| order(*association, 1));
    entries
}

fn order(association: Item<'_>, usual: i64) -> i64 {
    association.get("order").and_then(Value::as_i64).unwrap_or(usual)
}

/// `media`, `related_content`, or empty for all other fields.
fn field_type<'a>(item: Item<'_>, field: &str, context: &Context<'a>) -> &'a str {
    match context.site.profile_field_type(item.text("profile"), field) {
        kind @ ("media" | "related_content") => kind,
        _ => "",
    }
}

fn list_under_field(extra_items: &mut Fields, field: &str, kind: &str, formatted: &Fields) {
    let entry = extra_items.entry(field).or_insert_with(|| json!({"type": kind, "items": []}));
    if let Some(items) = entry.get_mut("items").and_then(Value::as_array_mut) {
        items.push(formatted.clone().into());
    }
}

fn sort_items(field: &mut Value) {
    let usual = if field["type"] == "related_content" { 1 } else { 0 };
    if let Some(items) = field.get_mut("items").and_then(Value::as_array_mut) {
        items.sort_by_key(|item| Item::of(item).map_or(usual, |item| order(item, usual)));
    }
}

/// One association and the key it is sent under.
fn associated(
    variant: Ninjs,
    key: &str,
    association: Item<'_>,
    context: &Context<'_>,
) -> Result<(String, Fields), Fault> {
    let (field, number) = key.split_once("--").unwrap_or((key, ""));
    let is_related = !number.is_empty() && context.site.is_field_of(field, "related_content");
    let id = association.first_text(["_id", "guid"]);
    // Related content stands in the item as a reference only; its own current version is what is sent.
    let current = (is_related && !association.has("_type")).then(|| context.related.items.get(id)).flatten();
    let source = current.and_then(Item::of).unwrap_or(association);
    let mut formatted =
        document::of(variant, source, context, Depth::Associated).map_err(|fault| within(key, fault))?;
    if current.is_some() {
        document::copy(association, "order", &mut formatted);
    }
    without_points(&mut formatted);
    let name = match association.get("order").and_then(Value::as_i64) {
        Some(order) if !number.is_empty() => format!("{field}--{order}"),
        _ => key.to_owned(),
    };
    Ok((name, formatted))
}

fn within(key: &str, fault: Fault) -> Fault {
    Fault { field: format!("associations.{key}.{}", fault.field), ..fault }
}

/// Points of interest are those of the original.
fn without_points(formatted: &mut Fields) {
    let Some(Value::Object(renditions)) = formatted.get_mut("renditions") else { return };
    for (name, rendition) in renditions.iter_mut() {
        if let (false, Some(fields)) = (name == "original", rendition.as_object_mut()) {
            fields.shift_remove("poi");
        }
    }
}

/// Members of a package's groups: one stands under the group's id, more under the id and their number.
fn members(variant: Ninjs, item: Item<'_>, context: &Context<'_>, out: &mut Fields) -> Result<(), Fault> {
    for group in package::groups(item).filter(|group| !group.is_root()) {
        let mut found = Vec::new();
        for reference in group.references() {
            let kind = if reference.fields.has("type") { reference.fields.text("type") } else { "text" };
            let mut member = Fields::new();
            member.insert("guid".to_owned(), reference.id.into());
            member.insert("type".to_owned(), kind.into());
            if let Some(embedded) = reference.fields.object("package_item") {
                let formatted = document::of(variant, embedded, context, Depth::Associated)
                    .map_err(|fault| within(group.id(), fault))?;
                member.extend(formatted);
            }
            if reference.fields.has("label") {
                member.insert("label".to_owned(), reference.fields.text("label").into());
            }
            found.push(member);
        }
        let is_single = found.len() == 1;
        for (number, member) in found.into_iter().enumerate() {
            let name = if is_single { group.id().to_owned() } else { format!("{}-{number}", group.id()) };
            out.insert(name, member.into());
        }
    }
    Ok(())
}

/// Files to download with the item; internal ones stay in the house.
pub(super) fn attachments(item: Item<'_>, context: &Context<'_>) -> Vec<Value> {
    let found = item.objects("attachments").filter_map(|entry| {
        let id = entry.scalar("attachment");
        let stored = context.related.attachments.get(&id).and_then(Item::of);
        let file =
            stored.or_else(|| entry.object("attachment")).or_else(|| entry.has("media").then_some(entry))?;
        if file.has("internal") {
            return None;
        }
        let mut out = Fields::new();
        out.insert("id".to_owned(), if id.is_empty() { file.scalar("_id") } else { id }.into());
        for field in ["title", "description", "filename", "mimetype"] {
            out.insert(field.to_owned(), file.text(field).into());
        }
        out.insert("length".to_owned(), positive(Some(file), "length").into());
        let media = file.scalar("media");
        let href =
            if file.has("href") { file.text("href").to_owned() } else { context.site.asset_url(&media) };
        out.insert("media".to_owned(), media.into());
        out.insert("href".to_owned(), href.into());
        out.retain(|_, value| crate::item::is_truthy(value));
        Some(Value::Object(out))
    });
    found.collect()
}
