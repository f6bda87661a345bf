//! A collection page by page, all pages as of one sequence.

use hyper::Method;
use serde_json::{Map, Value};

use crate::cli::client::Client;
use crate::cli::outcome::Failure;
use crate::cli::percent;

const PAGE_DOCUMENTS: u64 = 500;

/// The pages of one list. The cursor carries the sequence of the first page.
pub(crate) struct Pages {
    client: Client,
    question: String,
    cursor: Option<String>,
    is_last: bool,
    seq: u64,
    total: u64,
    seen: u64,
}

/// One page.
pub(crate) struct Page {
    pub(crate) documents: Vec<Map<String, Value>>,
    /// Documents of all pages.
    pub(crate) total: u64,
}

impl Pages {
    pub(crate) fn new(client: Client, collection: &str, condition: Option<&str>, as_of: Option<u64>) -> Self {
        let mut question = format!("/api/{}?max_results={PAGE_DOCUMENTS}", percent::encode(collection));
        if let Some(condition) = condition {
            question = format!("{question}&where={}", percent::encode(condition));
        }
        if let Some(seq) = as_of {
            question = format!("{question}&as_of={seq}");
        }
        Self { client, question, cursor: None, is_last: false, seq: 0, total: 0, seen: 0 }
    }

    /// The sequence all pages are of; 0 before the first one.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// The next page, if there is one.
    ///
    /// # Errors
    /// As `Client::call`; 1 when the server ends the list too early.
    pub(crate) fn next(&mut self) -> Result<Option<Page>, Failure> {
        if self.is_last {
            return Ok(None);
        }
        let path = match &self.cursor {
            Some(cursor) => format!("{}&cursor={}", self.question, percent::encode(cursor)),
            None => self.question.clone(),
        };
        let mut body = self.client.call(Method::GET, &path, None)?;
        let number = |body: &Value, place: &str| body.pointer(place).and_then(Value::as_u64).unwrap_or(0);
        if self.cursor.is_none() {
            (self.seq, self.total) = (number(&body, "/_seq"), number(&body, "/_meta/total"));
        }
        self.cursor = body.pointer("/_meta/next_cursor").and_then(Value::as_str).map(str::to_owned);
        self.is_last = self.cursor.is_none();
        let items = body.get_mut("_items").and_then(Value::as_array_mut).map(std::mem::take);
        let documents: Vec<_> = items
            .ok_or_else(|| Failure::error("the server answered with something that is no list"))?
            .into_iter()
            .filter_map(|item| match item {
                Value::Object(document) => Some(document),
                _ => None,
            })
            .collect();
        self.seen += documents.len() as u64;
        if self.is_last && self.seen != self.total {
            return Err(Failure::error(format!("the list has {} documents, {} came", self.total, self.seen)));
        }
        Ok(Some(Page { documents, total: self.total }))
    }
}
