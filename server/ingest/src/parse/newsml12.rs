//! NewsML 1.2: an envelope with stories, media and packages.
//!
//! A public identifier ends with the revision (`id:3N`); the item's guid is what stands before it, so that revisions are
//! versions of one item.

use super::draft::{Draft, concept, distinct, fields, one_line, set};
use super::{Parser, Reading};
use crate::document::Document;
use crate::error::{Code, IngestError};
use crate::package;
use crate::xml::{Element, escape, html};
use dateline_formats::Fields;
use serde_json::{Value, json};

/// The format `newsml12`.
pub(super) struct NewsMl12;

impl Parser for NewsMl12 {
    fn key(&self) -> &'static str {
        "newsml12"
    }

    fn label(&self) -> &'static str {
        "NewsML 1.2"
    }

    fn can_parse(&self, document: &Document) -> bool {
        document.xml().is_some_and(|root| root.name == "NewsML")
    }

    fn parse(&self, document: &Document, _: &Reading<'_>) -> Result<Vec<Fields>, IngestError> {
        let wrong = |reason: &str| IngestError::new(Code::NEWSML12, reason);
        let root = document.xml().ok_or_else(|| wrong("no XML"))?;
        let mut out = Vec::new();
        for item in root.all("NewsItem") {
            out.push(one(root, item).ok_or_else(|| wrong("an item has no identifier"))?);
        }
        if out.is_empty() { Err(wrong("there is no NewsItem")) } else { Ok(out) }
    }
}

/// The formal name of a child.
fn formal(element: &Element, path: &[&str]) -> String {
    element.attr_at(path, "FormalName")
}

fn one(root: &Element, item: &Element) -> Option<Fields> {
    let identifier = item.at(&["Identification", "NewsIdentifier"])?;
    let version = identifier.text_at(&["RevisionId"]);
    let public = identifier.text_at(&["PublicIdentifier"]);
    let guid = without_revision(&public, &version);
    let guid = if guid.is_empty() { identifier.text_at(&["NewsItemId"]) } else { guid.to_owned() };
    if guid.is_empty() {
        return None;
    }
    let content = Content::of(item);
    let mut out = Draft::new(content.kind, &guid);
    out.put("version", version);
    envelope(root, &mut out);
    management(item, &mut out);
    let components: Vec<&Element> =
        item.descendants().into_iter().filter(|element| element.name == "NewsComponent").collect();
    for component in &components {
        lines(component, &mut out);
        rights(component, &mut out);
        descriptive(component, &mut out);
    }
    let metadata = components.iter().flat_map(|component| component.all("Metadata"));
    out.put("company_codes", distinct(metadata.filter_map(company)));
    content.into_draft(&mut out);
    Some(out.finish())
}

/// `urn:x:3N` of revision 3 is `urn:x`.
fn without_revision<'a>(public: &'a str, version: &str) -> &'a str {
    let bare = public.strip_suffix(['N', 'U', 'A']).unwrap_or(public);
    let before = bare.strip_suffix(version).and_then(|before| before.strip_suffix(':'));
    match before {
        Some(before) if !version.is_empty() => before,
        _ => public,
    }
}

fn envelope(root: &Element, out: &mut Draft) {
    let Some(envelope) = root.child("NewsEnvelope") else { return };
    out.line("ingest_provider_sequence", &envelope.text_at(&["TransmissionId"]));
    out.line("original_source", &formal(envelope, &["SentFrom", "Party"]));
    out.whole("priority", &formal(envelope, &["Priority"]));
}

fn management(item: &Element, out: &mut Draft) {
    let Some(management) = item.child("NewsManagement") else { return };
    out.time("firstcreated", &management.text_at(&["FirstCreated"]));
    out.time("versioncreated", &management.text_at(&["ThisRevisionCreated"]));
    out.whole("urgency", &formal(management, &["Urgency"]));
    let status = formal(management, &["Status"]);
    if status.eq_ignore_ascii_case("embargoed") {
        out.embargo(&management.text_at(&["StatusWillChange", "DateAndTime"]));
        out.status(&formal(management, &["StatusWillChange", "FutureStatus"]));
    } else {
        out.status(&status);
    }
}

