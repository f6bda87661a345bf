//! NewsML-G2: a message with news items and packages, or one of these by itself.
//!
//! Versions of an item share its guid; the version stands beside it.

use super::draft::{Draft, concept, distinct, fields, one_line, set};
use super::{Parser, Reading};
use crate::document::Document;
use crate::error::{Code, IngestError};
use crate::package;
use crate::xml::{Element, escape, html};
use dateline_formats::Fields;
use serde_json::{Value, json};

/// The format `newsml2`.
pub(super) struct NewsMlG2;

impl Parser for NewsMlG2 {
    fn key(&self) -> &'static str {
        "newsml2"
    }

    fn label(&self) -> &'static str {
        "NewsML-G2"
    }

    fn can_parse(&self, document: &Document) -> bool {
        document
            .xml()
            .is_some_and(|root| matches!(root.name.as_str(), "newsMessage" | "newsItem" | "packageItem"))
    }

    fn parse(&self, document: &Document, _: &Reading<'_>) -> Result<Vec<Fields>, IngestError> {
        let wrong = |reason: &str| IngestError::new(Code::NEWSMLG2, reason);
        let root = document.xml().ok_or_else(|| wrong("no XML"))?;
        let is_item = |element: &&Element| matches!(element.name.as_str(), "newsItem" | "packageItem");
        let mut items: Vec<&Element> =
            root.all("itemSet").flat_map(|set| set.elements()).filter(is_item).collect();
        items.extend(Some(root).filter(is_item));
        let header = root.child("header");
        let found = items.into_iter().map(|item| one(header, item));
        let found: Option<Vec<Fields>> = found.collect();
        let found = found.ok_or_else(|| wrong("an item has no guid"))?;
        if found.is_empty() { Err(wrong("there is no item")) } else { Ok(found) }
    }
}

/// What stands behind the prefix of a code: `stat:usable` is `usable`.
fn bare(qcode: &str) -> &str {
    qcode.split_once(':').map_or(qcode, |(_, code)| code).trim()
}

/// Prefix and code.
fn parted(qcode: &str) -> (&str, &str) {
    qcode.trim().split_once(':').unwrap_or(("", qcode.trim()))
}

fn one(header: Option<&Element>, item: &Element) -> Option<Fields> {
    let guid = item.attr("guid").trim();
    if guid.is_empty() {
        return None;
    }
    let class = item.attr_at(&["itemMeta", "itemClass"], "qcode");
    let kind = match bare(&class) {
        kind @ ("picture" | "audio" | "video" | "graphic" | "composite") => kind,
        "animation" => "video",
        _ if item.name == "packageItem" => "composite",
        _ => "text",
    };
    let mut out = Draft::new(kind, guid);
    out.put("version", item.attr("version").trim());
    out.line("language", item.attr("xml:lang"));
    if let Some(header) = header {
        out.line("ingest_provider_sequence", &header.text_at(&["transmitId"]));
        out.whole("priority", &header.text_at(&["priority"]));
    }
    item_meta(item, &mut out);
    content_meta(item, kind, &mut out);
    for (field, path) in [
        ("copyrightholder", &["rightsInfo", "copyrightHolder"][..]),
        ("copyrightnotice", &["rightsInfo", "copyrightNotice"]),
        ("usageterms", &["rightsInfo", "usageTerms"]),
    ] {
        out.line(field, &item.text_at(path));
    }
    out.put("company_codes", companies(item));
    if kind == "composite" {
        out.put("groups", groups(item));
    } else {
        content_set(item, &mut out);
    }
    Some(out.finish())
}

fn item_meta(item: &Element, out: &mut Draft) {
    let Some(meta) = item.child("itemMeta") else { return };
    out.time("versioncreated", &meta.text_at(&["versionCreated"]));
    out.time("firstcreated", &meta.text_at(&["firstCreated"]));
    out.embargo(&meta.text_at(&["embargoed"]));
    out.status(bare(&meta.attr_at(&["pubStatus"], "qcode")));
    out.line("ednote", &meta.text_at(&["edNote"]));
    let signals = meta.all("signal").filter(|signal| !matches!(bare(signal.attr("qcode")), "" | "update"));
    let signals =
        signals.map(|signal| json!({"qcode": signal.attr("qcode"), "name": bare(signal.attr("qcode"))}));
    out.put("signal", distinct(signals));
    out.line("original_source", &meta.text_at(&["provider", "name"]));
}

