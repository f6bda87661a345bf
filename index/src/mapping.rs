//! What is searched in a collection: its fields with their kinds, or whatever its documents hold.

use std::collections::BTreeMap;
use std::fmt;

use dateline_engine::{Error, Result};
use serde_json::{Map, Value as Json};

use crate::language::Language;
use crate::limits::{FIELDS_MAX, PATH_BYTES_MAX};

/// The document's id.
pub(crate) const ID: &str = "_id";
/// When the document came to be.
pub(crate) const CREATED: &str = "_created";
/// When this version was written.
pub(crate) const UPDATED: &str = "_updated";
/// Fields that every collection has, from the envelope and not from the body.
pub(crate) const ALWAYS: [&str; 3] = [ID, CREATED, UPDATED];

/// How the values of a field are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By its words, in any order, as phrases and as prefixes.
    Text(Language),
    /// By the whole value, by prefix and by range.
    Keyword,
    /// By value and range; texts that are numbers count as such.
    Number,
    /// By moment, day, month or year and by range.
    Date,
    /// By `true` and `false`.
    Bool,
    /// By geohash cell of 1 to 8 characters. Values: a GeoJSON Point, `{"lat","lon"}` or `[lon, lat]`,
    /// all in degrees.
    Geo,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(language) => write!(f, "text:{}", language.code()),
            Self::Keyword => f.write_str("keyword"),
            Self::Number => f.write_str("number"),
            Self::Date => f.write_str("date"),
            Self::Bool => f.write_str("bool"),
            Self::Geo => f.write_str("geo"),
        }
    }
}

/// The searched fields of one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    language: Language,
    /// By dotted path; `None` when every field is searched by what its values look like.
    fields: Option<BTreeMap<String, Kind>>,
}

impl Mapping {
    /// Every field is searched: texts by their words, short texts, numbers, booleans and dates by value.
    #[must_use]
    pub fn derived(language: Language) -> Self {
        Self { language, fields: None }
    }

    /// Only these fields are searched. `language` is that of words without a field when no field is text.
    #[must_use]
    pub fn declared<'a>(language: Language, fields: impl IntoIterator<Item = (&'a str, Kind)>) -> Self {
        let fields = fields.into_iter().map(|(path, kind)| (path.to_owned(), kind)).collect();
        Self { language, fields: Some(fields) }
    }

    /// Reads the `search` part of a collection's definition: `true`, or
    /// `{"fields": {"title": {"type": "text", "language": "en"}}, "language": "en"}` where both are optional.
    ///
    /// # Errors
    /// `Invalid`, naming the faulty member.
    pub fn parse(search: &Json) -> Result<Self> {
        let members = match search {
            Json::Bool(true) => return Ok(Self::derived(Language::NONE)),
            Json::Object(members) => members,
            _ => return Err(Error::invalid("search: true or an object is expected")),
        };
        only(members, "search", &["fields", "language"])?;
        let language = language(members, "search")?.unwrap_or(Language::NONE);
        let Some(fields) = members.get("fields") else { return Ok(Self::derived(language)) };
        let Json::Object(fields) = fields else {
            return Err(Error::invalid("search.fields: an object is expected"));
        };
        if fields.is_empty() || fields.len() > FIELDS_MAX {
            return Err(Error::invalid(format!("search.fields: 1 to {FIELDS_MAX} fields are expected")));
        }
        let fields = fields
            .iter()
            .map(|(path, field)| Ok((path.clone(), kind(path, field, language)?)))
            .collect::<Result<_>>()?;
        Ok(Self { language, fields: Some(fields) })
    }

    pub(crate) fn is_derived(&self) -> bool {
        self.fields.is_none()
    }

    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// The declared kind of a field.
    pub(crate) fn kind(&self, path: &str) -> Option<Kind> {
        self.fields.as_ref()?.get(path).copied()
    }

    /// Declared paths, in order.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// Languages in which the whole text of a document was split, each once.
    pub(crate) fn languages(&self) -> Vec<Language> {
        let mut languages: Vec<_> = match &self.fields {
            None => vec![self.language],
            Some(fields) => fields
                .values()
                .filter_map(|kind| match kind {
                    Kind::Text(language) => Some(*language),
                    Kind::Keyword => Some(self.language),
                    _ => None,
                })
                .collect(),
        };
        languages.sort_unstable();
        languages.dedup();
        languages
    }
}

/// One line that differs whenever documents are indexed differently.
impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.language.code())?;
        match &self.fields {
            None => f.write_str(" derived"),
            Some(fields) => fields.iter().try_for_each(|(path, kind)| write!(f, " {path:?}={kind}")),
        }
    }
}

