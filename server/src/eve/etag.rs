//! Entity tags in conditional headers (RFC 9110 8.8.3, 13.1).
//!
//! Our tags are strong. `If-Match` also takes the bare `_etag` of a body, without quotes, because that is what
//! clients of this dialect send.

use super::problem::{Problem, Slug};

const TAGS_MAX: usize = 32;

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: any present version.
    Any,
    /// These tags, without quotes; the flag marks a weak one.
    List(Vec<(String, bool)>),
}

impl EntityTags {
    /// Parses a header's value; `header` names it in the error.
    pub fn parse(header: &str, value: &str) -> Result<Self, Problem> {
        let value = value.trim();
        if value == "*" {
            return Ok(Self::Any);
        }
        let refuse = || {
            Problem::new(Slug::BadRequest, format!("{header}: expected *, an _etag or a list of quoted tags"))
                .with("header", header)
        };
        let mut tags = Vec::new();
        let mut rest = value;
        while !rest.is_empty() {
            let (weak, text) = match rest.strip_prefix("W/") {
                Some(text) => (true, text),
                None => (false, rest),
            };
            let (tag, after) = match text.strip_prefix('"') {
                Some(text) => text.split_once('"').ok_or_else(refuse)?,
                None => text.split_at(text.find(',').unwrap_or(text.len())),
            };
            tags.push((tag.trim().to_owned(), weak));
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next.trim_start(),
                None if after.is_empty() => after,
                None => return Err(refuse()),
            };
        }
        match tags.len() {
            1..=TAGS_MAX if tags.iter().all(|(tag, _)| !tag.is_empty() && !tag.contains(['"', ' '])) => {
                Ok(Self::List(tags))
            }
            _ => Err(refuse()),
        }
    }

    /// For `If-Match`: whether the present tag is among these, by strong comparison. `None` is no present version.
    pub fn matches_strong(&self, present: Option<&str>) -> bool {
        match (self, present) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::List(tags), Some(present)) => tags.iter().any(|(tag, weak)| !weak && tag == present),
        }
    }

    /// For `If-None-Match`: the same by weak comparison. True means 304 on GET and 412 on a write.
    pub fn matches_weak(&self, present: Option<&str>) -> bool {
        match (self, present) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::List(tags), Some(present)) => tags.iter().any(|(tag, _)| tag == present),
        }
    }

    /// The tags, without quotes; none for `*`.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        let tags: &[(String, bool)] = match self {
            Self::Any => &[],
            Self::List(tags) => tags,
        };
        tags.iter().map(|(tag, _)| tag.as_str())
    }
}

/// The header's form of a tag: quoted.
pub fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// A change came without `If-Match`: 428, in Eve's words.
pub fn missing() -> Problem {
    Problem::new(
        Slug::PreconditionRequired,
        "To edit a document its etag must be provided using the If-Match header",
    )
}

/// The document is not at the version named: 412, in Eve's words, with the present tag.
pub fn stale(present: Option<&str>) -> Problem {
    let problem = Problem::new(Slug::PreconditionFailed, "Client and server etags don't match");
    match present {
        Some(etag) => problem.with("_etag", etag),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<(bool, bool)>) {
        let found = EntityTags::parse("If-Match", value).ok();
        let found = found.map(|tags| (tags.matches_strong(Some("1.ab")), tags.matches_weak(Some("1.ab"))));
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn headers() {
        check("*", Some((true, true)));
        check("\"1.ab\"", Some((true, true)));
        check("1.ab", Some((true, true)));
        check("W/\"1.ab\"", Some((false, true)));
        check("\"x\", \"1.ab\"", Some((true, true)));
        check("\"x,1.ab\"", Some((false, false)));
        check("x , 1.ab", Some((true, true)));
        check("\"1.AB\"", Some((false, false)));
        for bad in ["", ",", "\"", "\"\"", "\"a\"b", "a b", "W/"] {
            check(bad, None);
        }
        check(&vec!["x"; 33].join(","), None);
        assert!(!EntityTags::Any.matches_strong(None));
        assert_eq!(EntityTags::parse("h", &quoted("1.2")).unwrap().tags().collect::<Vec<_>>(), ["1.2"]);
        assert_eq!((missing().status_code(), stale(None).status_code()), (428, 412));
    }
}
