//! Content profiles: what items of a kind have.

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::Rules;
use crate::action::Refusal;

/// Fields that a profile can switch off; what else an item has, no profile decides.
pub(crate) const DEFAULT_FIELDS: [&str; 22] = [
    "slugline",
    "genre",
    "anpa_take_key",
    "place",
    "priority",
    "anpa_category",
    "subject",
    "company_codes",
    "ednote",
    "authors",
    "headline",
    "sms",
    "abstract",
    "byline",
    "dateline",
    "body_html",
    "footer",
    "body_footer",
    "sign_off",
    "feature_media",
    "media_description",
    "attachments",
];

/// Fields that stay, whatever the profile says.
const KEPT: [&str; 8] =
    ["language", "embargoed", "attachments", "refs", "place", "organisation", "person", "authors"];

/// The item as formats see it: without fields that its profile has switched off, which have no rule there or a null one,
/// and without renditions that are null.
/// Without a profile, only the latter.
#[must_use]
pub fn filter_document(rules: &Rules<'_>, item: &Fields) -> Fields {
    let profile = item.get("profile").and_then(Value::as_str).and_then(|id| rules.profiles.get(id));
    let schema = profile.and_then(|profile| profile.get("schema")).and_then(Value::as_object);
    let is_enabled = |field: &str| {
        let is_decided = DEFAULT_FIELDS.contains(&field) && !KEPT.contains(&field);
        !is_decided || schema.is_none_or(|schema| Item::from(schema).get(field).is_some())
    };
    let kept = item.iter().filter(|(field, _)| is_enabled(field));
    let mut kept: Fields = kept.map(|(field, value)| (field.clone(), value.clone())).collect();
    if let Some(renditions) = kept.get_mut("renditions").and_then(Value::as_object_mut) {
        renditions.retain(|_, rendition| !rendition.is_null());
    }
    kept
}

/// Checks a profile before it is saved under `id`.
///
/// # Errors
/// 400 when it is for a type, other than text, that has another profile already.
pub fn check_profile(rules: &Rules<'_>, id: &str, profile: &Value) -> Result<(), Refusal> {
    let kind = |profile: &Value| profile.get("item_type").and_then(Value::as_str).map(str::to_owned);
    let own = kind(profile).filter(|kind| kind != "text");
    let is_other = |(other, taken): (&String, &Value)| other != id && kind(taken) == own;
    if own.is_some() && rules.profiles.iter().any(is_other) {
        return Err(Refusal::bad_request("Only 1 instance is allowed."));
    }
    Ok(())
}

/// Whether an association is an item that goes its own way, such as `related--2`, and no part of this one.
pub(crate) fn is_related_content(rules: &Rules<'_>, association: &str) -> bool {
    let field = association.split("--").next().unwrap_or(association);
    let vocabulary = rules.vocabularies.get(field);
    let field_type = vocabulary.and_then(|own| own.get("field_type")).and_then(Value::as_str);
    field_type == Some("related_content")
}
