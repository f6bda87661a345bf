//! `If-Match`, `If-None-Match` and `Prefer` of a request.

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;
use dateline_engine::{Condition, Document, Durability};

use crate::eve::problem::{Problem, Slug};
use crate::eve::{EntityTags, etag};
use crate::resources::answer;

/// A header as text.
pub(crate) fn text(headers: &HeaderMap, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The condition under which a stored document may be changed: it is at a version the client named in `If-Match`.
///
/// # Errors
/// 428 without `If-Match`, 412 when it names another version.
pub(crate) fn for_change(if_match: Option<&str>, stored: &Document) -> Result<Condition, Problem> {
    let Some(value) = if_match else { return Err(etag::missing()) };
    let present = answer::tag(stored);
    if !EntityTags::parse("If-Match", value)?.matches_strong(Some(&present)) {
        return Err(etag::stale(Some(&present)));
    }
    Ok(Condition::Revision(stored.revision()))
}

/// `If-None-Match: *`: only if there is no such document.
pub(crate) fn creates(headers: &HeaderMap) -> Result<bool, Problem> {
    match text(headers, IF_NONE_MATCH) {
        None => Ok(false),
        Some(value) => match EntityTags::parse("If-None-Match", value)? {
            EntityTags::Any => Ok(true),
            EntityTags::List(_) => {
                let detail = "If-None-Match of a write takes only '*'; use If-Match to name a version";
                Err(Problem::new(Slug::BadRequest, detail))
            }
        },
    }
}

/// Whether the client has this version already.
pub(crate) fn is_known(headers: &HeaderMap, present: &str) -> Result<bool, Problem> {
    match text(headers, IF_NONE_MATCH) {
        None => Ok(false),
        Some(value) => Ok(EntityTags::parse("If-None-Match", value)?.matches_weak(Some(present))),
    }
}

/// What `Prefer` (RFC 7240) asks for; unknown preferences are ignored, as the RFC wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefer {
    pub(crate) minimal: bool,
    pub(crate) durability: Durability,
}

impl Prefer {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut prefer = Self { minimal: false, durability: Durability::Sync };
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for preference in values.flat_map(|value| value.split([',', ';'])) {
            match preference.trim().to_ascii_lowercase().as_str() {
                "return=minimal" => prefer.minimal = true,
                "durability=buffered" => prefer.durability = Durability::Buffered,
                _ => {}
            }
        }
        prefer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_found_among_others() {
        let check = |value: &str, minimal, durability| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", value.parse().unwrap());
            assert_eq!(Prefer::of(&headers), Prefer { minimal, durability }, "{value}");
        };
        check("return=minimal", true, Durability::Sync);
        check("respond-async, Durability=Buffered; return=minimal", true, Durability::Buffered);
        check("return=representation", false, Durability::Sync);
        check("durability=never", false, Durability::Sync);
    }
}
