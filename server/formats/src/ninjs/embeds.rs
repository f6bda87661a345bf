//! Media inside a body: blocks between comments `EMBED START Image {id: "editor_0"}` and `EMBED END ...`.

use crate::error::Fault;
use crate::html::{escape, escape_attribute as attribute};
use crate::item::{Fields, Item};
use crate::limits::EMBEDS_MAX;
use serde_json::Value;
use std::collections::BTreeSet;

const START: &str = "<!-- EMBED START ";
const COMMENT_END: &str = "-->";

/// Removes the embeds that the subscriber may not have from associations and body.
pub(super) fn drop_others(out: &mut Fields, allowed: &BTreeSet<String>) -> Result<(), Fault> {
    let is_dropped = |key: &str| key.starts_with("editor_") && !allowed.contains(key);
    if let Some(Value::Object(associations)) = out.get_mut("associations") {
        associations.retain(|key, _| !is_dropped(key));
    }
    replace(out, |_, id, _| is_dropped(id).then(String::new))
}

/// Writes each embed anew from its association.
pub(super) fn render(out: &mut Fields) -> Result<(), Fault> {
    replace(out, |document, id, block| {
        let association = document.object("associations")?.object(id)?;
        Some(format!("{}{}{}", block.start, figure(id, association)?, block.end))
    })
}

/// An embed as it stands in the body: its opening and closing comment.
struct Block<'a> {
    start: &'a str,
    end: &'a str,
}

/// Replaces whole blocks of the body, comments included, by what is made of the document, an id and its block. A block for
/// which there is nothing new stays as it is.
fn replace(
    out: &mut Fields,
    new: impl Fn(Item<'_>, &str, &Block<'_>) -> Option<String>,
) -> Result<(), Fault> {
    let Some(Value::String(body)) = out.get("body_html") else { return Ok(()) };
    let document = Item::from(&*out);
    let mut made = String::with_capacity(body.len());
    let mut rest = body.as_str();
    let mut count = 0;
    while let Some(at) = rest.find(START) {
        // Each search for an end may read the whole rest, so their number is bounded.
        count += 1;
        if count > EMBEDS_MAX {
            return Err(Fault::too_large(
                "body_html",
                format!("must not have more than {EMBEDS_MAX} embeds"),
            ));
        }
        let (before, found) = rest.split_at(at);
        made.push_str(before);
        let Some((whole, block, id)) = block(found) else {
            made.push_str(START);
            rest = found.get(START.len()..).unwrap_or_default();
            continue;
        };
        match new(document, id, &block) {
            Some(text) => made.push_str(&text),
            None => made.push_str(whole),
        }
        rest = found.get(whole.len()..).unwrap_or_default();
    }
    made.push_str(rest);
    out.insert("body_html".to_owned(), made.into());
    Ok(())
}

/// The block at the beginning of a text: all of it, its comments and its id.
fn block(text: &str) -> Option<(&str, Block<'_>, &str)> {
    let start = text.get(..text.find(COMMENT_END)? + COMMENT_END.len())?;
    let id = start.split_once("{id: \"")?.1.split('"').next()?;
    let end = start.replacen("START", "END", 1);
    let from = text.find(end.as_str())?;
    let whole = text.get(..from + end.len())?;
    Some((whole, Block { start, end: whole.get(from..)? }, id))
}

