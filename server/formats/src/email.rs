//! E-mail: subject, text and markup of a message, for the transmitter that sends it.

use crate::body;
use crate::chars::one_line;
use crate::context::Context;
use crate::error::Fault;
use crate::formatter::{Document, Formatter, Varies};
use crate::html::{Markup, clean, escape, plain};
use crate::item::{Fields, Item, ItemType};
use crate::time;
use serde_json::Value;

/// The format `email`.
#[derive(Debug, Clone, Copy)]
pub struct Email;

impl Formatter for Email {
    fn id(&self) -> &'static str {
        "email"
    }

    fn name(&self) -> &'static str {
        "Email"
    }

    fn code(&self) -> u16 {
        7010
    }

    fn accepts(&self, kind: ItemType) -> bool {
        kind == ItemType::Text
    }

    fn varies(&self) -> Varies {
        Varies::default()
    }

    fn write(&self, item: Item<'_>, context: &Context<'_>) -> Result<Vec<Document>, Fault> {
        let message = Message::of(item, context)?;
        let html = if item.text("format") == "HTML" { Value::String(message.html()?) } else { Value::Null };
        let featured = item.object("associations").and_then(|found| found.object("featuremedia"));
        let renditions = featured.and_then(|media| media.get("renditions")).cloned().unwrap_or(Value::Null);
        let mut fields = Fields::new();
        fields.insert("message_subject".to_owned(), message.headline.as_str().into());
        fields.insert("message_text".to_owned(), message.text()?.into());
        fields.insert("message_html".to_owned(), html);
        fields.insert("renditions".to_owned(), renditions);
        Ok(vec![Document::json(&fields)?])
    }
}

/// The parts of a message, each still as the item has it or as plain text.
struct Message<'a> {
    item: Item<'a>,
    place: String,
    /// One line without control characters: it becomes a header.
    headline: String,
    published: String,
    slugline: String,
    take: String,
    ednote: String,
    byline: String,
    body: String,
    footer: &'a str,
}

impl<'a> Message<'a> {
    fn of(item: Item<'a>, context: &Context<'_>) -> Result<Message<'a>, Fault> {
        let place = item.objects("place").next().map(|place| place.text("name")).unwrap_or_default();
        let published = match item.date("versioncreated")? {
            Some(at) => time::local(at, &context.site.time_zone),
            None => String::new(),
        };
        Ok(Message {
            item,
            place: one_line(place),
            headline: one_line(&plain("headline", item.text("headline"))?),
            published,
            slugline: body::legal_slugline(item),
            take: item.scalar("anpa_take_key"),
            ednote: plain("ednote", item.text("ednote"))?,
            byline: plain("byline", item.text("byline"))?,
            body: without_embeds(item.text("body_html")),
            footer: item.text("body_footer"),
        })
    }

    fn text(&self) -> Result<String, Fault> {
        let item = self.item;
        let lines = |field: &str, html: &str| Ok::<_, Fault>(Markup::parse(field, html)?.lines());
        let title = if self.place.is_empty() {
            self.headline.clone()
        } else {
            format!("{}: {}", self.place, self.headline)
        };
        let tag_line = format!("{} {}", self.slugline, self.take);
        let signature = format!("{} {}", item.text("source"), item.text("sign_off"));
        let parts = [
            title,
            format!("Published At : {}", self.published),
            tag_line.trim().to_owned(),
            self.ednote.clone(),
            "-".repeat(58),
            plain("abstract", item.text("abstract"))?,
            String::new(),
            self.byline.clone(),
            lines("body_html", &self.body)?,
            String::new(),
            signature.trim().to_owned(),
            lines("body_footer", self.footer)?,
        ];
        let mut out = String::new();
        for part in parts {
            out.push_str(&part);
            out.push('\n');
        }
        Ok(out)
    }

    fn html(&self) -> Result<String, Fault> {
        let item = self.item;
        let place =
            if self.place.is_empty() { String::new() } else { format!("{}:&nbsp;", escape(&self.place)) };
        let body = with_dateline(&clean("body_html", &self.body)?, item.dateline()).replace("</p>", "</p>\r");
        let (slugline, take) = (escape(&self.slugline), escape(&self.take));
        let mut out = format!("<html><body><h1>{place}{}</h1>\n", escape(&self.headline));
        out.push_str(&format!("<p>Published At : {}</p>\n", escape(&self.published)));
        out.push_str(&format!("<b>{slugline}</b>&nbsp;{take}&nbsp;<hr>\n"));
        if !self.ednote.is_empty() {
            out.push_str(&format!("<p style=\"color: red\">{}</p>\n", escape(&self.ednote)));
        }
        out.push_str(&format!("<i>{}</i>\n", clean("abstract", item.text("abstract"))?));
        out.push_str(&format!("<p>{}</p>\n", escape(&self.byline)));
        out.push_str(&body);
        out.push_str(&format!(
            "\n<p>{}&nbsp;{}</p>\n",
            escape(item.text("source")),
            escape(item.text("sign_off"))
        ));
        out.push_str(&clean("body_footer", self.footer)?);
        out.push_str("\n</body></html>\n");
        Ok(out)
    }
}

/// Puts the dateline at the start of the first paragraph of cleaned markup, where `<` begins an element wherever it stands.
fn with_dateline(body: &str, dateline: &str) -> String {
    if dateline.is_empty() {
        return body.to_owned();
    }
    let start = body.find("<p>").map(|at| at + 3).or_else(|| {
        let at = body.find("<p ")?;
        Some(at + body.get(at..)?.find('>')? + 1)
    });
    match start.and_then(|at| body.split_at_checked(at)) {
        Some((before, after)) => format!("{before}{} {after}", escape(dateline)),
        None => format!("{} {body}", escape(dateline)),
    }
}

/// Without the blocks between `EMBED START` and `EMBED END`: a message does not load media.
fn without_embeds(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, found)) = rest.split_once("<!-- EMBED START") {
        out.push_str(before);
        rest = found
            .split_once("<!-- EMBED END")
            .and_then(|(_, tail)| tail.split_once("-->"))
            .map_or("", |(_, tail)| tail);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dateline_begins_the_story() {
        assert_eq!(with_dateline("<p>It rains.</p>", "OSLO -"), "<p>OSLO - It rains.</p>");
        assert_eq!(with_dateline("<div><p class=\"a\">x", "<b>"), "<div><p class=\"a\">&lt;b&gt; x");
        assert_eq!(with_dateline("x", "OSLO -"), "OSLO - x");
        assert_eq!(with_dateline("x", ""), "x");
    }

    #[test]
    fn embeds_do_not_travel_by_mail() {
        let body = "a<!-- EMBED START Image {id: \"x\"} --><img><!-- EMBED END Image {id: \"x\"} -->b";
        assert_eq!(without_embeds(body), "ab");
        assert_eq!(without_embeds("a<!-- EMBED START Image"), "a");
    }
}
