//! What a document's author is told: which field, and why it was refused.

/// Faults of one document body, as (field path, message).
pub type Issues = Vec<(String, String)>;

pub(crate) fn issue(field: &str, message: &str) -> Issues {
    vec![(field.to_owned(), message.to_owned())]
}

/// Keeps the value or collects its issues, so that one answer names every bad field.
pub(crate) trait Collect<T> {
    fn collect_into(self, issues: &mut Issues) -> Option<T>;
}

impl<T> Collect<T> for Result<T, Issues> {
    fn collect_into(self, issues: &mut Issues) -> Option<T> {
        self.map_err(|mut found| issues.append(&mut found)).ok()
    }
}
