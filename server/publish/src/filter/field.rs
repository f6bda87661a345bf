//! The fields that conditions ask for, and where they are in an item.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::operator::Operator;
use super::place;
use super::value::Found;
use super::vocabulary::{Kind, Vocabulary};

/// What a condition asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) source: Source,
    pub(crate) kind: ValueKind,
}

/// Where a field is read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// A key of the item; strings are HTML.
    Key(&'static str),
    /// The qcodes of the entries under a key.
    Codes(&'static str),
    /// A key of `task`.
    Task(&'static str),
    /// `flags.marked_for_sms`.
    Sms,
    /// Whether an embargo is still running.
    Embargo,
    /// `associations.featuremedia._id`.
    FeatureMedia,
    /// `extra.<id>`: a vocabulary of type text.
    Extra(Box<str>),
    /// Subjects of a scheme: a vocabulary of codes.
    Scheme(Box<str>),
    /// The places of the item.
    Location,
    /// The item as a whole.
    Item,
}

/// What the value of a condition is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Text,
    Whole,
    Flag,
}

use Operator::{
    Endswith, Eq, Exists, Gt, Gte, In, Like, Lt, Lte, Match, Ne, Near, Nin, Notlike, Query, Startswith,
    Within,
};

const CODES: &[Operator] = &[In, Nin];
const NUMBERS: &[Operator] = &[In, Nin, Eq, Ne, Lt, Lte, Gt, Gte];
const WORDS: &[Operator] = &[In, Nin, Eq, Ne, Like, Notlike, Startswith, Endswith];
const EXACT: &[Operator] = &[In, Nin, Eq, Ne];

/// A field that is always there, as it is offered.
pub(crate) struct Built {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) source: Source,
    pub(crate) kind: ValueKind,
    pub(crate) operators: &'static [Operator],
}

const fn built(
    name: &'static str,
    label: &'static str,
    source: Source,
    kind: ValueKind,
    operators: &'static [Operator],
) -> Built {
    Built { name, label, source, kind, operators }
}

/// All built-in fields. `anpa_take_key` is offered, but only a vocabulary of that id gives it a meaning.
pub(crate) static BUILT: [Built; 24] = [
    built("anpa_category", "ANPA Category", Source::Codes("anpa_category"), ValueKind::Text, CODES),
    built("urgency", "Urgency", Source::Key("urgency"), ValueKind::Whole, NUMBERS),
    built("priority", "Priority", Source::Key("priority"), ValueKind::Whole, NUMBERS),
    built("genre", "Genre", Source::Codes("genre"), ValueKind::Text, CODES),
    built("subject", "Subject", Source::Codes("subject"), ValueKind::Text, CODES),
    built("keywords", "Keywords", Source::Key("keywords"), ValueKind::Text, CODES),
    built("slugline", "Slugline", Source::Key("slugline"), ValueKind::Text, WORDS),
    built("source", "Source", Source::Key("source"), ValueKind::Text, WORDS),
    built("headline", "Headline", Source::Key("headline"), ValueKind::Text, WORDS),
    built("ednote", "Ednote", Source::Key("ednote"), ValueKind::Text, WORDS),
    built("type", "Type", Source::Key("type"), ValueKind::Text, EXACT),
    built(
        "body_html",
        "Body HTML",
        Source::Key("body_html"),
        ValueKind::Text,
        &[In, Nin, Like, Notlike, Startswith, Endswith],
    ),
    built("desk", "Desk", Source::Task("desk"), ValueKind::Text, EXACT),
    built("stage", "Stage", Source::Task("stage"), ValueKind::Text, EXACT),
    built("sms", "SMS", Source::Sms, ValueKind::Flag, EXACT),
    built("place", "Place", Source::Codes("place"), ValueKind::Text, &[Match, In, Nin]),
    built("ingest_provider", "Ingest Provider", Source::Key("ingest_provider"), ValueKind::Text, &[Eq, Ne]),
    built("embargo", "Embargo", Source::Embargo, ValueKind::Flag, &[Eq, Ne]),
    built("featuremedia", "Featuremedia", Source::FeatureMedia, ValueKind::Flag, &[Exists]),
    built("agendas", "Agendas", Source::Key("agendas"), ValueKind::Text, CODES),
    built("profile", "Profile", Source::Key("profile"), ValueKind::Text, EXACT),
    built("location", "Location", Source::Location, ValueKind::Text, &[Within, Near, Exists]),
    built("fulltext", "Full text", Source::Item, ValueKind::Text, &[Query]),
    built(TAKE_KEY, "ANPA Take Key", Source::Item, ValueKind::Text, WORDS),
];

