//! Spreads: a page each, with text frames. The origin is the middle of the page.

use super::layout::{Frame, INNER_WIDTH, MARGIN, PAGE_HEIGHT, PAGE_WIDTH, Spread};
use super::resources::margins;
use super::{part, spread_id, story_id};
use crate::xml::Element;

pub(super) fn spread(at: usize, spread: &Spread) -> Element {
    let id = spread_id(at);
    let page = Element::new("Page")
        .attr("Self", format!("{id}_page"))
        .attr("Name", (at + 1).to_string())
        .attr("AppliedMaster", "n")
        .attr("GeometricBounds", format!("0 0 {PAGE_HEIGHT} {PAGE_WIDTH}"))
        .attr("ItemTransform", format!("1 0 0 1 {} {}", -PAGE_WIDTH / 2.0, -PAGE_HEIGHT / 2.0))
        .child(margins());
    let element = Element::new("Spread")
        .attr("Self", &id)
        .attr("PageCount", "1")
        .attr("BindingLocation", "0")
        .attr("ShowMasterItems", "true")
        .attr("ItemTransform", "1 0 0 1 0 0")
        .child(page)
        .extend(spread.frames.iter().map(frame));
    part("idPkg:Spread").child(element)
}

fn frame(frame: &Frame) -> Element {
    let left = MARGIN - PAGE_WIDTH / 2.0;
    let top = frame.top - PAGE_HEIGHT / 2.0;
    let (right, bottom) = (left + INNER_WIDTH, top + frame.height);
    let corners = [(left, top), (left, bottom), (right, bottom), (right, top)].map(|(x, y)| {
        let point = format!("{x} {y}");
        Element::new("PathPointType")
            .attr("Anchor", &point)
            .attr("LeftDirection", &point)
            .attr("RightDirection", &point)
    });
    let path = Element::new("GeometryPathType")
        .attr("PathOpen", "false")
        .child(Element::new("PathPointArray").extend(corners));
    let story = story_id(frame.story);
    Element::new("TextFrame")
        .attr("Self", format!("frame_{story}"))
        .attr("ParentStory", &story)
        .attr("PreviousTextFrame", "n")
        .attr("NextTextFrame", "n")
        .attr("ContentType", "TextType")
        .attr("ItemLayer", "layer_1")
        .attr("ItemTransform", "1 0 0 1 0 0")
        .child(Element::new("Properties").child(Element::new("PathGeometry").child(path)))
}
