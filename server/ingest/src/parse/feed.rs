//! Feeds: RSS 0.9x, 1.0 and 2.0, and Atom; also a single entry of Atom.
//!
//! A feed may say little: an entry without an id is known by its link, else by its title; one without a date has
//! none. Titles are read as plain text, bodies as markup.

use super::draft::{Draft, distinct, fields, one_line, tag};
use super::{Parser, Reading};
use crate::document::Document;
use crate::error::{Code, IngestError};
use crate::time;
use crate::xml::{Element, Space, escape, html};
use dateline_formats::{Fields, plain_lines, wire_time};
use serde_json::{Value, json};

/// The formats of feeds.
pub(super) struct Feed;

/// Media types of pictures that are taken.
const PICTURES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/tiff"];
const PICTURES_MAX: usize = 20;

impl Parser for Feed {
    fn key(&self) -> &'static str {
        "rss"
    }

    fn label(&self) -> &'static str {
        "RSS or Atom"
    }

    fn can_parse(&self, document: &Document) -> bool {
        document.xml().is_some_and(|root| match root.name.as_str() {
            "rss" => root.child("channel").is_some(),
            "feed" | "entry" => matches!(root.space, Space::Atom | Space::Plain),
            "RDF" => root.child("channel").is_some(),
            _ => false,
        })
    }

    fn parse(&self, document: &Document, reading: &Reading<'_>) -> Result<Vec<Fields>, IngestError> {
        let root = document.xml().ok_or_else(|| IngestError::new(Code::FEED, "no XML"))?;
        let (channel, entries): (&Element, Vec<&Element>) = match root.name.as_str() {
            "entry" => (root, vec![root]),
            "feed" => (root, root.all("entry").collect()),
            _ => {
                let channel = root.child("channel").unwrap_or(root);
                // RSS 1.0 puts entries beside the channel.
                (channel, channel.all("item").chain(root.all("item")).collect())
            }
        };
        Ok(entries.into_iter().filter_map(|entry| Entry { channel, entry, reading }.read()).collect())
    }
}

struct Entry<'a> {
    channel: &'a Element,
    entry: &'a Element,
    reading: &'a Reading<'a>,
}

