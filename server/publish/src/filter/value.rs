//! What an item holds in a field, in the forms in which conditions compare it.

use std::borrow::Cow;
use std::cell::OnceCell;

use serde_json::{Number, Value};

use super::fold::fold;
use super::html;

/// The value of one field of one item.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    shape: Shape,
    is_true: bool,
    texts: Vec<Text<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Absent,
    Scalar {
        whole: Option<i64>,
    },
    List,
    /// An object where a value was looked for: present, but nothing that it could equal.
    Opaque,
}

impl<'a> Found<'a> {
    pub(crate) fn absent() -> Self {
        Self { shape: Shape::Absent, is_true: false, texts: Vec::new() }
    }

    /// A key that is there with null under it: the word `None`, and not true.
    pub(crate) fn null() -> Self {
        let shape = Shape::Scalar { whole: None };
        Self { shape, is_true: false, texts: vec![Text::new(Cow::Borrowed("None"))] }
    }

    /// A text as it stands.
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        let text = Text::new(text.into());
        Self { shape: Shape::Scalar { whole: None }, is_true: !text.raw.is_empty(), texts: vec![text] }
    }

    /// Present, without a text that could be compared.
    pub(crate) fn opaque(is_true: bool) -> Self {
        Self { shape: Shape::Opaque, is_true, texts: Vec::new() }
    }

    /// A value as it stands in the item: strings are read as HTML, null is absent.
    pub(crate) fn of_value(value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self::text(html::text(text)),
            other => Self::verbatim(other),
        }
    }

    /// A value whose strings are not HTML.
    pub(crate) fn verbatim(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::absent(),
            Value::Object(members) => Self::opaque(!members.is_empty()),
            Value::Array(elements) => Self::list(elements, elements.iter().filter_map(element_text)),
            Value::String(text) => Self::text(text.as_str()),
            Value::Number(number) => Self::of_number(number),
            Value::Bool(flag) => Self::flag(*flag),
        }
    }

    /// The `qcode` of each entry; entries without one have none.
    pub(crate) fn codes(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::absent(),
            Value::Array(entries) => Self::list(entries, entries.iter().filter_map(code_of)),
            entry => Self::list(std::slice::from_ref(entry), code_of(entry).into_iter()),
        }
    }

    /// A flag, as the words `True` and `False`.
    pub(crate) fn flag(flag: bool) -> Self {
        let shape = Shape::Scalar { whole: Some(i64::from(flag)) };
        let word = if flag { "True" } else { "False" };
        Self { shape, is_true: flag, texts: vec![Text::new(Cow::Borrowed(word))] }
    }

    fn of_number(number: &Number) -> Self {
        let real = number.as_f64().unwrap_or(f64::NAN);
        // Also 3.0 is the whole number 3; `as` saturates, which no urgency will notice.
        let whole = number.as_i64().or_else(|| real.is_finite().then_some(real as i64));
        let text = match whole {
            Some(whole) if real == whole as f64 => whole.to_string(),
            _ => number.to_string(),
        };
        let shape = Shape::Scalar { whole };
        Self { shape, is_true: real != 0.0, texts: vec![Text::new(Cow::Owned(text))] }
    }

    fn list(entries: &[Value], texts: impl Iterator<Item = Cow<'a, str>>) -> Self {
        Self { shape: Shape::List, is_true: !entries.is_empty(), texts: texts.map(Text::new).collect() }
    }

    pub(crate) fn is_present(&self) -> bool {
        self.shape != Shape::Absent
    }

    /// Whether it is anything but empty, zero or no.
    pub(crate) fn is_true(&self) -> bool {
        self.is_true
    }

    /// The elements of a list, or the one text.
    pub(crate) fn texts(&self) -> &[Text<'a>] {
        &self.texts
    }

    /// The text, if it is one value.
    pub(crate) fn scalar(&self) -> Option<&Text<'a>> {
        matches!(self.shape, Shape::Scalar { .. }).then(|| self.texts.first()).flatten()
    }

    /// The whole number it is or spells; fractions are cut off.
    pub(crate) fn whole(&self) -> Option<i64> {
        match self.shape {
            Shape::Scalar { whole: Some(whole) } => Some(whole),
            Shape::Scalar { whole: None } => self.texts.first()?.raw.trim().parse().ok(),
            _ => None,
        }
    }
}

fn code_of(entry: &Value) -> Option<Cow<'_, str>> {
    match entry {
        Value::Object(members) => element_text(members.get("qcode")?),
        other => element_text(other),
    }
}

fn element_text(element: &Value) -> Option<Cow<'_, str>> {
    match element {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "True" } else { "False" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text of an item with the forms that comparisons need, each made once.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    raw: Cow<'a, str>,
    lower: OnceCell<Box<str>>,
    folded: OnceCell<Box<str>>,
}

impl<'a> Text<'a> {
    fn new(raw: Cow<'a, str>) -> Self {
        Self { raw, lower: OnceCell::new(), folded: OnceCell::new() }
    }

    pub(crate) fn raw(&self) -> &str {
        &self.raw
    }

    pub(crate) fn lower(&self) -> &str {
        self.lower.get_or_init(|| self.raw.to_lowercase().into_boxed_str())
    }

    /// As `=` and `<` compare it: in lower case, without blanks at the ends.
    pub(crate) fn normal(&self) -> &str {
        self.lower().trim()
    }

    pub(crate) fn folded(&self) -> &str {
        self.folded.get_or_init(|| fold(&self.raw))
    }
}
