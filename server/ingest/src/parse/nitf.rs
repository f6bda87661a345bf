//! NITF 3.x: one story.

use super::draft::{Draft, concept, distinct, fields, one_line, set};
use super::{Parser, Reading};
use crate::document::Document;
use crate::error::{Code, IngestError};
use crate::xml::{Element, html};
use dateline_formats::Fields;
use serde_json::{Value, json};

/// The format `nitf`.
pub(super) struct Nitf;

impl Parser for Nitf {
    fn key(&self) -> &'static str {
        "nitf"
    }

    fn label(&self) -> &'static str {
        "NITF"
    }

    fn can_parse(&self, document: &Document) -> bool {
        document.xml().is_some_and(|root| root.name == "nitf")
    }

    fn parse(&self, document: &Document, _: &Reading<'_>) -> Result<Vec<Fields>, IngestError> {
        let wrong = |reason: &str| IngestError::new(Code::NITF, reason);
        let root = document.xml().ok_or_else(|| wrong("no XML"))?;
        let guid = root.attr_at(&["head", "docdata", "doc-id"], "id-string");
        if guid.is_empty() {
            return Err(wrong("there is no doc-id"));
        }
        let mut out = Draft::new("text", &guid);
        docdata(root, &mut out);
        heads(root, &mut out);
        metas(root, &mut out);
        if let Some(content) = root.at(&["body", "body.content"]) {
            let body = html(content);
            let is_bare = out.text_of("format") == "preserved" && !body.contains("<pre>");
            out.put("body_html", if is_bare { format!("<pre>{body}</pre>") } else { body });
        }
        Ok(vec![out.finish()])
    }
}

fn docdata(root: &Element, out: &mut Draft) {
    let docdata = |name: &'static str, attribute: &str| root.attr_at(&["head", "docdata", name], attribute);
    let status = root.attr_at(&["head", "docdata"], "management-status");
    if status == "embargoed" {
        out.status("usable");
        out.embargo(&docdata("date.expire", "norm"));
    } else {
        out.status(&status);
        out.time("expiry", &docdata("date.expire", "norm"));
    }
    out.put("urgency", docdata("urgency", "ed-urg").parse::<i64>().unwrap_or(5));
    out.time("firstcreated", &docdata("date.issue", "norm"));
    out.time("versioncreated", &docdata("date.issue", "norm"));
    out.line("ednote", &docdata("ed-msg", "info"));
    out.line("copyrightholder", &docdata("doc.copyright", "holder"));
    out.line("slugline", &docdata("du-key", "key"));
    let keywords = root.at(&["head", "docdata", "key-list"]).into_iter().flat_map(|list| list.all("keyword"));
    out.put("keywords", distinct(keywords.map(|keyword| keyword.attr("key").into()).filter(|key| key != "")));
    let places = root.at(&["head", "docdata"]).into_iter().flat_map(|docdata| docdata.all("evloc"));
    out.put("place", distinct(places.filter_map(evloc)));
    let tobject = root.at(&["head", "tobject"]);
    let subjects = tobject.into_iter().flat_map(|tobject| tobject.all("tobject.subject"));
    out.put("subject", distinct(subjects.filter_map(subject)));
    let genres = tobject.into_iter().flat_map(|tobject| tobject.all("tobject.property"));
    out.put(
        "genre",
        distinct(genres.filter_map(|genre| {
            let name = genre.attr("tobject.property.type");
            concept(name, name, "")
        })),
    );
}

fn subject(found: &Element) -> Option<Value> {
    let names = ["tobject.subject.detail", "tobject.subject.matter", "tobject.subject.type"];
    let name = names.into_iter().map(|name| found.attr(name)).find(|name| !name.trim().is_empty());
    concept(found.attr("tobject.subject.refnum"), name.unwrap_or_default(), "")
}

fn evloc(found: &Element) -> Option<Value> {
    let [city, state, country] = ["city", "state-prov", "county-dist"].map(|name| found.attr(name).trim());
    let code = found.attr("iso-cc").trim();
    let name = [city, state, country, code].into_iter().find(|name| !name.is_empty())?;
    let mut place = json!({"name": name, "qcode": name});
    for (field, value) in [("state", state), ("country_code", code)] {
        if !value.is_empty() {
            set(&mut place, field, value);
        }
    }
    Some(place)
}

fn heads(root: &Element, out: &mut Draft) {
    let head = |name: &'static str| root.text_at(&["body", "body.head", name]);
    let headline = root.text_at(&["body", "body.head", "hedline", "hl1"]);
    out.line(
        "headline",
        if headline.is_empty() { root.text_at(&["head", "title"]) } else { headline }.as_str(),
    );
    out.line("byline", &head("byline"));
    if let Some(summary) = root.at(&["body", "body.head", "abstract"]) {
        out.put("abstract", html(summary));
    }
    let place = ["city", "state", "country"]
        .map(|name| (name, one_line(&root.text_at(&["body", "body.head", "dateline", "location", name]))));
    out.dateline(&head("dateline"), fields(place));
    out.line("original_source", &head("distributor"));
    let companies = root.at(&["body", "body.head"]).into_iter().flat_map(|head| head.all("org"));
    let companies = companies.filter(|company| !company.attr("value").is_empty()).map(|company| {
        json!({
            "qcode": company.attr("value"), "name": one_line(&company.text()),
            "security_exchange": company.attr("idsrc"),
        })
    });
    out.put("company_codes", distinct(companies));
    for language in [root.attr("xml:lang"), &root.attr_at(&["body", "body.content"], "lang")] {
        if !out.has("language") {
            out.line("language", language);
        }
    }
}

fn metas(root: &Element, out: &mut Draft) {
    let metas = root.child("head").into_iter().flat_map(|head| head.all("meta"));
    for meta in metas {
        let content = meta.attr("content").trim();
        match meta.attr("name") {
            "anpa-keyword" => out.line("slugline", content),
            "anpa-sequence" => out.line("ingest_provider_sequence", content),
            "anpa-takekey" => out.line("anpa_take_key", content),
            "anpa-category" => {
                out.put("anpa_category", distinct(concept(&content.to_lowercase(), "", "")));
            }
            "anpa-wordcount" => out.whole("word_count", content),
            "anpa-format" if content.eq_ignore_ascii_case("t") => {
                out.put("format", "preserved");
                out.put("type", "preformatted");
            }
            _ => {}
        }
    }
}