fn content_meta(item: &Element, kind: &str, out: &mut Draft) {
    let Some(meta) = item.child("contentMeta") else { return };
    out.whole("urgency", &meta.text_at(&["urgency"]));
    for (field, name) in [("slugline", "slugline"), ("headline", "headline"), ("byline", "by")] {
        out.line(field, &meta.text_at(&[name]));
    }
    if !out.has("byline") {
        out.line("byline", &meta.text_at(&["creator", "name"]));
    }
    let language = meta.attr_at(&["language"], "tag");
    if !language.is_empty() {
        out.line("language", &language);
    }
    let description = meta.text_at(&["description"]);
    out.put(
        if kind == "text" { "abstract" } else { "description_text" },
        match kind {
            "text" => escape(&description),
            _ => description,
        },
    );
    let sources = meta
        .all("infoSource")
        .filter(|own| own.attr("role").is_empty() || bare(own.attr("role")) == "source");
    for source in sources {
        let name = source.text_at(&["name"]);
        out.line("original_source", if name.is_empty() { source.attr("literal") } else { &name });
    }
    out.line("original_source", &meta.text_at(&["creditline"]));
    let keywords = meta.all("keyword").map(|own| one_line(&own.text())).filter(|text| !text.is_empty());
    out.put("keywords", distinct(keywords.map(Value::from)));
    let genres = meta.all("genre").filter_map(|genre| {
        let name = english(genre);
        concept(genre.attr("qcode"), &name, "")
    });
    out.put("genre", distinct(genres));
    subjects(meta, out);
    if let Some(located) = meta.child("located") {
        let broader = |code: &str| {
            let found = located.all("broader").find(|own| own.attr("qcode") == code);
            found.map(|own| one_line(&own.text_at(&["name"]))).unwrap_or_default()
        };
        out.dateline(
            "",
            fields([
                ("city", one_line(&located.text_at(&["name"]))),
                ("state", broader("loctyp:CountryArea")),
                ("country", broader("loctyp:Country")),
            ]),
        );
    }
    out.dateline(&meta.text_at(&["dateline"]), Fields::new());
}

/// The English name, else the first.
fn english(element: &Element) -> String {
    let mut names = element.all("name");
    let english = element.all("name").find(|name| name.attr("xml:lang").starts_with("en"));
    english.or_else(|| names.next()).map(|name| one_line(&name.text())).unwrap_or_default()
}

/// Subjects are topics, places, categories and companies, by their codes.
fn subjects(meta: &Element, out: &mut Draft) {
    let (mut topics, mut places, mut categories) = (Vec::new(), Vec::new(), Vec::new());
    for subject in meta.all("subject") {
        let (prefix, code) = parted(subject.attr("qcode"));
        let name = english(subject);
        let is_place = matches!(subject.attr("type"), "cptType:5" | "cpnat:geoArea" | "cpnat:poi");
        match prefix {
            "cat" => categories.extend(concept(code, &name, "")),
            "loctyp" => places.extend(listed_place(subject, code)),
            _ if is_place => places.extend(area(subject, prefix, code)),
            "subj" | "medtop" => topics.extend(concept(code, &name, "")),
            _ => {}
        }
    }
    out.put("subject", distinct(topics));
    out.put("place", distinct(places));
    out.put("anpa_category", distinct(categories));
}

/// A place by the names of its levels.
fn listed_place(subject: &Element, level: &str) -> Option<Value> {
    let name = one_line(&subject.text_at(&["name"]));
    let mut out = fields([("name", name.clone()), ("qcode", name.clone())]);
    let broader = subject.all("broader").map(|own| {
        let (_, level) = parted(own.attr("qcode"));
        (level, one_line(&own.text_at(&["name"])))
    });
    for (level, name) in std::iter::once((level, name)).chain(broader) {
        let field = match level {
            "CountryArea" => "state",
            "Country" => "country",
            "WorldArea" => "world_region",
            _ => continue,
        };
        out.insert(field.to_owned(), name.into());
    }
    out.contains_key("name").then(|| out.into())
}

