//! Parts that are the same in every package: styles, colours, the page, tags.

use super::layout::{MARGIN, PAGE_HEIGHT, PAGE_WIDTH};
use super::part;
use super::style::{self, Style};
use crate::xml::Element;

const NO_PARAGRAPH_STYLE: &str = "$ID/[No paragraph style]";

pub(super) fn styles() -> Element {
    let group = |name: &'static str, id: &str, member: &'static str, label: &str| {
        let usual = Element::new(member).attr("Self", format!("{member}/{label}")).attr("Name", label);
        Element::new(name).attr("Self", id).child(usual)
    };
    part("idPkg:Styles")
        .child(group("RootCharacterStyleGroup", "characters", "CharacterStyle", "$ID/[No character style]"))
        .child(
            group("RootParagraphStyleGroup", "paragraphs", "ParagraphStyle", NO_PARAGRAPH_STYLE)
                .extend(style::ALL.into_iter().map(paragraph)),
        )
        .child(group("RootCellStyleGroup", "cells", "CellStyle", "$ID/[None]"))
        .child(group("RootTableStyleGroup", "tables", "TableStyle", "$ID/NormalTable"))
}

fn paragraph(style: &Style) -> Element {
    let based = Element::leaf("BasedOn", NO_PARAGRAPH_STYLE).attr("type", "string");
    Element::new("ParagraphStyle")
        .attr("Self", style.reference())
        .attr("Name", style.id.replace("%3a", ":"))
        .attr("PointSize", style.size)
        .attr("FontStyle", style.font)
        .attr("SpaceAfter", style.space_after)
        .attr("LeftIndent", style.left_indent)
        .attr_some("BulletsAndNumberingListType", style.list)
        .child(Element::new("Properties").child(based))
}

pub(super) fn graphic() -> Element {
    let color = Element::new("Color")
        .attr("Self", "Color/Black")
        .attr("Model", "Process")
        .attr("Space", "CMYK")
        .attr("ColorValue", "0 0 0 100")
        .attr("Name", "Black");
    let swatch = Element::new("Swatch").attr("Self", "Swatch/None").attr("Name", "None");
    part("idPkg:Graphic").child(color).child(swatch)
}

pub(super) fn preferences() -> Element {
    let page = Element::new("DocumentPreference")
        .attr("PageHeight", PAGE_HEIGHT.to_string())
        .attr("PageWidth", PAGE_WIDTH.to_string())
        .attr("PagesPerDocument", "1")
        .attr("FacingPages", "false")
        .attr("PageOrientation", "Portrait");
    part("idPkg:Preferences").child(page).child(margins())
}

/// The margins, for the document and each page.
pub(super) fn margins() -> Element {
    let margin = MARGIN.to_string();
    Element::new("MarginPreference")
        .attr("ColumnCount", "1")
        .attr("Top", &margin)
        .attr("Bottom", &margin)
        .attr("Left", &margin)
        .attr("Right", &margin)
}

pub(super) fn tags() -> Element {
    let tag = Element::new("XMLTag").attr("Self", "XMLTag/Root").attr("Name", "Root");
    part("idPkg:Tags").child(tag)
}
