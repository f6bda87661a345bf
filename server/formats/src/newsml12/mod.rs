//! NewsML 1.2: envelope, management, one main component with lines, rights and metadata, and the content in it.
//!
//! The element order is that of the DTD. There is no namespace; the document type names the provider's DTD, which nobody
//! needs to fetch.

mod content;
mod management;
mod metadata;

use crate::context::Context;
use crate::error::Fault;
use crate::formatter::{Document, Formatter, Varies};
use crate::item::{Item, ItemType};
use crate::xml::{Element, Layout, Prolog, document};

const PROLOG: Prolog = Prolog {
    encoding: false,
    doctype: Some("NewsML SYSTEM \"http://www.provider.com/dtd/NewsML_1.2.dtd\""),
    instruction: None,
};
const CATALOG: &str = "http://www.iptc.org/std/catalog/catalog.IptcMasterCatalog.xml";

/// The format `newsml12`.
#[derive(Debug, Clone, Copy)]
pub struct NewsMl12;

impl Formatter for NewsMl12 {
    fn id(&self) -> &'static str {
        "newsml12"
    }

    fn name(&self) -> &'static str {
        "NewsML 1.2"
    }

    fn code(&self) -> u16 {
        7005
    }

    fn accepts(&self, kind: ItemType) -> bool {
        kind.is_story() || kind.is_captioned() || kind == ItemType::Composite
    }

    fn varies(&self) -> Varies {
        Varies { by_transmission: true, by_destination: true, ..Varies::default() }
    }

    fn write(&self, item: Item<'_>, context: &Context<'_>) -> Result<Vec<Document>, Fault> {
        let news_item = Element::new("NewsItem")
            .child(management::identification(item, context)?)
            .child(management::management(item)?)
            .child(Element::new("NewsComponent").child(main_component(item, context)?));
        let root = Element::new("NewsML")
            .child(Element::new("Catalog").attr("Href", CATALOG))
            .child(management::envelope(item, context))
            .child(news_item);
        let bytes = document(&root, PROLOG, Layout::Compact)?;
        let sequence = Some(context.sequence);
        Ok(vec![Document { bytes, content_type: "application/xml", extension: "xml", sequence }])
    }
}

fn main_component(item: Item<'_>, context: &Context<'_>) -> Result<Element, Fault> {
    let mut component = Element::new("NewsComponent")
        .child(formal("Role", "Main"))
        .child(metadata::lines(item)?)
        .child(metadata::rights(item, context)?)
        .child(metadata::descriptive(item))
        .extend(metadata::companies(item));
    match item.kind() {
        Some(ItemType::Composite) => component.push(content::package(item)),
        Some(kind) if kind.is_captioned() => component.push(content::media(item, kind)),
        _ => {
            component.push(content::summary(item)?);
            component.push(content::story(item, context)?);
        }
    }
    Ok(component)
}

/// An element that says everything by its formal name.
fn formal(name: &'static str, value: impl AsRef<str>) -> Element {
    Element::new(name).attr("FormalName", value)
}

fn property(name: &str, value: impl AsRef<str>) -> Element {
    formal("Property", name).attr("Value", value)
}