fn kind(path: &str, field: &Json, language_default: Language) -> Result<Kind> {
    let place = format!("search.fields.{path}");
    if !fits(path) {
        return Err(Error::invalid(format!(
            "{place}: a field name has 1 to {PATH_BYTES_MAX} bytes, without '\\', control characters and empty parts"
        )));
    }
    if ALWAYS.contains(&path) {
        return Err(Error::invalid(format!("{place}: is always searched and cannot be declared")));
    }
    let Json::Object(members) = field else {
        return Err(Error::invalid(format!("{place}: an object is expected")));
    };
    only(members, &place, &["type", "language"])?;
    let own_language = language(members, &place)?;
    let kind = match members.get("type").and_then(Json::as_str) {
        Some("text") => return Ok(Kind::Text(own_language.unwrap_or(language_default))),
        Some("keyword") => Kind::Keyword,
        Some("number") => Kind::Number,
        Some("date") => Kind::Date,
        Some("bool" | "boolean") => Kind::Bool,
        Some("geo") => Kind::Geo,
        _ => {
            return Err(Error::invalid(format!(
                "{place}.type: one of text, keyword, number, date, bool, geo is expected"
            )));
        }
    };
    match own_language {
        Some(_) => Err(Error::invalid(format!("{place}.language: only text has a language"))),
        None => Ok(kind),
    }
}

fn language(members: &Map<String, Json>, place: &str) -> Result<Option<Language>> {
    let Some(code) = members.get("language") else { return Ok(None) };
    code.as_str()
        .and_then(Language::from_code)
        .map(Some)
        .ok_or_else(|| Error::invalid(format!("{place}.language: one of {} is expected", Language::codes())))
}

fn only(members: &Map<String, Json>, place: &str, known: &[&str]) -> Result<()> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Error::invalid(format!("{place}.{name}: not known here"))),
        None => Ok(()),
    }
}

/// Whether a dotted path can be part of an address.
pub(crate) fn fits(path: &str) -> bool {
    path.len() <= PATH_BYTES_MAX
        && path.split('.').all(|part| !part.is_empty())
        && !path.chars().any(|c| c.is_control() || c == '\\')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn definitions_are_read() {
        let check = |search: Json, line: &str| {
            assert_eq!(Mapping::parse(&search).unwrap().to_string(), line, "{search}");
        };
        check(json!(true), "none derived");
        check(json!({}), "none derived");
        check(json!({"language": "de"}), "de derived");
        check(
            json!({"language": "en", "fields": {"title": {"type": "text"}, "b.c": {"type": "keyword"},
                "corps": {"type": "text", "language": "fr"}, "at": {"type": "date"}, "n": {"type": "number"},
                "on": {"type": "bool"}, "where": {"type": "geo"}}}),
            "en \"at\"=date \"b.c\"=keyword \"corps\"=text:fr \"n\"=number \"on\"=bool \"title\"=text:en \
             \"where\"=geo",
        );
    }

    #[test]
    fn faults_are_named() {
        let check = |search: Json, start: &str| {
            let error = Mapping::parse(&search).unwrap_err().to_string();
            assert!(error.starts_with(start), "{search}: {error}");
        };
        check(json!(false), "search: ");
        check(json!("title"), "search: ");
        check(json!({"feilds": {}}), "search.feilds: not known");
        check(json!({"fields": {}}), "search.fields: 1 to");
        check(json!({"fields": ["title"]}), "search.fields: an object");
        check(json!({"language": "klingon"}), "search.language: one of");
        check(json!({"language": 1}), "search.language: one of");
        check(json!({"fields": {"a": "text"}}), "search.fields.a: an object");
        check(json!({"fields": {"a": {}}}), "search.fields.a.type: one of");
        check(json!({"fields": {"a": {"type": "float"}}}), "search.fields.a.type: one of");
        check(json!({"fields": {"a": {"type": "date", "language": "en"}}}), "search.fields.a.language: only");
        check(json!({"fields": {"a": {"type": "text", "boost": 2}}}), "search.fields.a.boost: not known");
        check(json!({"fields": {"a..b": {"type": "text"}}}), "search.fields.a..b: a field name");
        check(json!({"fields": {"a\\": {"type": "text"}}}), "search.fields.a\\: a field name");
    }

    #[test]
    fn words_without_a_field_are_split_as_the_fields_were() {
        let mapping =
            Mapping::parse(&json!({"language": "en", "fields": {"a": {"type": "text", "language": "de"},
            "b": {"type": "text", "language": "fr"}, "c": {"type": "number"}}}));
        let codes: Vec<_> = mapping.unwrap().languages().into_iter().map(Language::code).collect();
        assert_eq!(codes, ["de", "fr"]);
    }
}
