//! What people choose from when they write a condition.

use super::catalog::Catalog;
use super::field::{BUILT, vocabulary_operators};
use super::operator::Operator;
use super::vocabulary::Kind;

/// A field with its operators.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    /// The name of the field.
    pub field: String,
    /// What people call it.
    pub label: String,
    /// The operators that make sense with it; others are taken too.
    pub operators: Vec<Operator>,
    /// Where its values come from.
    pub values: Values,
}

/// Where the values of a field come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Anything may be written.
    Free,
    /// Yes or no.
    YesNo,
    /// The codes of a vocabulary.
    Vocabulary(String),
    /// The ids of a collection.
    Collection(&'static str),
}

impl Values {
    /// The key of a value that goes into the condition.
    #[must_use]
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Free => None,
            Self::YesNo => Some("name"),
            Self::Vocabulary(_) => Some("qcode"),
            Self::Collection(_) => Some("_id"),
        }
    }

    fn of_built(field: &str) -> Self {
        let vocabulary = |name: &str| Self::Vocabulary(name.to_owned());
        match field {
            "anpa_category" => vocabulary("categories"),
            "urgency" | "priority" | "genre" | "type" => vocabulary(field),
            "subject" => vocabulary("subjectcodes"),
            "place" => vocabulary("locators"),
            "desk" => Self::Collection("desks"),
            "stage" => Self::Collection("stages"),
            "ingest_provider" => Self::Collection("ingest_providers"),
            "profile" => Self::Collection("content_types"),
            "sms" | "embargo" | "featuremedia" => Self::YesNo,
            _ => Self::Free,
        }
    }
}

impl Catalog {
    /// All fields, the built-in ones first.
    #[must_use]
    pub fn offered(&self) -> Vec<Offered> {
        let built = BUILT.iter().map(|built| Offered {
            field: built.name.to_owned(),
            label: built.label.to_owned(),
            operators: built.operators.to_vec(),
            values: Values::of_built(built.name),
        });
        let is_new = |id: &str| BUILT.iter().all(|built| built.name != id);
        let own = self.vocabularies.iter().filter(|own| is_new(&own.id)).map(|vocabulary| Offered {
            field: vocabulary.id.to_string(),
            label: vocabulary.label.clone(),
            operators: vocabulary_operators(vocabulary.kind).to_vec(),
            values: match vocabulary.kind {
                Kind::Text => Values::Free,
                Kind::Codes | Kind::Languages => Values::Vocabulary(vocabulary.id.to_string()),
            },
        });
        built.chain(own).collect()
    }

    /// The operators that are offered with a field.
    pub(crate) fn operators_of(&self, field: &str) -> Vec<Operator> {
        let offered = self.offered().into_iter().find(|offered| offered.field == field);
        offered.map(|offered| offered.operators).unwrap_or_default()
    }
}