/// A place with a code of its own, and perhaps where it is.
fn area(subject: &Element, prefix: &str, code: &str) -> Option<Value> {
    let name = english(subject);
    let scheme = if prefix == "geonames" { prefix } else { "" };
    let mut out = concept(code, &name, scheme)?;
    if prefix == "geonames" {
        set(&mut out, "code", code);
    }
    for broader in subject.all("broader") {
        let (kind, (_, code)) = (broader.attr("type"), parted(broader.attr("qcode")));
        let name = one_line(&broader.text_at(&["name"]));
        let (field, own) = match kind {
            "cptype:statprov" => ("state", code.split_once('-').map_or(code, |(_, state)| state)),
            "cptype:country" | "cptType:5" => ("country", code),
            _ => continue,
        };
        set(&mut out, field, name);
        set(&mut out, &format!("{field}_code"), own);
    }
    let degrees = |attribute: &str, most: f64| {
        let text = subject.attr_at(&["geoAreaDetails", "position"], attribute);
        text.parse::<f64>().ok().filter(|degrees| degrees.abs() <= most)
    };
    if let (Some(lat), Some(lon)) = (degrees("latitude", 90.0), degrees("longitude", 180.0)) {
        set(&mut out, "location", json!({"lat": lat, "lon": lon}));
    }
    Some(out)
}

fn companies(item: &Element) -> Vec<Value> {
    let name_of = |literal: &str| {
        let subjects = item.child("contentMeta").into_iter().flat_map(|meta| meta.all("subject"));
        let mut own = subjects.filter(|subject| subject.attr("literal") == literal);
        own.next().map(|subject| one_line(&subject.text_at(&["name"]))).unwrap_or_default()
    };
    let found = item.all("assert").filter_map(|assert| {
        let instrument = assert.at(&["organisationDetails", "hasInstrument"])?;
        let symbol = instrument.attr("symbol");
        (!symbol.is_empty()).then(|| {
            json!({
                "qcode": symbol, "name": name_of(assert.attr("literal")),
                "security_exchange": instrument.attr("marketlabel"),
            })
        })
    });
    distinct(found)
}

fn groups(item: &Element) -> Vec<Value> {
    let references =
        item.all("groupSet").flat_map(|set| set.all("group")).flat_map(|group| group.all("itemRef"));
    let members: Vec<&str> =
        references.map(|reference| reference.attr("residref").trim()).filter(|id| !id.is_empty()).collect();
    package::groups(&members)
}

fn content_set(item: &Element, out: &mut Draft) {
    let Some(set) = item.child("contentSet") else { return };
    let mut renditions = Fields::new();
    for content in set.elements() {
        match content.name.as_str() {
            "inlineXML" if !out.has("body_html") => inline_xml(content, out),
            "inlineData" if !out.has("body_html") => {
                let text = escape(&content.verbatim());
                if content.attr("contenttype") == "text/plain" {
                    out.put("format", "preserved");
                    out.put("body_html", format!("<pre>{text}</pre>"));
                } else {
                    out.put("body_html", content.text());
                }
            }
            "remoteContent" => {
                let name = match bare(content.attr("rendition")) {
                    "" => "original",
                    name => name,
                };
                renditions.extend(remote(content).map(|rendition| (name.to_owned(), rendition)));
            }
            _ => {}
        }
    }
    out.put("renditions", renditions);
}

fn inline_xml(content: &Element, out: &mut Draft) {
    let inner = content.descendants();
    let find = |name: &str| inner.iter().find(|element| element.name == name);
    let body = find("body.content").or_else(|| find("body"));
    out.put("body_html", html(body.copied().unwrap_or(content)));
    // What G2 itself has no room for, its story may say.
    if let Some(summary) = find("abstract").filter(|_| !out.has("abstract")) {
        out.put("abstract", html(summary));
    }
    let keywords =
        inner.iter().filter(|element| element.name == "keyword" && !element.attr("key").is_empty());
    if !out.has("keywords") {
        out.put("keywords", distinct(keywords.map(|keyword| keyword.attr("key").into())));
    }
}

fn remote(content: &Element) -> Option<Value> {
    let href = content.attr("href").trim();
    if href.is_empty() {
        return None;
    }
    let mut rendition = json!({"href": href});
    if !content.attr("contenttype").is_empty() {
        set(&mut rendition, "mimetype", content.attr("contenttype"));
    }
    for field in ["width", "height", "duration", "size"] {
        if let Ok(number) = content.attr(field).trim().parse::<u64>() {
            set(&mut rendition, field, number);
        }
    }
    Some(rendition)
}
