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
    /// How it compares, by one of `eq`, `ne`, `lt`, `lte`, `gt`, `gte`.
    Compare { by: Operator, wanted: Wanted },
    /// Whether it is anything but empty, zero or no.
    Exists { wanted: bool },
    /// What the server lends.
    Lent(Lent),
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
        match &self.test {
            Test::Exists { wanted } => found.is_true() == *wanted,
            _ if !found.is_present() => self.absent,
            Test::Member { wanted, negated } => is_member(found, wanted) != *negated,
            Test::Pattern { pattern, negated } => {
                found.scalar().is_some_and(|text| pattern.is_found(text.raw())) != *negated
            }
            Test::Compare { by, wanted } => compares(found, *by, wanted),
            Test::Lent(lent) => (lent.test)(&view.asked()),
        }
    }
}

fn is_member(found: &Found<'_>, wanted: &[Box<str>]) -> bool {
    found.texts().iter().any(|text| wanted.iter().any(|wanted| **wanted == *text.lower()))
}

/// False where the field's value cannot be converted, also for `ne`. A list is unequal to every text.
fn compares(found: &Found<'_>, by: Operator, wanted: &Wanted) -> bool {
    let ordering = match wanted {
        Wanted::Text(wanted) => match found.scalar() {
            Some(text) => Some(text.normal().cmp(wanted)),
            None => return by == Operator::Ne,
        },
        Wanted::Whole(wanted) => found.whole().map(|whole| whole.cmp(wanted)),
        Wanted::Flag(wanted) => found.scalar().map(|text| says_yes(text.lower()).cmp(wanted)),
    };
    ordering.is_some_and(|ordering| match by {
        Operator::Eq => ordering.is_eq(),
        Operator::Ne => ordering.is_ne(),
        Operator::Lt => ordering.is_lt(),
        Operator::Lte => ordering.is_le(),
        Operator::Gt => ordering.is_gt(),
        Operator::Gte => ordering.is_ge(),
        _ => false,
    })
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
    let resolved = Field::resolve(field, vocabularies)
        .ok_or_else(|| format!("Invalid filter conditions field {field}"))?;
    let is_lent_to = match resolved.source {
        Source::Location => matches!(operator, Operator::Within | Operator::Near),
        Source::Item => operator == Operator::Query,
        _ => false,
    };
    if operator.is_lent() && !is_lent_to {
        return Err(format!("operator {} does not apply to field {}", operator.name(), field));
    }
    let test = test(resolved.kind, operator, value, lender)?;
    let absent = match operator {
        Operator::Nin | Operator::Notlike | Operator::Ne => true,
        Operator::Eq => says_no(&value.to_lowercase()),
        _ => false,
    };
    Ok(Rule { field: fields.slot(resolved), test, absent })
}

fn test(kind: ValueKind, operator: Operator, value: &str, lender: &dyn Lender) -> Result<Test, String> {
    Ok(match operator {
        Operator::In | Operator::Match | Operator::Nin => {
            let wanted = parts(value).map(|part| member(kind, part)).collect::<Result<_, _>>()?;
            Test::Member { wanted, negated: operator == Operator::Nin }
        }
        Operator::Like | Operator::Notlike | Operator::Startswith | Operator::Endswith => {
            let negated = operator == Operator::Notlike;
            Test::Pattern { pattern: Pattern::new(operator, value)?, negated }
        }
        Operator::Eq | Operator::Ne | Operator::Lt | Operator::Lte | Operator::Gt | Operator::Gte => {
            Test::Compare { by: operator, wanted: convert(kind, value)? }
        }
        Operator::Exists => Test::Exists { wanted: says_yes(&value.to_lowercase()) },
        Operator::Within | Operator::Near | Operator::Query => Test::Lent(lender.lend(operator, value)?),
    })
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