fn lines(component: &Element, out: &mut Draft) {
    let Some(lines) = component.child("NewsLines") else { return };
    let mut line = |field: &str, name: &'static str| {
        if !out.has(field) {
            out.line(field, &lines.text_at(&[name]));
        }
    };
    line("headline", "HeadLine");
    line("byline", "ByLine");
    line("slugline", "SlugLine");
    line("slugline", "KeywordLine");
    line("original_source", "CreditLine");
    line("copyrightnotice", "CopyrightLine");
    let printed = lines.text_at(&["DateLine"]);
    if !printed.is_empty() {
        out.dateline(&printed, Fields::new());
    }
    for extra in lines.all("NewsLine") {
        if formal(extra, &["NewsLineType"]) == "EditorialNote" {
            out.line("ednote", &extra.text_at(&["NewsLineText"]));
        }
    }
}

fn rights(component: &Element, out: &mut Draft) {
    let Some(rights) = component.child("RightsMetadata") else { return };
    out.line("copyrightholder", &rights.text_at(&["Copyright", "CopyrightHolder"]));
    let usage = |name: &'static str| rights.text_at(&["UsageRights", name]);
    match usage("Limitations") {
        none if none.is_empty() => out.line("usageterms", &usage("UsageType")),
        limits => {
            out.line("usageterms", &limits);
            out.line("copyrightnotice", &usage("UsageType"));
        }
    }
}

fn descriptive(component: &Element, out: &mut Draft) {
    let language = component.attr("xml:lang");
    if !language.is_empty() {
        out.line("language", language);
    }
    let Some(metadata) = component.child("DescriptiveMetadata") else { return };
    out.line("language", &formal(metadata, &["Language"]));
    let named = |name: &'static str| {
        let properties = metadata.all("Property").filter(move |own| own.attr("FormalName") == name);
        properties.map(|own| own.attr("Value").trim().to_owned()).filter(|value| !value.is_empty())
    };
    out.put("keywords", distinct(named("Keyword").map(Value::from)));
    out.put("anpa_category", distinct(named("Category").filter_map(|code| concept(&code, "", ""))));
    let subjects = metadata.all("SubjectCode").flat_map(|code| code.elements());
    let subjects =
        subjects.filter(|own| matches!(own.name.as_str(), "Subject" | "SubjectMatter" | "SubjectDetail"));
    out.put("subject", distinct(subjects.filter_map(|own| concept(own.attr("FormalName"), "", ""))));
    let genres = metadata.all("Genre").map(|genre| genre.attr("FormalName"));
    out.put("genre", distinct(genres.filter_map(|name| concept(name, name, ""))));
    let (origins, related): (Vec<&Element>, Vec<&Element>) =
        metadata.all("Location").partition(|place| place.attr("HowPresent") == "Origin");
    for place in origins {
        let parts = [("city", "City"), ("state", "CountryArea"), ("country", "Country")];
        out.dateline("", fields(parts.map(|(field, name)| (field, property(place, name)))));
    }
    out.put("place", distinct(related.into_iter().filter_map(relation)));
}

/// The value of a property of this name, empty without one.
fn property(element: &Element, name: &str) -> String {
    let found = element.all("Property").find(|own| own.attr("FormalName") == name);
    found.map(|own| one_line(own.attr("Value"))).unwrap_or_default()
}

fn relation(place: &Element) -> Option<Value> {
    let parts = [("state", "CountryArea"), ("country", "Country"), ("world_region", "WorldRegion")];
    let known = fields(parts.map(|(field, name)| (field, property(place, name))));
    let city = property(place, "City");
    let name = if city.is_empty() { known.values().next()?.as_str()?.to_owned() } else { city };
    let mut out = fields([("name", name.clone()), ("qcode", name)]);
    out.extend(known);
    Some(out.into())
}

fn company(metadata: &Element) -> Option<Value> {
    if formal(metadata, &["MetadataType"]) != "Securities Identifier" {
        return None;
    }
    let symbol = property(metadata, "Ticker Symbol");
    let company = json!({
        "qcode": symbol, "name": property(metadata, "Name"), "security_exchange": property(metadata, "Exchange"),
    });
    (!symbol.is_empty()).then_some(company)
}

