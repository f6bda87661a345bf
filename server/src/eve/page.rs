//! `page`, `max_results` and `_meta`.

use serde_json::{Value, json};

use super::list::Params;
use super::problem::Problem;

/// Documents on a page when the client does not say.
pub const MAX_RESULTS_DEFAULT: u64 = 25;
/// Documents on a page at most; larger wishes are cut to it, as Eve does.
pub const MAX_RESULTS_MAX: u64 = 500;

/// The page a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// From 1.
    pub page: u64,
    /// 0 to [`MAX_RESULTS_MAX`]; 0 asks for the count alone.
    pub max_results: u64,
    /// The token of a cursor, still unread. When present it decides where the page begins, and `page` only counts.
    pub cursor: Option<String>,
}

impl PageRequest {
    /// Reads `page`, `max_results` and `cursor`. An empty `cursor` begins a list, as its absence does.
    pub fn parse(params: &Params) -> Result<Self, Problem> {
        let page = params.number("page", 1, 1, u64::from(u32::MAX))?;
        let max_results = params.number("max_results", MAX_RESULTS_DEFAULT, 0, MAX_RESULTS_MAX)?;
        let cursor = params.get("cursor").filter(|token| !token.is_empty()).map(str::to_owned);
        Ok(Self { page, max_results, cursor })
    }

    /// Documents before the page; 0 with a cursor, which says itself where to begin.
    pub fn skip(&self) -> u64 {
        match self.cursor {
            Some(_) => 0,
            None => (self.page - 1).saturating_mul(self.max_results),
        }
    }

    /// Documents of the page.
    pub fn take(&self) -> usize {
        // At most MAX_RESULTS_MAX, so the cast keeps the number.
        self.max_results as usize
    }
}

/// `_meta` of a list, and whether the list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListMeta {
    /// The page, from 1.
    pub page: u64,
    /// Documents on a page at most.
    pub max_results: u64,
    /// Documents of the whole list; `None` if nobody counted.
    pub total: Option<u64>,
    /// Whether documents follow this page.
    pub more: bool,
}

impl ListMeta {
    /// The meta of a page.
    pub fn new(page: &PageRequest, total: Option<u64>, more: bool) -> Self {
        Self { page: page.page, max_results: page.max_results, total, more }
    }

    /// The number of the last page, if it is known.
    pub fn last_page(&self) -> Option<u64> {
        let total = self.total?;
        total.checked_add(self.max_results.checked_sub(1)?)?.checked_div(self.max_results)
    }

    /// `{"page", "max_results", "total"}`, and `next_cursor` if there is one.
    pub fn to_json(&self, next_cursor: Option<&str>) -> Value {
        let mut meta = json!({"page": self.page, "max_results": self.max_results});
        if let Some(total) = self.total {
            meta["total"] = total.into();
        }
        if let Some(cursor) = next_cursor.filter(|_| self.more) {
            meta["next_cursor"] = cursor.into();
        }
        meta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(params: &[(&str, &str)], expected: Result<(u64, u64, u64), &str>) {
        let params =
            Params::new(params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let found = PageRequest::parse(&params);
        match (&found, expected) {
            (Ok(page), Ok(expected)) => assert_eq!((page.page, page.max_results, page.skip()), expected),
            (Err(problem), Err(expected)) => assert_eq!(problem.detail(), expected),
            _ => panic!("{params:?}: {found:?}"),
        }
    }

    #[test]
    fn requests() {
        check(&[], Ok((1, 25, 0)));
        check(&[("page", "3"), ("max_results", "10")], Ok((3, 10, 20)));
        check(&[("max_results", "9999")], Ok((1, 500, 0)));
        check(&[("max_results", "0"), ("page", "")], Ok((1, 0, 0)));
        check(&[("page", "3"), ("cursor", "x")], Ok((3, 25, 0)));
        check(&[("page", "3"), ("cursor", "")], Ok((3, 25, 50)));
        check(&[("page", "0")], Err("page: expected a whole number from 1, found '0'"));
        check(&[("max_results", "-1")], Err("max_results: expected a whole number from 0, found '-1'"));
        check(
            &[("page", "99999999999999999999")],
            Err("page: expected a whole number from 1, found '99999999999999999999'"),
        );
        check(
            &[("page", "18446744073709551615"), ("max_results", "500")],
            Ok((4_294_967_295, 500, 2_147_483_647_000)),
        );
    }

    #[test]
    fn meta() {
        let meta = |total, max_results| ListMeta { page: 1, max_results, total, more: true };
        assert_eq!(meta(Some(5), 2).last_page(), Some(3));
        assert_eq!(meta(Some(4), 2).last_page(), Some(2));
        assert_eq!(meta(Some(0), 2).last_page(), Some(0));
        assert_eq!(meta(Some(5), 0).last_page(), None);
        assert_eq!(meta(None, 2).last_page(), None);
        assert_eq!(
            meta(Some(5), 2).to_json(Some("C")),
            json!({"page": 1, "max_results": 2, "total": 5, "next_cursor": "C"})
        );
    }
}
