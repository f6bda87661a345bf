//! Faults in the words that people see.

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::{Candidate, Rules};

/// Labels of fields whose name does not read as one.
const LABELS: [(&str, &str); 14] = [
    ("alt_text", "Alt text"),
    ("anpa_take_key", "Take Key"),
    ("archive_description", "Archive description"),
    ("body_footer", "Body footer"),
    ("body_html", "Body HTML"),
    ("company_codes", "Company Codes"),
    ("copyrightholder", "Copyright holder"),
    ("copyrightnotice", "Copyright notice"),
    ("description_text", "Description"),
    ("ednote", "Ed. Note"),
    ("feature_image", "Feature Image"),
    ("feature_media", "Feature Media"),
    ("ingest_provider", "Ingest Provider"),
    ("media_description", "Media Description"),
];

/// The messages, in the order of the faults.
pub(super) fn messages(rules: &Rules<'_>, candidate: &Candidate<'_>, faults: &Fields) -> Vec<String> {
    let told = faults.iter().filter(|(field, _)| !is_pardoned(candidate, field));
    let messages = told.flat_map(|(field, fault)| match (field.as_str(), fault) {
        ("extra", Value::Object(inside)) => inside.iter().map(|own| of_extra(rules, own)).collect(),
        _ => vec![of_field(rules, field, fault)],
    });
    if !candidate.names_headline {
        return messages.collect();
    }
    let item = Item::from(candidate.item);
    let headline = item.get("headline").or_else(|| item.get("_id")).and_then(Value::as_str);
    messages.map(|message| format!("{}: {message}", headline.unwrap_or_default())).collect()
}

/// A dateline cannot be changed after the item went out; a kill rewrites headline and body.
fn is_pardoned(candidate: &Candidate<'_>, field: &str) -> bool {
    match candidate.act {
        "correct" => field == "dateline",
        "kill" => {
            Item::from(candidate.item).has("profile")
                && matches!(field, "headline" | "abstract" | "body_html")
        }
        _ => false,
    }
}

fn of_field(rules: &Rules<'_>, field: &str, fault: &Value) -> String {
    let upper = |text: &str| text.to_uppercase();
    match fault.as_str() {
        None => required(&upper(label(display_name(rules, field)))),
        Some(text) if text.contains("required field") => required(&upper(label(display_name(rules, field)))),
        Some("min length is 1" | "null value not allowed") => required(&upper(field)),
        Some(text) if text.starts_with("min length is") => format!("{} is too short", upper(label(field))),
        Some(text) if text.starts_with("max length is") => format!("{} is too long", upper(label(field))),
        Some(text) => format!("{} {text}", upper(label(field))),
    }
}

/// A field that is a vocabulary is called by its name, as it is written.
fn of_extra(rules: &Rules<'_>, (field, fault): (&String, &Value)) -> String {
    let name = display_name(rules, field);
    match fault.as_str() {
        Some(text) if !text.contains("required") => format!("{} {text}", label(name)),
        _ => required(name),
    }
}

fn required(label: &str) -> String {
    format!("{label} is a required field")
}

/// What the vocabulary of a field is called; the field where there is none.
fn display_name<'a>(rules: &Rules<'a>, field: &'a str) -> &'a str {
    let name = |id: &str| rules.vocabularies.get(id)?.get("display_name")?.as_str();
    let named = match field {
        "anpa_category" => name("categories"),
        "subject" => {
            let is_subject = |own: &Value| own.get("schema_field").and_then(Value::as_str) == Some("subject");
            let own = rules.vocabularies.iter().find(|(_, vocabulary)| is_subject(vocabulary));
            name(own.map_or("subject", |(id, _)| id))
        }
        other => name(other),
    };
    named.unwrap_or(field)
}

fn label(name: &str) -> &str {
    LABELS.iter().find(|(field, _)| *field == name).map_or(name, |(_, label)| label)
}
