//! Why a subscriber gets an item or not, step by step.

use serde_json::{Map, Value, json};

use super::answer::Question;
use super::catalog::Catalog;
use super::plain::Plain;
use super::targets::ItemFault;
use super::truth::Truth;

/// The whole way of one item to one subscriber.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The id of the subscriber.
    pub subscriber: String,
    /// Whether it gets the item.
    pub accepted: bool,
    /// Why, in one sentence.
    pub reason: String,
    /// Everything that was asked, in its order; also what comes after the step that decided.
    pub steps: Vec<Step>,
}

/// One thing that was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What: `active`, `media`, `targets`, `global_filter`, `product`, `api_product`, `regions`, `filter`, `statement`
    /// or `condition`.
    pub check: &'static str,
    /// The id of the document that was asked.
    pub id: Option<String>,
    /// What the answer was; for a global filter, whether it lets the item pass.
    pub passed: Truth,
    /// The question with its values.
    pub text: String,
    /// Of what the answer is made.
    pub steps: Vec<Step>,
}

impl Explanation {
    /// As the API tells it: `{"subscriber", "accepted", "reason", "steps": [{"check", "id"?, "passed", "text", "steps"?}]}`.
    /// `passed` is null where nobody can say.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let steps: Vec<Value> = self.steps.iter().map(Step::to_json).collect();
        json!({"subscriber": self.subscriber, "accepted": self.accepted, "reason": self.reason, "steps": steps})
    }
}

impl Step {
    pub(super) fn new(check: &'static str, passed: impl Into<Truth>, text: String) -> Self {
        Self { check, id: None, passed: passed.into(), text, steps: Vec::new() }
    }

    pub(super) fn of(mut self, id: &str, steps: Vec<Self>) -> Self {
        self.id = Some(id.to_owned());
        self.steps = steps;
        self
    }

    fn to_json(&self) -> Value {
        let passed = match self.passed {
            Truth::True => Value::Bool(true),
            Truth::False => Value::Bool(false),
            Truth::Unknown => Value::Null,
        };
        let mut members = Map::new();
        members.insert("check".to_owned(), self.check.into());
        if let Some(id) = &self.id {
            members.insert("id".to_owned(), id.as_str().into());
        }
        members.insert("passed".to_owned(), passed);
        members.insert("text".to_owned(), self.text.as_str().into());
        if !self.steps.is_empty() {
            members.insert("steps".to_owned(), self.steps.iter().map(Self::to_json).collect());
        }
        Value::Object(members)
    }
}

impl Catalog {
    /// Explains what becomes of the item at one subscriber; `None` for a subscriber that is not there.
    ///
    /// # Errors
    /// When the item cannot be given to anybody.
    pub fn explain(
        &self,
        question: Question<'_>,
        subscriber: &str,
    ) -> Result<Option<Explanation>, ItemFault> {
        let plain = Plain::new(self, question)?;
        let found = self.subscribers.entry(subscriber);
        Ok(found.map(|(slot, subscriber)| plain.explain(slot, subscriber)))
    }

    /// Explains what becomes of the item at every subscriber, in the order of their ids.
    ///
    /// # Errors
    /// When the item cannot be given to anybody.
    pub fn explain_all(&self, question: Question<'_>) -> Result<Vec<Explanation>, ItemFault> {
        let plain = Plain::new(self, question)?;
        let all = self.subscribers.iter().map(|(slot, subscriber)| plain.explain(slot, subscriber));
        let mut all: Vec<Explanation> = all.collect();
        all.sort_unstable_by(|a, b| a.subscriber.cmp(&b.subscriber));
        Ok(all)
    }
}
