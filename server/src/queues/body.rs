//! Reading a body straight into its type; only one that does not fit is looked at again, to name the member.

use serde::Deserialize;

use crate::eve::json::{self, Limits};
use crate::eve::problem::Problem;

use super::wrong;

/// The gate bounds the bytes; a thousand jobs hold more values than one document.
const LIMITS: Limits = Limits { bytes_max: usize::MAX, values_max: 1_000_000, ..Limits::BODY };

/// # Errors
/// 400 with the member that is wrong.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    json::check_bounds(body, &LIMITS)?;
    serde_json::from_slice(body).map_err(|_| explain::<T>(body))
}

/// Whether the body is an array.
pub(super) fn is_array(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'[')
}

fn explain<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Problem {
    if let Err(error) = json::parse(body, &LIMITS) {
        return error.into();
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(&mut reader) else {
        return wrong("body", "cannot be read");
    };
    let path = error.path().to_string();
    let text = error.inner().to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    // Of a member that is missing the path ends above it, and the text names it.
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let named = missing.map(|name| if path == "." { name.to_owned() } else { format!("{path}.{name}") });
    let field = named.unwrap_or(path);
    wrong(if field == "." { "body" } else { &field }, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only read")]
        lane: String,
        #[expect(dead_code, reason = "only read")]
        priority: Option<u8>,
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let check = |body: &str, field: &str| {
            let problem = read::<Vec<Sample>>(body.as_bytes()).unwrap_err().to_json();
            assert!(problem["_issues"].get(field).is_some(), "{body}: {problem}");
        };
        check(r#"[{"lane": "a"}, {"lane": "b", "priority": "x"}]"#, "[1].priority");
        check(r#"[{"lane": "a", "priority": 256}]"#, "[0].priority");
        check(r#"[{"priority": 1}]"#, "[0].lane");
        check(r#"[{"lane": "a", "colour": 1}]"#, "[0].colour");
        let one = read::<Sample>(br#"{"lane": 1}"#).unwrap_err().to_json();
        assert!(one["_issues"].get("lane").is_some(), "{one}");
        assert_eq!(read::<Sample>(b"[]").unwrap_err().to_json()["type"], "validation-failed");
        assert_eq!(read::<Sample>(b"{").unwrap_err().to_json()["type"], "malformed-json");
    }
}
