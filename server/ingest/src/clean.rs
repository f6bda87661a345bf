//! What every item goes through, whoever read it: characters that no item has are left out, markup that could act is
//! removed, lines and lists are bounded.

use crate::error::{Code, IngestError};
use crate::limits::{DEPTH_MAX, LINE_BYTES_MAX, LIST_MAX};
use crate::xml::is_legal;
use dateline_formats::{Fields, clean_markup};
use serde_json::Value;

/// Fields whose text is markup.
const MARKUP: [&str; 4] = ["body_html", "abstract", "description_html", "body_footer"];
/// Fields whose text is one line, in which markup is the exception.
const LINES: [&str; 7] =
    ["headline", "slugline", "byline", "ednote", "copyrightnotice", "usageterms", "name"];

/// Cleans an item with everything inside.
///
/// # Errors
/// `TOO_LARGE` for markup or nesting beyond the limits.
pub(crate) fn clean(item: &mut Fields) -> Result<(), IngestError> {
    for (name, value) in item.iter_mut() {
        within(name, value, 1)?;
    }
    item.retain(|name, _| !name.is_empty() && name.chars().all(is_legal) && !name.starts_with(['_', '$']));
    Ok(())
}

fn within(name: &str, value: &mut Value, depth: usize) -> Result<(), IngestError> {
    if depth > DEPTH_MAX {
        return Err(IngestError::new(Code::TOO_LARGE, format!("{name}: more than {DEPTH_MAX} levels")));
    }
    match value {
        Value::String(text) => {
            if !text.chars().all(is_legal) {
                text.retain(is_legal);
            }
            if LINES.contains(&name) && text.len() > LINE_BYTES_MAX {
                text.truncate(text.floor_char_boundary(LINE_BYTES_MAX));
            }
            let is_markup = MARKUP.contains(&name) || text.contains('<');
            if is_markup && !PLAIN.contains(&name) {
                *text = clean_markup(name, text)
                    .map_err(|fault| IngestError::new(Code::TOO_LARGE, fault.to_string()))?;
            }
            Ok(())
        }
        Value::Array(list) => {
            list.truncate(LIST_MAX);
            list.iter_mut().try_for_each(|value| within(name, value, depth + 1))
        }
        Value::Object(fields) => {
            fields.iter_mut().try_for_each(|(name, value)| within(name, value, depth + 1))
        }
        _ => Ok(()),
    }
}

/// Fields whose text is no markup, whatever stands in it; formats write it as text.
const PLAIN: [&str; 6] = ["guid", "uri", "description_text", "alt_text", "body_text", "href"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cleaned(item: Value) -> Value {
        let mut item = item.as_object().cloned().unwrap();
        clean(&mut item).unwrap();
        item.into()
    }

    #[test]
    fn nothing_acts() {
        let hostile = "<p onclick='x()'>a<script>b</script><a href='javascript:c'>d</a></p>";
        let clean = "<p>a<a>d</a></p>";
        assert_eq!(
            cleaned(json!({
                "headline": "a\u{0}b <img src=x onerror=y>", "body_html": hostile, "extra": {"note": hostile},
                "associations": {"m": {"body_html": hostile, "description_text": "1 < 2"}}, "_id": "x", "$set": {},
                "slugline": "a & b",
            })),
            json!({
                "headline": "ab <img src=\"x\">", "body_html": clean, "extra": {"note": clean},
                "associations": {"m": {"body_html": clean, "description_text": "1 < 2"}}, "slugline": "a & b",
            })
        );
    }

    #[test]
    fn bounds() {
        let long = "é".repeat(LINE_BYTES_MAX);
        let item = cleaned(json!({"headline": long, "keywords": vec!["k"; LIST_MAX + 1]}));
        assert_eq!(item["headline"].as_str().unwrap().len(), LINE_BYTES_MAX);
        assert_eq!(item["keywords"].as_array().unwrap().len(), LIST_MAX);
        let mut deep = json!("x");
        for _ in 0..DEPTH_MAX {
            deep = json!([deep]);
        }
        let mut item = json!({"extra": deep}).as_object().cloned().unwrap();
        assert_eq!(clean(&mut item).unwrap_err().code, Code::TOO_LARGE);
    }
}
