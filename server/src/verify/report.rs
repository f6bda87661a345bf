//! What was found.

use std::fmt;

use dateline_engine::Seq;
use serde_json::{Value, json};

/// Differences that are named per part; more are only counted.
const NAMED_MAX: usize = 20;

/// The result of a verification.
#[derive(Debug)]
pub(crate) struct Report {
    /// The log sequence it is about.
    pub(crate) seq: Seq,
    pub(crate) parts: Vec<Part>,
}

/// Two things that must agree.
#[derive(Debug)]
pub(crate) struct Part {
    name: &'static str,
    checked: u64,
    differences: u64,
    first: Vec<Difference>,
    /// Worth knowing, and no difference.
    notes: Vec<String>,
    more_notes: u64,
}

/// One place where they do not.
#[derive(Debug)]
pub(crate) struct Difference {
    /// What was compared.
    what: &'static str,
    /// Where.
    place: String,
    expected: String,
    found: String,
}

impl Report {
    /// All differences.
    pub(crate) fn differences(&self) -> u64 {
        self.parts.iter().map(|part| part.differences).sum()
    }

    pub(crate) fn to_json(&self) -> Value {
        let parts: serde_json::Map<_, _> =
            self.parts.iter().map(|part| (part.name.to_owned(), part.to_json())).collect();
        json!({"ok": self.differences() == 0, "seq": self.seq.get(), "differences": self.differences(), "parts": parts})
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            let Part { name, checked, differences, first, .. } = part;
            match differences {
                0 => writeln!(f, "{name}: {checked} checked, all agree")?,
                _ => writeln!(f, "{name}: {checked} checked, {differences} differ")?,
            }
            for Difference { what, place, expected, found } in first {
                writeln!(f, "  {what} {place}: expected {expected}, found {found}")?;
            }
            part.notes().try_for_each(|note| writeln!(f, "  {note}"))?;
        }
        match self.differences() {
            0 => write!(f, "everything agrees as of sequence {}", self.seq),
            count => write!(f, "{count} differences as of sequence {}", self.seq),
        }
    }
}

impl Part {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, checked: 0, differences: 0, first: Vec::new(), notes: Vec::new(), more_notes: 0 }
    }

    /// The differences another room has put into words.
    pub(crate) fn named(name: &'static str, checked: u64, words: &[String]) -> Self {
        Self::counted(name, checked, words.len() as u64, words)
    }

    /// As `named`, where only the first of `differences` are in words.
    pub(crate) fn counted(name: &'static str, checked: u64, differences: u64, words: &[String]) -> Self {
        let told = |words: &String| {
            let (place, found) = words.split_once(": ").unwrap_or(("", words));
            let expected = "agreement".to_owned();
            Difference { what: name, place: place.to_owned(), expected, found: found.to_owned() }
        };
        let first = words.iter().take(NAMED_MAX).map(told).collect();
        Self { checked, differences, first, ..Self::new(name) }
    }

    /// Counts things that were looked at.
    pub(crate) fn checked(&mut self, count: u64) {
        self.checked += count;
    }

    /// Tells something that is no difference.
    pub(crate) fn note(&mut self, text: String) {
        if self.notes.len() < NAMED_MAX {
            self.notes.push(text);
        } else {
            self.more_notes += 1;
        }
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let more = (self.more_notes > 0).then(|| format!("and {} more", self.more_notes));
        self.notes.iter().cloned().chain(more)
    }

    pub(crate) fn differ(
        &mut self,
        what: &'static str,
        place: impl fmt::Display,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) {
        self.differences += 1;
        if self.first.len() < NAMED_MAX {
            let (place, expected, found) = (place.to_string(), expected.to_string(), found.to_string());
            self.first.push(Difference { what, place, expected, found });
        }
    }

    fn to_json(&self) -> Value {
        let told = |difference: &Difference| {
            let Difference { what, place, expected, found } = difference;
            json!({"what": what, "where": place, "expected": expected, "found": found})
        };
        let first: Value = self.first.iter().map(told).collect();
        let mut json = json!({"checked": self.checked, "differences": self.differences, "first": first});
        let notes: Vec<String> = self.notes().collect();
        if !notes.is_empty() {
            json["notes"] = json!(notes);
        }
        json
    }

    #[cfg(test)]
    pub(crate) fn words(&self) -> Vec<String> {
        let told =
            |d: &Difference| format!("{} {}: expected {}, found {}", d.what, d.place, d.expected, d.found);
        self.first.iter().map(told).collect()
    }
}