impl<'a> Entry<'a> {
    /// The first of these elements that says something, or the one that the provider names for this field.
    fn first(&self, field: &str, names: &[(Space, &str)]) -> Option<&'a Element> {
        let alias = self.reading.aliases.iter().find(|(own, _)| own == field);
        if let Some((_, name)) = alias {
            let (prefix, name) = name.rsplit_once(':').unwrap_or(("", name));
            let found = self
                .entry
                .elements()
                .find(|child| child.name == name && (prefix.is_empty() || child.space != Space::Plain));
            return found.filter(|child| says(child));
        }
        names.iter().find_map(|(space, name)| {
            self.entry.elements().find(|child| {
                let is_own = *space == Space::Plain && child.space == Space::Atom;
                child.name == *name && (child.space == *space || is_own) && says(child)
            })
        })
    }

    fn text(&self, field: &str, names: &[(Space, &str)]) -> String {
        self.first(field, names).map(Element::text).unwrap_or_default()
    }

    /// None for an entry that says nothing at all.
    fn read(&self) -> Option<Fields> {
        let title = self.first(
            "title",
            &[(Space::Plain, "title"), (Space::DublinCore, "title"), (Space::Media, "title")],
        );
        let title = title.map(plain).unwrap_or_default();
        let link = self.link();
        let id = self
            .text("guid", &[(Space::Plain, "guid"), (Space::Plain, "id"), (Space::DublinCore, "identifier")]);
        let guid = match (id.as_str(), link.as_str(), title.as_str()) {
            ("", "", "") => return None,
            ("", "", title) => tag(&self.reading.site.urn_domain, title),
            ("", link, _) => link.to_owned(),
            (id, ..) => id.to_owned(),
        };
        let mut out = Draft::new("text", &guid);
        out.put("uri", if link.is_empty() { guid.as_str() } else { &link });
        out.line("headline", &title);
        self.dates(&mut out);
        self.texts(&mut out);
        out.line("byline", &self.author());
        out.put("keywords", distinct(self.keywords()));
        out.line(
            "original_source",
            &self.text("source", &[(Space::DublinCore, "source"), (Space::Plain, "source")]),
        );
        out.line(
            "copyrightnotice",
            &self.text("rights", &[(Space::DublinCore, "rights"), (Space::Plain, "rights")]),
        );
        for language in [
            self.text("language", &[(Space::DublinCore, "language")]),
            self.entry.attr("xml:lang").to_owned(),
            self.channel.attr("xml:lang").to_owned(),
            self.channel.text_at(&["language"]),
        ] {
            if !out.has("language") {
                out.line("language", &language);
            }
        }
        self.pictures(&title, &mut out);
        Some(out.finish())
    }

    /// Atom has links by their relation; RSS has one, and some guids are links.
    fn link(&self) -> String {
        let links: Vec<&Element> = self.entry.all("link").collect();
        let alternate = links
            .iter()
            .find(|link| matches!(link.attr("rel"), "" | "alternate") && !link.attr("href").is_empty());
        if let Some(link) = alternate {
            return link.attr("href").trim().to_owned();
        }
        let plain = links.iter().map(|link| link.text()).find(|text| !text.is_empty());
        let guid =
            self.entry.child("guid").filter(|guid| guid.attr("isPermaLink") != "false").map(Element::text);
        plain.or(guid.filter(|guid| guid.starts_with("http"))).unwrap_or_default()
    }

    /// What is dated in the future is of now: nobody has written it later. Without a date there is none.
    fn dates(&self, out: &mut Draft) {
        let published = [
            (Space::Plain, "published"),
            (Space::Plain, "pubDate"),
            (Space::Plain, "issued"),
            (Space::DublinCore, "date"),
        ];
        let updated =
            [(Space::Plain, "updated"), (Space::Plain, "modified"), (Space::DublinCore, "modified")];
        let read = |field: &str, names: &[(Space, &str)]| time::read(&self.text(field, names));
        let published = read("published", &published);
        let Some(updated) = read("updated", &updated).or(published) else { return };
        let updated = updated.min(self.reading.now);
        let first = published.unwrap_or(updated).min(self.reading.now);
        out.put("firstcreated", wire_time(first));
        out.put("versioncreated", wire_time(updated.max(first)));
    }

    fn texts(&self, out: &mut Draft) {
        let summary = self.first(
            "summary",
            &[
                (Space::Plain, "summary"),
                (Space::Plain, "description"),
                (Space::DublinCore, "description"),
                (Space::Media, "description"),
            ],
        );
        let body = self.first("body", &[(Space::Content, "encoded"), (Space::Plain, "content")]);
        let summary = summary.map(markup).unwrap_or_default();
        let body = body.map(markup).unwrap_or_default();
        out.put("body_html", if body.is_empty() { summary.clone() } else { body });
        out.put("abstract", summary);
    }

    fn author(&self) -> String {
        let found = self.first("author", &[(Space::DublinCore, "creator"), (Space::Plain, "author")]);
        let Some(found) = found else { return self.channel.text_at(&["author", "name"]) };
        let name = found.text_at(&["name"]);
        let text = if name.is_empty() { found.text() } else { name };
        // RSS 2.0: an address with the name behind it in brackets.
        let bracketed = text.split_once('(').and_then(|(before, name)| {
            before.contains('@').then(|| name.trim_end().trim_end_matches(')').to_owned())
        });
        bracketed.unwrap_or(text)
    }

    fn keywords(&self) -> impl Iterator<Item = Value> {
        let categories = self.entry.elements().filter(|child| {
            child.name == "category" || (child.name == "subject" && child.space == Space::DublinCore)
        });
        categories.filter_map(|category| {
            let names =
                [category.attr("label").to_owned(), category.text(), category.attr("term").to_owned()];
            let name = names.into_iter().map(|name| one_line(&name)).find(|name| !name.is_empty())?;
            Some(name.into())
        })
    }

    /// The first picture is the main one, others follow in a gallery; they stay where they are.
    fn pictures(&self, title: &str, out: &mut Draft) {
        let mut found: Vec<(String, String)> = Vec::new();
        for element in self.entry.descendants() {
            let (address, kind) = match (element.space, element.name.as_str()) {
                (Space::Plain, "enclosure") => (element.attr("url"), element.attr("type")),
                (Space::Atom, "link") if element.attr("rel") == "enclosure" => {
                    (element.attr("href"), element.attr("type"))
                }
                (Space::Media, "content")
                    if element.attr("medium") == "image" && element.attr("type").is_empty() =>
                {
                    (element.attr("url"), "image/jpeg")
                }
                (Space::Media, "content") => (element.attr("url"), element.attr("type")),
                (Space::Media, "thumbnail") => (element.attr("url"), "image/jpeg"),
                _ => continue,
            };
            let is_new = found.iter().all(|(known, _)| known != address);
            if is_new && found.len() < PICTURES_MAX && address.starts_with("http") && PICTURES.contains(&kind)
            {
                found.push((address.to_owned(), kind.to_owned()));
            }
        }
        let mut associations = Fields::new();
        for (place, (address, kind)) in found.into_iter().enumerate() {
            let key = if place == 0 { "featuremedia".to_owned() } else { format!("gallery--{place}") };
            let mut picture = fields([("headline", title.to_owned())]);
            picture.insert("guid".to_owned(), tag(&self.reading.site.urn_domain, &address).into());
            picture.insert("type".to_owned(), "picture".into());
            picture.insert("renditions".to_owned(), json!({"original": {"href": address, "mimetype": kind}}));
            associations.insert(key, picture.into());
        }
        out.put("associations", associations);
    }
}

fn says(element: &Element) -> bool {
    !element.text().is_empty() || element.elements().next().is_some()
}

/// A text in which there may be markup, escaped or not, as plain text.
fn plain(element: &Element) -> String {
    let text = element.text();
    if element.attr("type") == "text" || !text.contains(['<', '&']) {
        return one_line(&text);
    }
    one_line(&plain_lines("title", &text).unwrap_or(text))
}

/// A text as markup: what is plain by its type is escaped; XHTML stands there as elements.
fn markup(element: &Element) -> String {
    if element.elements().next().is_some() {
        return html(element);
    }
    let text = element.text();
    match element.attr("type") {
        "text" | "text/plain" => format!("<p>{}</p>", escape(&text)),
        _ => text,
    }
}
