//! One filter condition: field, operator, value.

use serde_json::Value;

use super::field::{Field, Source, TAKE_KEY, ValueKind};
use super::lender::{Lender, Lent};
use super::operator::Operator;
use super::pattern::Pattern;
use super::truth::Truth;
use super::value::Found;
use super::view::{FieldSlot, Fields, View};
use super::vocabulary::Vocabulary;

/// A condition as it is stored, with what it was compiled to.
pub(crate) struct Condition {
    pub(crate) name: String,
    pub(crate) field: String,
    pub(crate) operator: String,
    pub(crate) value: String,
    /// What is wrong with it, if it cannot be judged.
    pub(crate) rule: Result<Rule, String>,
}

/// A compiled condition.
pub(crate) struct Rule {
    pub(crate) field: FieldSlot,
    pub(crate) test: Test,
    /// What it says of an item without the field.
    pub(crate) absent: bool,
}

/// What is asked of a field that is there.
pub(crate) enum Test {
    /// Whether some element equals one of these lower-case texts, or no element does.
    Member { wanted: Vec<Box<str>>, negated: bool },
    /// Whether the pattern is found, or not.
    Pattern { pattern: Pattern, negated: bool },
    /// How it compares.
    Compare { by: Comparison, wanted: Wanted },
    /// Whether it is anything but empty, zero or no.
    Exists { wanted: bool },
    /// What the server lends.
    Lent(Lent),
}

/// The comparing operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Lt,
    Lte,
    Gt,
    Gte,
}

/// A value after conversion to the type of its field; texts in lower case without blanks at the ends.
#[derive(Debug, PartialEq)]
pub(crate) enum Wanted {
    Text(Box<str>),
    Whole(i64),
    Flag(bool),
}

impl Condition {
    pub(crate) fn parse(
        document: &Value,
        fields: &mut Fields,
        vocabularies: &[Vocabulary],
        lender: &dyn Lender,
    ) -> Self {
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (name, field, operator, value) = (text("name"), text("field"), text("operator"), text("value"));
        let rule = compile(&field, &operator, &value, fields, vocabularies, lender);
        Self { name, field, operator, value, rule }
    }

    pub(crate) fn judge(&self, view: &View<'_>) -> Truth {
        let Ok(rule) = &self.rule else {
            return Truth::Unknown;
        };
        let Some(found) = view.found(rule.field) else {
            return Truth::Unknown;
        };
        rule.judge(found, view).into()
    }
}

impl Rule {
    pub(crate) fn judge(&self, found: &Found<'_>, view: &View<'_>) -> bool {
        if let Test::Exists { wanted } = self.test {
            return found.is_true() == wanted;
        }
        if !found.is_present() {
            return self.absent;
        }
        match &self.test {
            Test::Member { wanted, negated } => is_member(found, wanted) != *negated,
            Test::Pattern { pattern, negated } => {
                found.scalar().is_some_and(|text| pattern.is_found(text.raw())) != *negated
            }
            Test::Compare { by, wanted } => by.holds(found, wanted),
            Test::Exists { wanted } => found.is_true() == *wanted,
            Test::Lent(lent) => (lent.test)(&view.asked()),
        }
    }
}

fn is_member(found: &Found<'_>, wanted: &[Box<str>]) -> bool {
    found.texts().iter().any(|text| wanted.iter().any(|wanted| **wanted == *text.lower()))
}

impl Comparison {
    fn of(operator: Operator) -> Option<Self> {
        Some(match operator {
            Operator::Eq => Self::Eq,
            Operator::Ne => Self::Ne,
            Operator::Lt => Self::Lt,
            Operator::Lte => Self::Lte,
            Operator::Gt => Self::Gt,
            Operator::Gte => Self::Gte,
            _ => return None,
        })
    }

