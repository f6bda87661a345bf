//! Which renditions are told to whom.

use super::Ninjs;
use crate::context::Site;
use crate::item::{Fields, Item, ItemType};
use crate::renditions::{crop_names, outward, positive};
use serde_json::Value;

/// None when the item has no file at all.
pub(super) fn of(variant: Ninjs, item: Item<'_>, site: &Site) -> Option<Fields> {
    if !item.has("renditions") {
        return external(item);
    }
    let crops = crop_names(site);
    let is_told = |name: &str| match (item.kind(), variant) {
        (Some(ItemType::Picture), Ninjs::Newsroom) => {
            matches!(name, "original" | "viewImage" | "baseImage") || crops.contains(name)
        }
        (Some(ItemType::Picture), _) => {
            name == "original"
                || site.common_renditions.iter().any(|common| common == name)
                || crops.contains(name)
        }
        _ => true,
    };
    let told = item.entries("renditions").filter(|(name, _)| is_told(name));
    Some(told.map(|(name, rendition)| (name.to_owned(), outward(rendition).into())).collect())
}

/// A medium that stands elsewhere on the web.
fn external(item: Item<'_>) -> Option<Fields> {
    if !item.has("url") {
        return None;
    }
    let mut original = Fields::new();
    original.insert("href".to_owned(), item.text("url").into());
    if item.has("duration") {
        super::document::copy(item, "duration", &mut original);
    }
    for field in ["width", "height", "size"] {
        if let Some(number) = positive(Some(item), field) {
            original.insert(field.to_owned(), number.into());
        }
    }
    let media_type = item.first_text(["mimeType", "mimetype"]);
    if !media_type.is_empty() {
        original.insert("mimetype".to_owned(), media_type.into());
    }
    let mut out = Fields::new();
    out.insert("original".to_owned(), original.into());
    let thumbnail = match item.get("thumbnail") {
        Some(Value::String(href)) => href.as_str(),
        Some(value) => Item::of(value).map(|rendition| rendition.text("href")).unwrap_or_default(),
        None => "",
    };
    if !thumbnail.is_empty() {
        out.insert("thumbnail".to_owned(), serde_json::json!({ "href": thumbnail }));
    }
    Some(out)
}
