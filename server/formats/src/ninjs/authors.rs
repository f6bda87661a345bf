//! Who wrote, with what their account says about them.

use crate::context::{Site, translated};
use crate::item::{Fields, Item};
use serde_json::{Value, json};

pub(super) fn of(item: Item<'_>, site: &Site) -> Vec<Value> {
    let language = site.language_of(item);
    item.objects("authors").map(|author| Value::Object(one(author, site, language))).collect()
}

fn one(author: Item<'_>, site: &Site, language: &str) -> Fields {
    let shown = author.first_text(["sub_label", "name"]);
    let mut out = Fields::new();
    let Some((id, user)) = site.user(author.text("parent"), shown) else {
        out.insert("code".to_owned(), shown.into());
        for field in ["name", "role", "biography"] {
            out.insert(field.to_owned(), author.text(field).into());
        }
        return out;
    };
    out.insert("code".to_owned(), id.into());
    out.insert("name".to_owned(), user.text("display_name").into());
    out.insert("role".to_owned(), author.text("role").into());
    out.insert("biography".to_owned(), user.text("biography").into());
    out.insert("uri".to_owned(), format!("urn:{}:user:{id}", site.urn_domain).into());
    for (field, source) in [
        ("facebook", "facebook"),
        ("twitter", "twitter"),
        ("instagram", "instagram"),
        ("avatar_url", "picture_url"),
    ] {
        if user.has(source) {
            out.insert(field.to_owned(), user.text(source).into());
        }
    }
    let title = user.scalar("job_title");
    if !title.is_empty() {
        let row = site.unique_row("job_titles", &title);
        let name = row.map_or(title.as_str(), |row| translated(row, "name", language));
        out.insert("jobtitle".to_owned(), json!({"qcode": title, "name": name}));
    }
    out
}