    /// False where the field's value cannot be converted, also for `ne`. A list is unequal to every text.
    fn holds(self, found: &Found<'_>, wanted: &Wanted) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let ordering = match wanted {
            Wanted::Text(wanted) => match found.scalar() {
                Some(text) => Some(text.normal().cmp(wanted)),
                None => return self == Self::Ne,
            },
            Wanted::Whole(wanted) => found.whole().map(|whole| whole.cmp(wanted)),
            Wanted::Flag(wanted) => found.scalar().map(|text| says_yes(text.lower()).cmp(wanted)),
        };
        ordering.is_some_and(|ordering| match self {
            Self::Eq => ordering == Equal,
            Self::Ne => ordering != Equal,
            Self::Lt => ordering == Less,
            Self::Lte => ordering != Greater,
            Self::Gt => ordering == Greater,
            Self::Gte => ordering != Less,
        })
    }
}

fn says_yes(lower: &str) -> bool {
    matches!(lower, "yes" | "true" | "t" | "1")
}

fn says_no(lower: &str) -> bool {
    matches!(lower, "no" | "false" | "f" | "0")
}

fn compile(
    field: &str,
    operator: &str,
    value: &str,
    fields: &mut Fields,
    vocabularies: &[Vocabulary],
    lender: &dyn Lender,
) -> Result<Rule, String> {
    let operator =
        Operator::named(operator).ok_or_else(|| format!("Invalid filter conditions operator {operator}"))?;
    let field = Field::resolve(field, vocabularies)
        .ok_or_else(|| format!("Invalid filter conditions field {field}"))?;
    let is_lent_to = match field.source {
        Source::Location => matches!(operator, Operator::Within | Operator::Near),
        Source::Item => operator == Operator::Query,
        _ => false,
    };
    if operator.is_lent() && !is_lent_to {
        return Err(format!("operator {} does not apply to field {}", operator.name(), field.name));
    }
    let test = test(&field, operator, value, lender)?;
    let absent = match operator {
        Operator::Nin | Operator::Notlike | Operator::Ne => true,
        Operator::Eq => says_no(&value.to_lowercase()),
        _ => false,
    };
    Ok(Rule { field: fields.slot(field), test, absent })
}

fn test(field: &Field, operator: Operator, value: &str, lender: &dyn Lender) -> Result<Test, String> {
    if operator.is_lent() {
        return lender.lend(operator, value).map(Test::Lent);
    }
    if operator.takes_list() {
        let wanted = parts(value).map(|part| member(field.kind, part)).collect::<Result<_, _>>()?;
        return Ok(Test::Member { wanted, negated: operator == Operator::Nin });
    }
    if let Some(by) = Comparison::of(operator) {
        return Ok(Test::Compare { by, wanted: convert(field.kind, value)? });
    }
    if operator == Operator::Exists {
        return Ok(Test::Exists { wanted: says_yes(&value.to_lowercase()) });
    }
    let negated = operator == Operator::Notlike;
    Ok(Test::Pattern { pattern: Pattern::new(operator, value)?, negated })
}

/// A value with a comma, but not at its beginning, is a list. Its parts keep their blanks.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    let value = value.trim();
    let is_list = value.find(',').is_some_and(|at| at > 0);
    let (list, one) = if is_list { (Some(value.split(',')), None) } else { (None, Some(value)) };
    list.into_iter().flatten().chain(one)
}

/// A part of a list as it is compared. Of flags any text but the empty one is true, so that `false` wants
/// what `true` wants: clients may have conditions that lean on it.
fn member(kind: ValueKind, part: &str) -> Result<Box<str>, String> {
    Ok(match kind {
        ValueKind::Text => part.to_lowercase().into_boxed_str(),
        ValueKind::Whole => whole(part)?.to_string().into_boxed_str(),
        ValueKind::Flag => if part.is_empty() { "false" } else { "true" }.into(),
    })
}

fn convert(kind: ValueKind, value: &str) -> Result<Wanted, String> {
    Ok(match kind {
        ValueKind::Text => Wanted::Text(value.to_lowercase().trim().into()),
        ValueKind::Whole => Wanted::Whole(whole(value)?),
        ValueKind::Flag => Wanted::Flag(says_yes(&value.to_lowercase())),
    })
}

fn whole(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| format!("'{text}' is not a whole number"))
}

/// Whether a condition with this field may be saved although nothing can judge it.
pub(crate) fn is_tolerated(field: &str) -> bool {
    field == TAKE_KEY
}