/// The markup of a medium; none where there is no file to show.
fn figure(id: &str, association: Item<'_>) -> Option<String> {
    let files: Vec<(&str, u64)> = association
        .entries("renditions")
        .map(|(_, rendition)| {
            (rendition.text("href"), rendition.get("width").and_then(Value::as_u64).unwrap_or(0))
        })
        .filter(|(href, _)| !href.is_empty())
        .collect();
    let (largest, _) = files.iter().max_by_key(|(_, width)| *width)?;
    let source = attribute(largest);
    let id = attribute(id);
    let caption = association.text("description_text");
    let medium = match association.text("type") {
        kind @ ("video" | "audio") => {
            let title = attribute(association.text("headline"));
            format!("<{kind} controls src=\"{source}\" title=\"{title}\" id=\"{id}\"></{kind}>")
        }
        _ => {
            let sizes: Vec<String> = files
                .iter()
                .filter(|(_, width)| *width > 0)
                .map(|(href, width)| format!("{} {width}w", attribute(href)))
                .collect();
            let alt = attribute(association.text("body_text"));
            let sizes = sizes.join(",");
            format!("<img src=\"{source}\" srcset=\"{sizes}\" sizes=\"80vw\" alt=\"{alt}\" id=\"{id}\"/>")
        }
    };
    Some(format!("<figure>{medium}<figcaption>{}</figcaption></figure>", escape(caption)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FaultKind;
    use serde_json::json;

    fn story(body: &str) -> Fields {
        let item = json!({
            "body_html": body,
            "associations": {
                "editor_0": {"type": "picture", "body_text": "a \"b\"", "description_text": "<c>",
                    "renditions": {"640": {"href": "a.jpg", "width": 640}, "1280": {"href": "b.jpg", "width": 1280}}},
                "editor_1": {"type": "video", "headline": "v", "renditions": {"original": {"href": "v.mp4"}}},
            },
        });
        item.as_object().unwrap().clone()
    }

    const IMAGE: &str =
        "<!-- EMBED START Image {id: \"editor_0\"} -->old<!-- EMBED END Image {id: \"editor_0\"} -->";

    #[test]
    fn embeds_are_written_anew() {
        let mut out = story(&format!("<p>x</p>{IMAGE}<p>y</p>"));
        render(&mut out).unwrap();
        assert_eq!(
            out["body_html"],
            "<p>x</p><!-- EMBED START Image {id: \"editor_0\"} --><figure><img src=\"b.jpg\" srcset=\"a.jpg 640w,b.jpg \
             1280w\" sizes=\"80vw\" alt=\"a &quot;b&quot;\" id=\"editor_0\"/><figcaption>&lt;c&gt;</figcaption></figure>\
             <!-- EMBED END Image {id: \"editor_0\"} --><p>y</p>"
        );
    }

    #[test]
    fn embeds_of_others_are_dropped() {
        let mut out = story(&format!("<p>x</p>{IMAGE}<p>y</p>"));
        drop_others(&mut out, &["editor_1".to_owned()].into()).unwrap();
        assert_eq!(out["body_html"], "<p>x</p><p>y</p>");
        assert_eq!(out["associations"].as_object().unwrap().keys().collect::<Vec<_>>(), ["editor_1"]);
    }

    #[test]
    fn embeds_without_an_association_are_dropped_too() {
        let mut out = json!({ "body_html": format!("<p>x</p>{IMAGE}<p>y</p>") }).as_object().unwrap().clone();
        drop_others(&mut out, &BTreeSet::new()).unwrap();
        assert_eq!(out["body_html"], "<p>x</p><p>y</p>");
    }

    #[test]
    fn embeds_beyond_the_bound_are_refused() {
        let mut out = story(&IMAGE.repeat(EMBEDS_MAX));
        drop_others(&mut out, &BTreeSet::new()).unwrap();
        assert_eq!(out["body_html"], "");
        let mut out = story(&IMAGE.repeat(EMBEDS_MAX + 1));
        let fault = drop_others(&mut out, &BTreeSet::new()).unwrap_err();
        assert_eq!((fault.field.as_str(), fault.kind), ("body_html", FaultKind::TooLarge));
    }

    #[test]
    fn broken_blocks_stay() {
        for body in [
            "<!-- EMBED START Image",
            "<!-- EMBED START Image {id: \"editor_0\"} -->x",
            "<!-- EMBED START -->",
        ] {
            let mut out = story(body);
            render(&mut out).unwrap();
            assert_eq!(out["body_html"], body);
        }
    }
}
