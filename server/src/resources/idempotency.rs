//! `Idempotency-Key`: a write that is sent again takes effect once and gets its first answer again.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use dateline_engine::{ChangeOp, CollectionId, Document, Idempotency, Seq};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};

/// Longest key in bytes.
const KEY_BYTES_MAX: usize = 255;

/// The key of a request, bound to who asks and to what is asked.
pub(crate) fn of(
    headers: &HeaderMap,
    principal: &Principal,
    method: &Method,
    target: &str,
    body: &Value,
) -> Result<Option<Idempotency>, Problem> {
    Ok(key(headers)?.map(|key| bound(&key, principal, method, target, body)))
}

/// The key a client chose.
///
/// # Errors
/// 400 when it is empty, too long or not printable.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        let detail = format!("Idempotency-Key takes 1 to {KEY_BYTES_MAX} printable characters");
        return Err(Problem::new(Slug::BadRequest, detail).issue("Idempotency-Key", "length"));
    }
    Ok(Some(key.to_owned()))
}

/// A key bound to who asks and to what is asked.
pub(crate) fn bound(
    key: &str,
    principal: &Principal,
    method: &Method,
    target: &str,
    body: &Value,
) -> Idempotency {
    bound_text(key, principal, method, target, &fingerprinted(target, body).to_string())
}

/// As `bound`, for a body that is compared as it was written.
pub(crate) fn bound_text(
    key: &str,
    principal: &Principal,
    method: &Method,
    target: &str,
    body: &str,
) -> Idempotency {
    Idempotency {
        key: digest(&[principal.user.as_str(), key]),
        fingerprint: digest(&[method.as_str(), target, body]),
    }
}

/// The body without passwords: of what is kept of the rest, nobody may find out a password by trying.
fn fingerprinted<'a>(target: &str, body: &'a Value) -> Cow<'a, Value> {
    if target.split('/').next() != Some("users") {
        return Cow::Borrowed(body);
    }
    let mut body = body.clone();
    let one = match &mut body {
        Value::Array(items) => items.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for user in one.iter_mut().filter_map(Value::as_object_mut) {
        user.shift_remove("password");
    }
    Cow::Owned(body)
}

fn digest<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut out = [0; N];
    out.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    out
}

/// The documents of these collections that the first request wrote, as it wrote them.
pub(crate) fn first_answer(app: &App, own: &[CollectionId], first: Seq) -> Result<Vec<Document>, Problem> {
    let before = Seq::new(first.get().saturating_sub(1));
    let group = app.store().feed().changes(before, 1)?;
    let own = group.iter().filter(|change| {
        own.contains(&change.collection) && matches!(change.op, ChangeOp::Put | ChangeOp::Delete)
    });
    let versions = own.map(|change| app.store().version(change.collection, change.id.as_str(), change.seq));
    let found: Vec<Document> = versions.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    if found.is_empty() {
        return Err(Problem::new(Slug::Gone, "the first answer is no longer kept"));
    }
    Ok(found)
}

/// Says of an answer that it is that of an earlier request.
pub(crate) fn replayed(mut response: Response) -> Response {
    let name = HeaderName::from_static("idempotency-replayed");
    response.headers_mut().insert(name, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn passwords_are_not_in_the_fingerprint() {
        let check = |target: &str, body: Value, expected: Value| {
            assert_eq!(*fingerprinted(target, &body), expected, "{target} {body}");
        };
        let (with, without) = (json!({"username": "a", "password": "p"}), json!({"username": "a"}));
        check("users", with.clone(), without.clone());
        check("users/1", with.clone(), without.clone());
        check("users", json!([with.clone(), 1]), json!([without, 1]));
        check("users-old", with.clone(), with);
        check("users", json!("password"), json!("password"));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let a: [u8; 16] = digest(&["ab", "c"]);
        let b: [u8; 16] = digest(&["a", "bc"]);
        assert_ne!(a, b);
        assert_eq!(a, digest(&["ab", "c"]));
    }
}