/// Accepted when a condition is saved, and then never to be judged.
pub(crate) const TAKE_KEY: &str = "anpa_take_key";

/// The operators of a vocabulary field.
pub(crate) fn vocabulary_operators(kind: Kind) -> &'static [Operator] {
    match kind {
        Kind::Text => WORDS,
        Kind::Codes | Kind::Languages => CODES,
    }
}

impl Field {
    /// The field of that name; `None` when neither the list nor a vocabulary has it.
    pub(crate) fn resolve(name: &str, vocabularies: &[Vocabulary]) -> Option<Self> {
        if let Some(built) = BUILT.iter().find(|built| built.name == name && name != TAKE_KEY) {
            return Some(Self { source: built.source.clone(), kind: built.kind });
        }
        let vocabulary = vocabularies.iter().find(|vocabulary| &*vocabulary.id == name)?;
        let source = match vocabulary.kind {
            Kind::Languages => Source::Key("language"),
            Kind::Text => Source::Extra(name.into()),
            Kind::Codes => Source::Scheme(name.into()),
        };
        Some(Self { source, kind: ValueKind::Text })
    }

    /// What the item holds in it.
    pub(crate) fn read<'a>(&self, item: &'a Value, now: Timestamp) -> Found<'a> {
        match &self.source {
            Source::Key(key) => item.get(key).map_or_else(Found::absent, Found::of_value),
            Source::Codes(key) => item.get(key).map_or_else(Found::absent, Found::codes),
            Source::Task(key) => member(item, "task", key).map_or_else(Found::absent, present),
            Source::Sms => member(item, "flags", "marked_for_sms").map_or_else(Found::absent, present),
            Source::Embargo => embargo(item, now),
            Source::FeatureMedia => {
                let id = item.pointer("/associations/featuremedia/_id");
                id.map_or_else(Found::absent, present)
            }
            Source::Extra(id) => member(item, "extra", id).map_or_else(Found::absent, extra),
            Source::Scheme(id) => scheme(item, id),
            Source::Location => match place::of_item(item).is_empty() {
                true => Found::absent(),
                false => Found::opaque(true),
            },
            Source::Item => Found::opaque(true),
        }
    }
}

fn member<'a>(item: &'a Value, object: &str, key: &str) -> Option<&'a Value> {
    item.get(object).and_then(Value::as_object).and_then(|members: &Map<_, _>| members.get(key))
}

/// Here the key alone makes it present: null is the word `None`.
fn present(value: &Value) -> Found<'_> {
    if value.is_null() { Found::null() } else { Found::verbatim(value) }
}

fn extra(value: &Value) -> Found<'_> {
    if value.is_null() { Found::null() } else { Found::of_value(value) }
}

fn embargo(item: &Value, now: Timestamp) -> Found<'static> {
    let is_set = item.get("embargo").map(Found::verbatim).is_some_and(|found| found.is_true());
    if !is_set {
        return Found::absent();
    }
    let until = member(item, "schedule_settings", "utc_embargo").and_then(Value::as_str).and_then(instant);
    Found::flag(until.is_some_and(|until| until > now))
}

/// A time with its offset; `+0000` as well as `Z` and `+00:00`.
fn instant(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok()
}

/// Any subject of the scheme makes it present, and then the codes of all subjects count, whatever their scheme:
/// clients may have filters that lean on it.
fn scheme<'a>(item: &'a Value, id: &str) -> Found<'a> {
    let Some(subjects) = item.get("subject") else {
        return Found::absent();
    };
    let is_of_scheme = |subject: &Value| subject.get("scheme").and_then(Value::as_str) == Some(id);
    let entries = subjects.as_array().map_or(std::slice::from_ref(subjects), Vec::as_slice);
    if entries.iter().any(is_of_scheme) { Found::codes(subjects) } else { Found::absent() }
}