/// The type of an item by a word for a medium.
fn medium(word: &str) -> &'static str {
    match word.to_ascii_lowercase().as_str() {
        "photo" | "image" | "picture" => "picture",
        "graphic" => "graphic",
        "audio" => "audio",
        "video" => "video",
        _ => "text",
    }
}

/// What an item consists of.
struct Content {
    kind: &'static str,
    summary: String,
    body: String,
    is_preserved: bool,
    renditions: Fields,
    members: Vec<String>,
}

impl Content {
    fn of(item: &Element) -> Content {
        let mut content = Content {
            kind: "text",
            summary: String::new(),
            body: String::new(),
            is_preserved: false,
            renditions: Fields::new(),
            members: Vec::new(),
        };
        let mut roles = Vec::new();
        for component in item.descendants().into_iter().filter(|element| element.name == "NewsComponent") {
            let role = formal(component, &["Role"]);
            roles.push(role.clone());
            for part in component.all("ContentItem") {
                content.part(&role, part);
            }
            for reference in component.all("NewsItemRef") {
                let id = reference.attr("NewsItem").trim();
                let version = id.rsplit(':').next().unwrap_or_default().trim_end_matches(['N', 'U', 'A']);
                content.members.push(without_revision(id, version).to_owned());
            }
        }
        if !content.members.is_empty() {
            content.kind = "composite";
        } else if content.kind == "text" && content.body.is_empty() {
            // A file that is not in the document is still what the item is about.
            content.kind =
                roles.iter().map(|role| medium(role)).find(|kind| *kind != "text").unwrap_or("text");
        }
        content
    }

    fn part(&mut self, role: &str, part: &Element) {
        let href = part.attr("Href").trim();
        let kind = medium(&formal(part, &["MediaType"]));
        if !href.is_empty() {
            if kind != "text" {
                self.kind = kind;
            }
            return self.rendition(role, href, part);
        }
        let Some(data) = part.child("DataContent") else { return };
        if role == "Abstract" {
            self.summary = escape(&data.text());
        } else if self.body.is_empty() {
            (self.body, self.is_preserved) = running(data);
        }
    }

    fn rendition(&mut self, role: &str, href: &str, part: &Element) {
        let name = if role.is_empty() { "original" } else { role };
        let mut rendition = json!({"href": href});
        let format = formal(part, &["Format"]);
        if format.contains('/') {
            set(&mut rendition, "mimetype", format);
        }
        if let Some(characteristics) = part.child("Characteristics") {
            for (field, property_name) in
                [("width", "Width"), ("height", "Height"), ("duration", "TotalDuration")]
            {
                if let Ok(number) = property(characteristics, property_name).parse::<u64>() {
                    set(&mut rendition, field, number);
                }
            }
        }
        self.renditions.insert(name.to_owned(), rendition);
    }

    fn into_draft(self, out: &mut Draft) {
        out.put("abstract", self.summary);
        out.put("body_html", self.body);
        if self.is_preserved {
            out.put("format", "preserved");
        }
        out.put("renditions", self.renditions);
        let members: Vec<&str> = self.members.iter().map(String::as_str).collect();
        if !members.is_empty() {
            out.put("groups", package::groups(&members));
        }
    }
}

/// The text of a part: of NITF or a page its body, else what stands there; and whether its spaces are meant.
fn running(data: &Element) -> (String, bool) {
    let inner = data.descendants();
    let body = inner.iter().find(|element| element.name == "body.content");
    let body = body.or_else(|| inner.iter().find(|element| element.name == "body"));
    match body {
        Some(body) => {
            let is_preserved =
                body.elements().all(|child| child.name == "pre") && body.child("pre").is_some();
            (html(body), is_preserved)
        }
        None if data.elements().next().is_some() => (html(data), false),
        None => {
            let text = data.text();
            let paragraphs = text.split("\n\n").map(|part| format!("<p>{}</p>", escape(part.trim())));
            (if text.is_empty() { text.clone() } else { paragraphs.collect() }, false)
        }
    }
}
