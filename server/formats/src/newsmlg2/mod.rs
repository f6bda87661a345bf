//! NewsML-G2 2.18 at conformance level power: a message with one news item or package.
//!
//! Elements stand in the order of the schema, which matters to readers that validate.

mod content;
mod content_meta;
mod item_meta;
mod place;

use crate::context::{Context, translation};
use crate::error::Fault;
use crate::formatter::{Document, Formatter, Varies};
use crate::item::{Item, ItemType};
use crate::time;
use crate::xml::{Element, Layout, Prolog, document};

const NAMESPACE: &str = "http://iptc.org/std/nar/2006-10-01/";
const SCHEMA: &str = "http://iptc.org/std/nar/2006-10-01/ http://www.iptc.org/std/NewsML-G2/2.18/specification/NewsML-G2_2.18-spec-All-Power.xsd";
const CATALOG: &str = "http://www.iptc.org/std/catalog/catalog.IPTC-G2-Standards_25.xml";

/// The format `newsmlg2`.
#[derive(Debug, Clone, Copy)]
pub struct NewsMlG2;

impl Formatter for NewsMlG2 {
    fn id(&self) -> &'static str {
        "newsmlg2"
    }

    fn name(&self) -> &'static str {
        "NewsML G2"
    }

    fn code(&self) -> u16 {
        7006
    }

    fn accepts(&self, kind: ItemType) -> bool {
        kind.is_story() || kind.is_captioned() || kind == ItemType::Composite
    }

    fn varies(&self) -> Varies {
        Varies { by_transmission: true, by_destination: true, ..Varies::default() }
    }

    fn write(&self, item: Item<'_>, context: &Context<'_>) -> Result<Vec<Document>, Fault> {
        let root = Element::new("newsMessage")
            .attr("xmlns", NAMESPACE)
            .attr("xmlns:x", "http://www.w3.org/1999/xhtml")
            .attr("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
            .attr("xsi:schemaLocation", SCHEMA)
            .child(header(item, context))
            .child(Element::new("itemSet").child(news_item(item, context)?));
        let bytes = document(&root, Prolog::UTF8, Layout::Compact)?;
        let content_type = "application/vnd.iptc.g2.newsmessage+xml";
        Ok(vec![Document { bytes, content_type, extension: "xml", sequence: Some(context.sequence) }])
    }
}

fn header(item: Item<'_>, context: &Context<'_>) -> Element {
    Element::new("header")
        .child(Element::leaf("sent", time::seconds(context.now)))
        .child(Element::leaf("sender", &context.site.provider))
        .child(Element::leaf("transmitId", context.sequence.to_string()))
        .child(Element::leaf("priority", item.scalar_or("priority", "5")))
        .child(Element::leaf("origin", item.credit()))
}

fn news_item(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    let is_package = item.kind() == Some(ItemType::Composite);
    let root = Element::new(if is_package { "packageItem" } else { "newsItem" })
        .attr("standard", "NewsML-G2")
        .attr("standardversion", "2.18")
        .attr("guid", item.text("guid"))
        .attr("version", item.version())
        .attr("xml:lang", language_tag(context.site.language_of(item)))
        .attr("conformance", "power")
        .child(Element::new("catalogRef").attr("href", CATALOG))
        .child(item_meta::rights(item, context)?)
        .child(item_meta::item_meta(item)?)
        .child(content_meta::content_meta(item, context)?)
        .extend(content_meta::assertions(item));
    Ok(root.child(if is_package {
        content::group_set(item, context)?
    } else {
        content::content_set(item, context)?
    }))
}

/// A language as XML has it: `en_US` is `en-US` there.
fn language_tag(language: &str) -> String {
    language.replace('_', "-")
}

/// The name of a vocabulary row with the language it is in.
fn name(row: Item<'_>, item: Item<'_>, context: &Context<'_>) -> Element {
    let language = context.site.language_of(item);
    let (text, language) =
        translation(row, "name", language).unwrap_or((row.text("name"), &context.site.language));
    Element::leaf("name", text).attr("xml:lang", language_tag(language))
}
