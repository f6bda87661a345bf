//! Parts that are the same in every package: styles, colours, the page, tags.

use super::layout::{MARGIN, PAGE_HEIGHT, PAGE_WIDTH};
use super::part;
use crate::xml::Element;

/// Paragraph styles: name, size in points, font style, space after, indent.
const PARAGRAPHS: [(&str, &str, &str, &str, &str); 13] = [
    ("Paragraphs%3aNormalParagraph", "12", "Regular", "6", "0"),
    ("Paragraphs%3aBlockquote", "12", "Italic", "6", "20"),
    ("Paragraphs%3aPreformatted", "11", "Regular", "6", "0"),
    ("Headings%3aHeading1", "24", "Bold", "10", "0"),
    ("Headings%3aHeading2", "20", "Bold", "8", "0"),
    ("Headings%3aHeading3", "18", "Bold", "8", "0"),
    ("Headings%3aHeading4", "16", "Bold", "6", "0"),
    ("Headings%3aHeading5", "14", "Bold", "6", "0"),
    ("Headings%3aHeading6", "12", "Bold", "6", "0"),
    ("Lists%3aUnorderedList", "12", "Regular", "3", "10"),
    ("Lists%3aOrderedList", "12", "Regular", "3", "10"),
    ("Custom%3aHeadline", "28", "Bold", "12", "0"),
    ("Custom%3aByline", "12", "Italic", "12", "0"),
];

pub(super) fn styles() -> Element {
    let none =
        |name: &'static str, id: &str, label: &str| Element::new(name).attr("Self", id).attr("Name", label);
    let characters = Element::new("RootCharacterStyleGroup").attr("Self", "characters").child(none(
        "CharacterStyle",
        "CharacterStyle/$ID/[No character style]",
        "$ID/[No character style]",
    ));
    let paragraphs = Element::new("RootParagraphStyleGroup")
        .attr("Self", "paragraphs")
        .child(none("ParagraphStyle", "ParagraphStyle/$ID/[No paragraph style]", "$ID/[No paragraph style]"))
        .extend(PARAGRAPHS.into_iter().map(paragraph));
    let cells = Element::new("RootCellStyleGroup").attr("Self", "cells").child(none(
        "CellStyle",
        "CellStyle/$ID/[None]",
        "$ID/[None]",
    ));
    let tables = Element::new("RootTableStyleGroup").attr("Self", "tables").child(none(
        "TableStyle",
        "TableStyle/$ID/NormalTable",
        "$ID/NormalTable",
    ));
    part("idPkg:Styles").child(characters).child(paragraphs).child(cells).child(tables)
}

fn paragraph((name, size, font_style, after, indent): (&str, &str, &str, &str, &str)) -> Element {
    let mut style = Element::new("ParagraphStyle")
        .attr("Self", format!("ParagraphStyle/{name}"))
        .attr("Name", name.replace("%3a", ":"))
        .attr("PointSize", size)
        .attr("FontStyle", font_style)
        .attr("SpaceAfter", after)
        .attr("LeftIndent", indent);
    style = match name {
        "Lists%3aUnorderedList" => style.attr("BulletsAndNumberingListType", "BulletList"),
        "Lists%3aOrderedList" => style.attr("BulletsAndNumberingListType", "NumberedList"),
        _ => style,
    };
    let based = Element::leaf("BasedOn", "$ID/[No paragraph style]").attr("type", "string");
    style.child(Element::new("Properties").child(based))
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
    let margin = MARGIN.to_string();
    let margins = Element::new("MarginPreference")
        .attr("ColumnCount", "1")
        .attr("Top", &margin)
        .attr("Bottom", &margin)
        .attr("Left", &margin)
        .attr("Right", &margin);
    part("idPkg:Preferences").child(page).child(margins)
}

pub(super) fn tags() -> Element {
    let tag = Element::new("XMLTag").attr("Self", "XMLTag/Root").attr("Name", "Root");
    part("idPkg:Tags").child(tag)
}
