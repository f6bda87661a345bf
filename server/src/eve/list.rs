//! One list request: the parameters of the query string, read together.

use super::cursor::{Cursor, CursorError, Fingerprint};
use super::filter::Filter;
use super::page::PageRequest;
use super::problem::Problem;
use super::projection::Projection;
use super::sort::{Sort, SortKey};

/// Decoded parameters of a query string, in order. Of a repeated name the last one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Takes pairs that are already percent-decoded.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a whole number; above `most` it is taken as `most`.
    ///
    /// # Errors
    /// 400 when it is no number, or below `least`.
    pub(crate) fn number(&self, name: &str, usual: u64, least: u64, most: u64) -> Result<u64, Problem> {
        match self.get(name) {
            None | Some("") => Ok(usual),
            Some(text) => match text.parse::<u64>() {
                Ok(number) if number >= least => Ok(number.min(most)),
                _ => Err(Problem::query(
                    name,
                    format!("expected a whole number from {least}, found '{}'", cut(text)),
                )),
            },
        }
    }

    /// Every pair, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

/// What a list request asks for, of the parameters this dialect knows; others (`q`, `near`, `as_of` ...) stay with
/// the caller, who finds them in the [`Params`].
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// `where`.
    pub filter: Filter,
    /// `sort`; by id if absent.
    pub sort: Sort,
    /// `projection`.
    pub projection: Projection,
    /// `page`, `max_results`, `cursor`.
    pub page: PageRequest,
    fingerprint: Fingerprint,
}

impl ListQuery {
    /// Reads the parameters; `sort_default` is used when the client names no order. The cursor's token is not read
    /// yet, since that takes the server's key.
    pub fn parse(resource: &str, params: &Params, sort_default: &Sort) -> Result<Self, Problem> {
        let sort = match params.get("sort").filter(|text| !text.trim().is_empty()) {
            Some(text) => Sort::parse(text)?,
            None => sort_default.clone(),
        };
        Ok(Self {
            filter: Filter::parse(params.get("where").unwrap_or_default())?,
            sort,
            projection: Projection::parse(params.get("projection").unwrap_or_default())?,
            page: PageRequest::parse(params)?,
            fingerprint: fingerprint(resource, params),
        })
    }

    /// The position the client's cursor names, if it sent one. `key` is the server's secret.
    pub fn cursor(&self, key: &[u8]) -> Result<Option<Cursor>, CursorError> {
        self.page.cursor.as_deref().map(|token| Cursor::decode(token, self.fingerprint, key)).transpose()
    }

    /// The token for the page after `last`, the last document of this page; `None` if the document's sort values are
    /// too long to travel, which leaves the client with page numbers.
    pub fn next_cursor(&self, seq: u64, last: SortKey, key: &[u8]) -> Option<String> {
        let token = Cursor { seq, after: last }.encode(self.fingerprint, key);
        Cursor::fits(&token).then_some(token)
    }
}

/// Everything that shapes the list and its order, but not what only cuts it into pages or fields.
fn fingerprint(resource: &str, params: &Params) -> Fingerprint {
    let free = ["page", "max_results", "cursor", "projection", "min_seq", "explain"];
    let mut names: Vec<&str> =
        params.iter().map(|(name, _)| name).filter(|name| !free.contains(name)).collect();
    names.sort_unstable();
    names.dedup();
    let pairs = names.iter().flat_map(|name| [*name, params.get(name).unwrap_or_default()]);
    Fingerprint::of([resource].into_iter().chain(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn query(pairs: &[(&str, &str)]) -> Result<ListQuery, Problem> {
        let params = Params::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        ListQuery::parse("ads", &params, &Sort::by_id())
    }

    /// Reads a list page by page as a server would, over documents that change between the pages.
    fn pages(documents: &mut dyn FnMut(usize) -> Vec<(String, Value)>, sort: &str) -> Vec<String> {
        let (mut seen, mut token) = (Vec::new(), String::new());
        for round in 0.. {
            let query = query(&[("sort", sort), ("max_results", "2"), ("cursor", &token)]).unwrap();
            let after = query.cursor(b"k").unwrap();
            let mut keys: Vec<SortKey> =
                documents(round).iter().map(|(id, body)| query.sort.key(body, id)).collect();
            keys.sort_by(|left, right| query.sort.compare(left, right));
            keys.retain(|key| {
                after.as_ref().is_none_or(|after| query.sort.compare(key, &after.after).is_gt())
            });
            keys.truncate(query.page.take());
            let Some(last) = keys.last() else { break };
            token = query.next_cursor(1, last.clone(), b"k").unwrap();
            seen.extend(keys.iter().map(|key| key.id().to_owned()));
        }
        seen
    }

    #[test]
    fn a_cursor_neither_skips_nor_repeats_while_documents_come_and_go() {
        let all: Vec<(String, Value)> =
            (0..7).map(|n| (format!("d{n}"), json!({"a": (n % 3) as f64 / 2.0}))).collect();
        let mut changing = |round: usize| {
            let mut now = all.clone();
            if round > 0 {
                now.insert(0, ("new".into(), json!({"a": 9})));
                now.retain(|(id, _)| id != "d2");
            }
            now
        };
        let seen = pages(&mut changing, "-a");
        assert_eq!(seen, ["d2", "d5", "d1", "d4", "d0", "d3", "d6"]);
    }

    #[test]
    fn a_cursor_belongs_to_its_query() {
        let first = query(&[("where", "{}"), ("sort", "a")]).unwrap();
        let token = first.next_cursor(5, first.sort.key(&json!({}), "x"), b"k").unwrap();
        let again = query(&[("sort", "a"), ("page", "2"), ("where", "{}"), ("cursor", &token)]).unwrap();
        assert_eq!(again.cursor(b"k").unwrap().unwrap().seq, 5);
        let other = query(&[("sort", "-a"), ("where", "{}"), ("cursor", &token)]).unwrap();
        assert_eq!(other.cursor(b"k").unwrap_err(), CursorError::OtherQuery);
        assert!(query(&[("cursor", "nonsense")]).unwrap().cursor(b"k").is_err());
        let long = first.sort.key(&json!({"a": "x".repeat(9000)}), "x");
        assert_eq!(first.next_cursor(5, long, b"k"), None);
    }

    #[test]
    fn errors_name_the_parameter() {
        for (name, value) in [("where", "{"), ("sort", "$"), ("projection", "1"), ("page", "x")] {
            let problem = query(&[(name, value)]).unwrap_err().to_json();
            assert_eq!((&problem["parameter"], &problem["status"]), (&json!(name), &json!(400)));
        }
    }
}
