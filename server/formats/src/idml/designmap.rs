//! The design map: refers to all other parts, and says where links lead.

use super::story::Link;
use super::{DOM_VERSION, PACKAGING, spread_id, story_id};
use crate::xml::Element;

pub(super) const INSTRUCTION: &str =
    "aid style=\"50\" type=\"document\" readerVersion=\"6.0\" featureSet=\"257\"";

pub(super) fn designmap(stories: usize, spreads: usize, links: &[Link]) -> Element {
    let names: Vec<String> = (0..stories).map(story_id).collect();
    let source = |name: &'static str, path: String| Element::new(name).attr("src", path);
    let layer = Element::new("Layer")
        .attr("Self", "layer_1")
        .attr("Name", "Layer 1")
        .attr("Visible", "true")
        .attr("Locked", "false")
        .attr("Printable", "true");
    Element::new("Document")
        .attr("xmlns:idPkg", PACKAGING)
        .attr("DOMVersion", DOM_VERSION)
        .attr("Self", "d")
        .attr("StoryList", names.join(" "))
        .attr("ActiveLayer", "layer_1")
        .child(source("idPkg:Graphic", "Resources/Graphic.xml".to_owned()))
        .child(source("idPkg:Styles", "Resources/Styles.xml".to_owned()))
        .child(source("idPkg:Preferences", "Resources/Preferences.xml".to_owned()))
        .child(source("idPkg:Tags", "XML/Tags.xml".to_owned()))
        .child(layer)
        .extend(
            (0..spreads).map(|at| source("idPkg:Spread", format!("Spreads/Spread_{}.xml", spread_id(at)))),
        )
        .extend(names.iter().map(|name| source("idPkg:Story", format!("Stories/Story_{name}.xml"))))
        .extend(links.iter().enumerate().flat_map(|(at, link)| hyperlink(at + 1, link)))
}

fn hyperlink(number: usize, link: &Link) -> [Element; 2] {
    let destination = format!("HyperlinkURLDestination/link_{number}");
    let properties =
        Element::new("Properties").child(Element::leaf("Destination", &destination).attr("type", "object"));
    let key = number.to_string();
    [
        Element::new("HyperlinkURLDestination")
            .attr("Self", &destination)
            .attr("Name", format!("link_{number}"))
            .attr("DestinationURL", &link.address)
            .attr("Hidden", "false")
            .attr("DestinationUniqueKey", &key),
        Element::new("Hyperlink")
            .attr("Self", format!("hyperlink_{number}"))
            .attr("Name", format!("hyperlink_{number}"))
            .attr("Source", &link.source)
            .attr("Visible", "false")
            .attr("DestinationUniqueKey", &key)
            .child(properties),
    ]
}
