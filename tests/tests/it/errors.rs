//! The one error body: every refusal is checked to have all of it.

use serde_json::Value;

use crate::client::Reply;

/// Checks the body of an error with this status; the body.
pub(crate) fn problem(what: &str, reply: &Reply, status: u16) -> Value {
    assert_eq!(reply.status, status, "{what}: {}", reply.text());
    let body = reply.json();
    let text = |name: &str| {
        let text = body[name].as_str().unwrap_or_else(|| panic!("{what}: no text {name} in {body}"));
        assert!(!text.is_empty() || name == "_message", "{what}: {name} is empty in {body}");
        text
    };
    assert_eq!(reply.header("content-type"), Some("application/json"), "{what}");
    let kind = text("type");
    assert!(
        kind.bytes().all(|byte| byte.is_ascii_lowercase() || b"-/:.".contains(&byte)),
        "{what}: type is no slug: {kind}"
    );
    ["title", "detail", "instance", "_message"].into_iter().for_each(|name| drop(text(name).to_owned()));
    assert_eq!(body["status"], status, "{what}: {body}");
    assert_eq!(body["_status"], "ERR", "{what}: {body}");
    assert_eq!(body["_error"]["code"], status, "{what}: {body}");
    assert!(body["_error"]["message"].is_string(), "{what}: {body}");
    assert!(body["_issues"].is_object(), "{what}: {body}");
    body
}

/// Checks the error and that its `_issues` name a field, or something inside it; the body.
pub(crate) fn problem_of(what: &str, reply: &Reply, status: u16, field: &str) -> Value {
    let body = problem(what, reply, status);
    let mut paths = Vec::new();
    collect("", &body["_issues"], &mut paths);
    let is_named = paths.iter().any(|path| {
        path.strip_prefix(field)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
    });
    assert!(is_named, "{what}: {field} is not named: {body}");
    body
}

fn collect(path: &str, issues: &Value, paths: &mut Vec<String>) {
    match issues {
        Value::Object(members) if !members.is_empty() => {
            for (name, inner) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                paths.push(path.clone());
                collect(&path, inner, paths);
            }
        }
        _ => {}
    }
}
