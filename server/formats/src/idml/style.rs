//! Paragraph styles.

/// What a paragraph looks like; lengths are points.
#[derive(Debug, PartialEq)]
pub(super) struct Style {
    /// The name, its groups parted by `%3a`.
    pub(super) id: &'static str,
    pub(super) size: &'static str,
    pub(super) font: &'static str,
    pub(super) space_after: &'static str,
    pub(super) left_indent: &'static str,
    /// The type of list whose mark stands before the paragraph, empty for none.
    pub(super) list: &'static str,
}

const fn style(
    id: &'static str,
    size: &'static str,
    font: &'static str,
    space_after: &'static str,
    left_indent: &'static str,
) -> Style {
    Style { id, size, font, space_after, left_indent, list: "" }
}

pub(super) static NORMAL: Style = style("Paragraphs%3aNormalParagraph", "12", "Regular", "6", "0");
pub(super) static BLOCKQUOTE: Style = style("Paragraphs%3aBlockquote", "12", "Italic", "6", "20");
pub(super) static PREFORMATTED: Style = style("Paragraphs%3aPreformatted", "11", "Regular", "6", "0");
pub(super) static HEADING_1: Style = style("Headings%3aHeading1", "24", BOLD, "10", "0");
pub(super) static HEADING_2: Style = style("Headings%3aHeading2", "20", BOLD, "8", "0");
pub(super) static HEADING_3: Style = style("Headings%3aHeading3", "18", BOLD, "8", "0");
pub(super) static HEADING_4: Style = style("Headings%3aHeading4", "16", BOLD, "6", "0");
pub(super) static HEADING_5: Style = style("Headings%3aHeading5", "14", BOLD, "6", "0");
pub(super) static HEADING_6: Style = style("Headings%3aHeading6", "12", BOLD, "6", "0");
pub(super) static UNORDERED_LIST: Style =
    Style { list: "BulletList", ..style("Lists%3aUnorderedList", "12", "Regular", "3", "10") };
pub(super) static ORDERED_LIST: Style =
    Style { list: "NumberedList", ..style("Lists%3aOrderedList", "12", "Regular", "3", "10") };
pub(super) static HEADLINE: Style = style("Custom%3aHeadline", "28", BOLD, "12", "0");
pub(super) static BYLINE: Style = style("Custom%3aByline", "12", "Italic", "12", "0");

/// Every style that a block may have, in the order of the package.
pub(super) static ALL: [&Style; 13] = [
    &NORMAL,
    &BLOCKQUOTE,
    &PREFORMATTED,
    &HEADING_1,
    &HEADING_2,
    &HEADING_3,
    &HEADING_4,
    &HEADING_5,
    &HEADING_6,
    &UNORDERED_LIST,
    &ORDERED_LIST,
    &HEADLINE,
    &BYLINE,
];

const BOLD: &str = "Bold";

impl Style {
    /// Headings and the headline, and nothing else, are bold.
    pub(super) fn is_heading(&self) -> bool {
        self.font == BOLD
    }

    /// What paragraphs and the style itself are connected by.
    pub(super) fn reference(&self) -> String {
        format!("ParagraphStyle/{}", self.id)
    }
}
