//! NITF 3.6: stories as newspapers' systems read them.
//!
//! Without a namespace, as its readers expect; the site may ask for namespace and schema. By default paragraphs are plain
//! text; a destination with `body_markup: "enriched"` gets inline markup, tables and lists.

use crate::body::{self, Style, plain_paragraphs};
use crate::chars::xml_legal;
use crate::context::Context;
use crate::error::Fault;
use crate::formatter::{Document, Formatter, Varies};
use crate::html::{Markup, plain};
use crate::item::{Item, ItemType, scalar};
use crate::time;
use crate::xml::{Element, Layout, Prolog, document};

const NAMESPACE: &str = "http://iptc.org/std/NITF/2006-10-18/";
const SCHEMA: &str =
    "http://iptc.org/std/NITF/2006-10-18/ http://www.iptc.org/std/NITF/3.6/specification/nitf-3-6.xsd";

/// The format `nitf`.
#[derive(Debug, Clone, Copy)]
pub struct Nitf;

impl Formatter for Nitf {
    fn id(&self) -> &'static str {
        "nitf"
    }

    fn name(&self) -> &'static str {
        "NITF"
    }

    fn code(&self) -> u16 {
        7001
    }

    fn accepts(&self, kind: ItemType) -> bool {
        kind.is_story() || kind == ItemType::Composite
    }

    fn varies(&self) -> Varies {
        Varies { by_destination: true, ..Varies::default() }
    }

    fn write(&self, item: Item<'_>, context: &Context<'_>) -> Result<Vec<Document>, Fault> {
        let mut root = nitf(item, style(context))?;
        if context.site.names_nitf_schema {
            root = root
                .attr("xmlns", NAMESPACE)
                .attr("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
                .attr("xsi:schemaLocation", SCHEMA);
        }
        let bytes = document(&root, Prolog::BARE, Layout::Indented)?;
        Ok(vec![Document { bytes, content_type: "application/nitf+xml", extension: "ntf", sequence: None }])
    }
}

/// How the destination wants bodies.
pub(crate) fn style(context: &Context<'_>) -> Style {
    match Item::from(&context.recipient.config).text("body_markup") {
        "enriched" => Style::Enriched,
        _ => Style::Plain,
    }
}

/// The root element without a namespace.
pub(crate) fn nitf(item: Item<'_>, style: Style) -> Result<Element, Fault> {
    let headline = plain("headline", item.text("headline"))?;
    let body = Element::new("body")
        .child(body_head(item, &headline)?)
        .child(body_content(item, style)?)
        .child(body_end(item)?);
    Ok(Element::new("nitf")
        .attr("version", "-//IPTC//DTD NITF 3.6//EN")
        .child(head(item, &headline)?)
        .child(body))
}

/// The root element in NITF's namespace, for standing inside other documents.
pub(crate) fn nitf_in_namespace(item: Item<'_>, style: Style) -> Result<Element, Fault> {
    Ok(nitf(item, style)?.attr("xmlns", NAMESPACE))
}

pub(crate) fn body_content(item: Item<'_>, style: Style) -> Result<Element, Fault> {
    Ok(Element::new("body.content").extend(body::content(item, style)?))
}

fn head(item: Item<'_>, headline: &str) -> Result<Element, Fault> {
    let mut tobject = Element::new("tobject").attr("tobject.type", "news");
    if let Some(genre) = item.objects("genre").next() {
        tobject.push(Element::new("tobject.property").attr("tobject.property.type", genre.text("name")));
    }
    let codes =
        item.objects("subject").map(|subject| subject.scalar("qcode")).filter(|code| !code.is_empty());
    let subjects = codes.map(|code| Element::new("tobject.subject").attr("tobject.subject.refnum", code));
    Ok(Element::new("head")
        .child(Element::leaf("title", headline))
        .child(tobject.extend(subjects))
        .child(docdata(item)?))
}

fn docdata(item: Item<'_>) -> Result<Element, Fault> {
    let embargo = item.embargo()?;
    let status = if embargo.is_some() { "embargoed" } else { item.text("pubstatus") };
    let expires = match embargo {
        Some(embargo) => time::iso(embargo),
        None => item.date("expiry")?.map(time::spaced).unwrap_or_default(),
    };
    let issued = item.date("firstcreated")?.map(time::spaced).unwrap_or_default();
    let mut docdata = Element::new("docdata")
        .attr("management-status", status)
        .child(Element::new("date.expire").attr("norm", expires))
        // An empty token would not be one, so this attribute alone is left out.
        .child(Element::new("urgency").attr_some("ed-urg", item.scalar("urgency")))
        .child(Element::new("date.issue").attr("norm", issued))
        .child(Element::new("doc-id").attr("id-string", item.text("guid")))
        .child(Element::new("ed-msg").attr("info", item.text("ednote")));
    let keywords: Vec<Element> = item
        .list("keywords")
        .map(|keyword| xml_legal(&scalar(keyword)).into_owned())
        .filter(|keyword| !keyword.is_empty())
        .map(|keyword| Element::new("keyword").attr("key", keyword))
        .collect();
    if !keywords.is_empty() {
        docdata.push(Element::new("key-list").extend(keywords));
    }
    Ok(docdata)
}

fn body_head(item: Item<'_>, headline: &str) -> Result<Element, Fault> {
    let mut head =
        Element::new("body.head").child(Element::new("hedline").child(Element::leaf("hl1", headline)));
    if item.has("byline") {
        head.push(Element::leaf("byline", plain("byline", item.text("byline"))?));
    }
    if !item.dateline().is_empty() {
        head.push(Element::leaf("dateline", item.dateline()));
    }
    if item.has("abstract") {
        let markup = Markup::parse("abstract", item.text("abstract"))?;
        head.push(Element::new("abstract").extend(plain_paragraphs(&markup)));
    }
    let companies = item.objects("company_codes").map(|company| {
        Element::new("org")
            .attr("idsrc", company.text("security_exchange"))
            .attr("value", company.scalar("qcode"))
            .text(company.text("name"))
    });
    Ok(head.extend(companies))
}

fn body_end(item: Item<'_>) -> Result<Element, Fault> {
    let mut end = Element::new("body.end");
    if item.has("ednote") {
        end.push(Element::leaf("tagline", plain("ednote", item.text("ednote"))?));
    }
    Ok(end)
}
