//! Stories: the text of one frame with its styles.

use super::block::{Block, Span};
use super::part;
use super::style::{NORMAL, Style};
use crate::xml::Element;

/// A link that stands in a story; the design map says where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) source: String,
    pub(super) address: String,
}

pub(super) fn story(id: &str, block: &Block, links: &mut Vec<Link>) -> Element {
    let story = Element::new("Story")
        .attr("Self", id)
        .attr("AppliedTOCStyle", "n")
        .attr("TrackChanges", "false")
        .attr("StoryTitle", "$ID/")
        .attr("AppliedNamedGrid", "n")
        .child(
            Element::new("StoryPreference")
                .attr("OpticalMarginAlignment", "false")
                .attr("OpticalMarginSize", "12"),
        );
    let story = match block {
        Block::Text { style, spans } => story.child(paragraph(style, spans, links, false)),
        Block::List { style, items } => {
            let last = items.len().saturating_sub(1);
            let items = items.iter().enumerate();
            story.extend(items.map(|(at, spans)| paragraph(style, spans, links, at < last)))
        }
        Block::Table { rows, columns } => {
            let table = table(id, rows, *columns, links);
            let range = Element::new("CharacterStyleRange").attr("AppliedCharacterStyle", PLAIN).child(table);
            story.child(styled(&NORMAL).child(range))
        }
    };
    part("idPkg:Story").child(story)
}

const PLAIN: &str = "CharacterStyle/$ID/[No character style]";

fn styled(style: &Style) -> Element {
    Element::new("ParagraphStyleRange").attr("AppliedParagraphStyle", style.reference())
}

/// One paragraph; `ends` puts the mark that begins the next one behind it.
fn paragraph(style: &Style, spans: &[Span], links: &mut Vec<Link>, ends: bool) -> Element {
    let mut range = styled(style);
    for span in spans {
        let characters = characters(span);
        range.push(if span.look.link.is_empty() { characters } else { link(span, characters, links) });
    }
    if ends {
        range.push(
            Element::new("CharacterStyleRange")
                .attr("AppliedCharacterStyle", PLAIN)
                .child(Element::new("Br")),
        );
    }
    range
}

fn characters(span: &Span) -> Element {
    let style = match (span.look.is_bold, span.look.is_italic) {
        (true, true) => "Bold Italic",
        (true, false) => "Bold",
        (false, true) => "Italic",
        (false, false) => "",
    };
    let mut range = Element::new("CharacterStyleRange")
        .attr("AppliedCharacterStyle", PLAIN)
        .attr_some("FontStyle", style);
    if span.look.is_underlined {
        range = range.attr("Underline", "true");
    }
    for (at, line) in span.text.split('\n').enumerate() {
        if at > 0 {
            // A line separator breaks the line within its paragraph.
            range.push(Element::leaf("Content", "\u{2028}"));
        }
        if !line.is_empty() {
            range.push(Element::leaf("Content", line));
        }
    }
    range
}

fn link(span: &Span, characters: Element, links: &mut Vec<Link>) -> Element {
    let source = format!("link_source_{}", links.len() + 1);
    let element = Element::new("HyperlinkTextSource")
        .attr("Self", &source)
        .attr("Name", &source)
        .attr("Hidden", "false")
        .attr("AppliedCharacterStyle", "n")
        .child(characters);
    links.push(Link { source, address: span.look.link.clone() });
    element
}

fn table(story: &str, rows: &[Vec<Vec<Span>>], columns: usize, links: &mut Vec<Link>) -> Element {
    let id = format!("{story}_table");
    let width = super::layout::INNER_WIDTH / columns.max(1) as f64;
    let row_elements = (0..rows.len())
        .map(|row| Element::new("Row").attr("Self", format!("{id}Row{row}")).attr("Name", row.to_string()));
    let column_elements = (0..columns).map(|column| {
        Element::new("Column")
            .attr("Self", format!("{id}Column{column}"))
            .attr("Name", column.to_string())
            .attr("SingleColumnWidth", width.to_string())
    });
    let mut table = Element::new("Table")
        .attr("Self", &id)
        .attr("HeaderRowCount", "0")
        .attr("FooterRowCount", "0")
        .attr("BodyRowCount", rows.len().to_string())
        .attr("ColumnCount", columns.to_string())
        .attr("AppliedTableStyle", "TableStyle/$ID/NormalTable")
        .attr("TableDirection", "LeftToRightDirection")
        .extend(row_elements)
        .extend(column_elements);
    for (row, cells) in rows.iter().enumerate() {
        for (column, spans) in cells.iter().enumerate() {
            table.push(
                Element::new("Cell")
                    .attr("Self", format!("{id}Cell{row}_{column}"))
                    .attr("Name", format!("{column}:{row}"))
                    .attr("RowSpan", "1")
                    .attr("ColumnSpan", "1")
                    .attr("AppliedCellStyle", "CellStyle/$ID/[None]")
                    .child(paragraph(&NORMAL, spans, links, false)),
            );
        }
    }
    table
}
