//! `_links`: where a client goes from here. Addresses are relative to the API's root, as Eve writes them.
//!
//! The `next` link carries both `page` and `cursor`: a client that counts pages and a client that follows links see
//! the same list, and the cursor, which wins on the server, keeps it stable while documents are written.

use serde_json::{Map, Value, json};

use super::list::Params;
use super::page::{ListMeta, PageRequest};

/// The links of a list.
#[derive(Debug, Clone)]
pub struct Links<'a> {
    /// Address of the list without a leading slash, mostly the resource's name.
    pub href: &'a str,
    /// Title of the list, mostly the resource's name.
    pub title: &'a str,
    /// The parameters of the request, to be repeated.
    pub params: &'a Params,
    /// The page this is.
    pub page: &'a PageRequest,
    /// The token of the next page, if there is one and it can be told.
    pub next_cursor: Option<&'a str>,
}

impl Links<'_> {
    /// `parent`, `self`, and `next`, `prev`, `last` where they exist.
    pub fn to_json(&self, meta: &ListMeta) -> Value {
        let mut links = Map::new();
        let mut add = |name: &str, title: &str, href: String| {
            links.insert(name.to_owned(), json!({"title": title, "href": href}));
        };
        add("parent", "home", "/".to_owned());
        add("self", self.title, self.address(None, self.params.get("cursor")));
        let page = self.page.page;
        let last = meta.last_page();
        if meta.more {
            add("next", "next page", self.address(Some(page + 1), self.next_cursor));
        }
        if let (true, Some(last)) = (meta.more, last) {
            add("last", "last page", self.address(Some(last.max(page + 1)), None));
        }
        if page > 1 {
            add("prev", "previous page", self.address(Some(page - 1), None));
        }
        Value::Object(links)
    }

    fn address(&self, page: Option<u64>, cursor: Option<&str>) -> String {
        let mut query = String::new();
        let mut add = |name: &str, value: &str| {
            query.push(if query.is_empty() { '?' } else { '&' });
            query.push_str(&escape(name, is_query_safe));
            query.push('=');
            query.push_str(&escape(value, is_query_safe));
        };
        for (name, value) in self.params.iter().filter(|(name, _)| !matches!(*name, "page" | "cursor")) {
            add(name, value);
        }
        let page = page.map(|page| page.to_string());
        if let Some(page) = page.as_deref().or_else(|| self.params.get("page")) {
            add("page", page);
        }
        if let Some(cursor) = cursor {
            add("cursor", cursor);
        }
        format!("{}{query}", self.href)
    }
}

/// Address of one document: resource and id, the id escaped as one segment of a path (RFC 3986 3.3).
pub fn document_href(resource: &str, id: &str) -> String {
    format!("{resource}/{}", escape(id, is_segment_safe))
}

/// Title of one document of a resource: `fences` becomes `Fence`.
pub fn document_title(resource: &str) -> String {
    let name = resource.rsplit('/').next().unwrap_or(resource);
    let singular = name.strip_suffix('s').unwrap_or(name);
    let mut letters = singular.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn is_query_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/@!$'()*,;".contains(&byte)
}

fn is_segment_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,;=".contains(&byte)
}

fn escape(text: &str, is_safe: fn(u8) -> bool) -> String {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_safe(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(HEX.get(usize::from(byte >> 4)));
            out.extend(HEX.get(usize::from(byte & 15)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(params: &[(&str, &str)], total: u64, more: bool, expected: &[(&str, &str)]) {
        let params =
            Params::new(params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let page = PageRequest::parse(&params).unwrap();
        let meta = ListMeta::new(&page, Some(total), more);
        let links = Links { href: "ads", title: "ads", params: &params, page: &page, next_cursor: Some("C") }
            .to_json(&meta);
        let found: Vec<(String, String)> = links
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != "parent")
            .map(|(name, link)| (name.clone(), link["href"].as_str().unwrap().to_owned()))
            .collect();
        let expected: Vec<(String, String)> =
            expected.iter().map(|(name, href)| ((*name).into(), (*href).into())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn links_of_lists() {
        check(&[], 3, false, &[("self", "ads")]);
        check(
            &[("max_results", "2")],
            5,
            true,
            &[
                ("self", "ads?max_results=2"),
                ("next", "ads?max_results=2&page=2&cursor=C"),
                ("last", "ads?max_results=2&page=3"),
            ],
        );
        check(
            &[("where", r#"{"a":"b c&d"}"#), ("page", "3"), ("max_results", "2")],
            5,
            false,
            &[
                ("self", "ads?where=%7B%22a%22:%22b%20c%26d%22%7D&max_results=2&page=3"),
                ("prev", "ads?where=%7B%22a%22:%22b%20c%26d%22%7D&max_results=2&page=2"),
            ],
        );
    }

    #[test]
    fn links_of_documents() {
        assert_eq!(document_href("archive", "urn:newsml:x:2026"), "archive/urn:newsml:x:2026");
        assert_eq!(document_href("ads", "a/b c\u{e9}"), "ads/a%2Fb%20c%C3%A9");
        assert_eq!(document_title("fences"), "Fence");
        assert_eq!(document_title("archive"), "Archive");
        assert_eq!(document_title(""), "");
    }
}
