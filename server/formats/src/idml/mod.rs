//! IDML: a page layout for Adobe InDesign, as a zip package of XML parts.
//!
//! Each block of the story is a story of its own in a text frame of its own; frames are stacked on A4 pages, one page for
//! each spread. Nobody here has opened the result in InDesign: the tests check that the package is complete.

mod block;
mod designmap;
mod layout;
mod resources;
mod spread;
mod story;
mod style;

use crate::body::is_preserved;
use crate::chars::one_line;
use crate::context::Context;
use crate::error::Fault;
use crate::formatter::{Document, Formatter, Varies};
use crate::html::{Markup, plain};
use crate::item::{Item, ItemType};
use crate::xml::{Element, Layout, Prolog, document};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const MEDIA_TYPE: &str = "application/vnd.adobe.indesign-idml-package";
const PACKAGING: &str = "http://ns.adobe.com/AdobeInDesign/idml/1.0/packaging";
const DOM_VERSION: &str = "13.1";

/// The format `idml`.
#[derive(Debug, Clone, Copy)]
pub struct Idml;

impl Formatter for Idml {
    fn id(&self) -> &'static str {
        "idml"
    }

    fn name(&self) -> &'static str {
        "Adobe InDesign (IDML)"
    }

    fn code(&self) -> u16 {
        7012
    }

    fn accepts(&self, kind: ItemType) -> bool {
        kind.is_story()
    }

    fn varies(&self) -> Varies {
        Varies::default()
    }

    fn can_preview(&self) -> bool {
        false
    }

    fn write(&self, item: Item<'_>, _: &Context<'_>) -> Result<Vec<Document>, Fault> {
        let headline = one_line(&plain("headline", item.text("headline"))?);
        let byline = one_line(&plain("byline", item.text("byline"))?);
        let body = item.text("body_html");
        let markup = if is_preserved(item) {
            Markup::parse("body_html", &format!("<pre>{body}</pre>"))?
        } else {
            Markup::parse("body_html", body)?
        };
        let blocks = block::blocks(&headline, &byline, &markup)?;
        let mut links = Vec::new();
        let stories: Vec<Element> = blocks
            .iter()
            .enumerate()
            .map(|(at, block)| story::story(&story_id(at), block, &mut links))
            .collect();
        let spreads = layout::spreads(&blocks);
        let bytes = package(&stories, &spreads, &links)?;
        Ok(vec![Document { bytes, content_type: MEDIA_TYPE, extension: "idml", sequence: None }])
    }
}

fn story_id(at: usize) -> String {
    format!("story_{}", at + 1)
}

fn spread_id(at: usize) -> String {
    format!("spread_{}", at + 1)
}

/// The root of a part.
fn part(name: &'static str) -> Element {
    Element::new(name).attr("xmlns:idPkg", PACKAGING).attr("DOMVersion", DOM_VERSION)
}

/// The parts in the order that InDesign wants: the media type first, what refers to all others last. Nothing is
/// compressed, and no part carries a time, so the same story gives the same bytes.
fn package(stories: &[Element], spreads: &[layout::Spread], links: &[story::Link]) -> Result<Vec<u8>, Fault> {
    let mut parts: Vec<(String, Vec<u8>)> = vec![("mimetype".to_owned(), MEDIA_TYPE.as_bytes().to_vec())];
    let mut add = |name: String, root: &Element, prolog: Prolog| {
        let bytes = document(root, prolog, Layout::Compact)?;
        parts.push((name, bytes));
        Ok::<_, Fault>(())
    };
    add("Resources/Styles.xml".to_owned(), &resources::styles(), Prolog::UTF8)?;
    add("Resources/Graphic.xml".to_owned(), &resources::graphic(), Prolog::UTF8)?;
    add("Resources/Preferences.xml".to_owned(), &resources::preferences(), Prolog::UTF8)?;
    add("XML/Tags.xml".to_owned(), &resources::tags(), Prolog::UTF8)?;
    for (at, story) in stories.iter().enumerate() {
        add(format!("Stories/Story_{}.xml", story_id(at)), story, Prolog::UTF8)?;
    }
    for (at, spread) in spreads.iter().enumerate() {
        add(format!("Spreads/Spread_{}.xml", spread_id(at)), &spread::spread(at, spread), Prolog::UTF8)?;
    }
    let prolog = Prolog { instruction: Some(designmap::INSTRUCTION), ..Prolog::UTF8 };
    add("designmap.xml".to_owned(), &designmap::designmap(stories.len(), spreads.len(), links), prolog)?;
    zip(&parts).map_err(|error| Fault::internal(&error))
}

fn zip(parts: &[(String, Vec<u8>)]) -> Result<Vec<u8>, zip::result::ZipError> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for (name, bytes) in parts {
        writer.start_file(name, options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}
