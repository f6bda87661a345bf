//! What a reader of feeds is shown of an item. Markup is cleaned: it will stand in somebody else's page.

use crate::body;
use crate::chars::one_line;
use crate::context::{Context, Rights, Site, translated};
use crate::error::Fault;
use crate::html::{clean, escape, plain};
use crate::item::Item;
use crate::renditions::file_bytes;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub(super) struct Entry {
    /// An IRI that stays the same for all versions.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) updated: Timestamp,
    pub(super) published: Option<Timestamp>,
    pub(super) author: String,
    pub(super) source: String,
    pub(super) rights: String,
    pub(super) language: String,
    pub(super) summary: String,
    /// Cleaned markup.
    pub(super) content: String,
    /// Address of the item, empty when the site has none.
    pub(super) link: String,
    pub(super) categories: Vec<Category>,
    pub(super) enclosure: Option<Enclosure>,
}

pub(super) struct Category {
    pub(super) term: String,
    pub(super) label: String,
    pub(super) scheme: String,
}

pub(super) struct Enclosure {
    pub(super) href: String,
    pub(super) media_type: String,
    pub(super) length: u64,
}

impl Entry {
    pub(super) fn of(item: Item<'_>, context: &Context<'_>) -> Result<Entry, Fault> {
        let title = item.first_text(["headline", "title", "name", "slugline"]);
        let updated = match item.date("versioncreated")? {
            Some(updated) => updated,
            None => item.date_needed("firstcreated")?,
        };
        let published = match item.date("firstpublished")? {
            Some(published) => Some(published),
            None => item.date("firstcreated")?,
        };
        let byline = one_line(&plain("byline", item.text("byline"))?);
        Ok(Entry {
            id: iri(item.text("guid")),
            title: one_line(&plain("headline", title)?),
            updated,
            published,
            author: if byline.is_empty() { author(item, context) } else { byline },
            source: item.credit().to_owned(),
            rights: one_line(&plain("copyrightnotice", &Rights::of(item, context.site).notice)?),
            language: context.site.language_of(item).replace('_', "-"),
            summary: summary(item)?,
            content: content(item)?,
            link: link(item, context.site),
            categories: categories(item, context),
            enclosure: enclosure(item),
        })
    }
}

/// Atom wants a name of somebody.
fn author(item: Item<'_>, context: &Context<'_>) -> String {
    match item.credit() {
        "" => context.site.provider.clone(),
        source => one_line(source),
    }
}

/// A guid that has a scheme is an IRI already, but for characters that no IRI has (RFC 3987 section 2.2).
fn iri(guid: &str) -> String {
    let mut legal = String::with_capacity(guid.len());
    for c in guid.chars().filter(|c| !c.is_whitespace() && !c.is_control()) {
        match c {
            '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => {
                legal.push_str(&format!("%{:02X}", u32::from(c)));
            }
            c => legal.push(c),
        }
    }
    let has_scheme = legal.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    });
    if has_scheme { legal } else { format!("urn:newsml:{legal}") }
}

fn summary(item: Item<'_>) -> Result<String, Fault> {
    for field in ["abstract", "description_text", "description", "definition_short"] {
        if item.has(field) {
            let text = item.text(field);
            return if field == "description_text" { Ok(text.to_owned()) } else { plain(field, text) };
        }
    }
    Ok(String::new())
}

fn content(item: Item<'_>) -> Result<String, Fault> {
    let html = body::with_footer(item)?;
    if body::is_preserved(item) && !html.is_empty() {
        return Ok(format!("<pre>{}</pre>", escape(&plain("body_html", &html)?)));
    }
    clean("body_html", &html)
}

/// RFC 3986 section 3.3: all but what may stand in a segment of a path and needs no thought there.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b',');

fn link(item: Item<'_>, site: &Site) -> String {
    let guid = item.text("guid");
    if site.public_url.is_empty() || guid.is_empty() {
        return String::new();
    }
    format!("{}/items/{}", site.public_url.trim_end_matches('/'), utf8_percent_encode(guid, SEGMENT))
}

/// Subjects, services, genres, keywords; and the status where the item must not be used.
fn categories(item: Item<'_>, context: &Context<'_>) -> Vec<Category> {
    let language = context.site.language_of(item);
    let mut out = Vec::new();
    for field in ["subject", "anpa_category", "genre"] {
        for concept in item.objects(field) {
            let label = one_line(translated(concept, "name", language));
            let code = one_line(&concept.scalar("qcode"));
            let term = if code.is_empty() { label.clone() } else { code };
            let scheme = concept.text("scheme");
            // A scheme of Atom is an IRI; vocabularies have plain ids, too.
            let scheme = if scheme.contains(':') { scheme.to_owned() } else { String::new() };
            out.push(Category { term, label, scheme });
        }
    }
    for keyword in item.list("keywords").map(crate::item::scalar) {
        out.push(Category { term: one_line(&keyword), label: String::new(), scheme: String::new() });
    }
    let status = item.text("pubstatus");
    if !matches!(status, "" | "usable") {
        let scheme = "http://cv.iptc.org/newscodes/pubstatusg2/".to_owned();
        out.push(Category { term: one_line(status), label: String::new(), scheme });
    }
    out.retain(|category| !category.term.is_empty());
    out
}

/// The file of a medium, or a story's main picture.
fn enclosure(item: Item<'_>) -> Option<Enclosure> {
    let featured = || item.object("associations")?.object("featuremedia");
    let medium = if item.has("renditions") { item } else { featured()? };
    let renditions = medium.object("renditions")?;
    let (name, rendition) = ["baseImage", "original", "viewImage"]
        .into_iter()
        .find_map(|name| Some((name, renditions.object(name)?)))?;
    let href = rendition.text("href");
    if href.is_empty() {
        return None;
    }
    let length = file_bytes(medium, name).unwrap_or(0);
    let media_type = match rendition.text("mimetype") {
        "" => "application/octet-stream",
        media_type => media_type,
    };
    Some(Enclosure { href: href.to_owned(), media_type: media_type.to_owned(), length })
}
