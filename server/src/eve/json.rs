//! Bounded JSON parsing: the only way bytes of a request become values.
//!
//! One pass over the bytes checks size, depth, number of values and length of names before anything is allocated,
//! then `serde_json` parses. Duplicate names: the last one wins, as in most readers. A number is an integer when it
//! fits 64 bits and a finite double otherwise, so NaN and infinity cannot come in. A double is the one nearest to
//! its text (feature `float_roundtrip`), so reading and writing a document again and again never moves a coordinate.

use serde_json::{Map, Value};

use super::problem::{Problem, Slug};

/// How much JSON one text may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the whole text.
    pub bytes_max: usize,
    /// Nesting of arrays and objects; a bare scalar has depth 0.
    pub depth_max: usize,
    /// Values in total, counted from commas and brackets, so an upper bound of the true count.
    pub values_max: usize,
    /// Bytes of one member name, as written (escapes not yet resolved).
    pub name_bytes_max: usize,
}

impl Limits {
    /// A request body: 1 MiB, depth 64, 100 000 values, names of 256 bytes.
    pub const BODY: Self =
        Self { bytes_max: 1 << 20, depth_max: 64, values_max: 100_000, name_bytes_max: 256 };
    /// JSON inside a query parameter: 64 KiB, depth 32, 10 000 values.
    pub const PARAMETER: Self =
        Self { bytes_max: 64 << 10, depth_max: 32, values_max: 10_000, name_bytes_max: 256 };

    /// The same limits with another size.
    pub const fn with_bytes(self, bytes_max: usize) -> Self {
        Self { bytes_max, ..self }
    }
}

/// Which bound or rule the text broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// More bytes than allowed.
    TooLarge,
    /// Nested too deeply.
    TooDeep,
    /// Too many values, or a member name that is too long.
    TooComplex,
    /// Not JSON, or not UTF-8.
    Syntax,
    /// JSON, but of another shape than this call takes.
    Shape,
}

/// A text that was not accepted, with the place of the trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// What was wrong.
    pub kind: JsonErrorKind,
    /// Line, from 1; 0 when the whole text is meant.
    pub line: usize,
    /// Column in bytes, from 1; 0 when the whole text is meant.
    pub column: usize,
    message: String,
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.message),
            line => write!(f, "{} at line {line}, column {}", self.message, self.column),
        }
    }
}

impl std::error::Error for JsonError {}

impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        let slug = match error.kind {
            JsonErrorKind::TooLarge => Slug::BodyTooLarge,
            JsonErrorKind::TooDeep | JsonErrorKind::TooComplex => Slug::JsonTooComplex,
            JsonErrorKind::Syntax => Slug::MalformedJson,
            JsonErrorKind::Shape => Slug::BadRequest,
        };
        let problem = Self::new(slug, error.to_string());
        match error.line {
            0 => problem,
            line => problem.with("line", line).with("column", error.column),
        }
    }
}

/// Parses one JSON text. Errors name line and column.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, JsonError> {
    check_bounds(bytes, limits)?;
    serde_json::from_slice(bytes).map_err(|error| syntax(&error))
}

/// Parses one JSON text that must be an object.
pub fn parse_object(bytes: &[u8], limits: &Limits) -> Result<Map<String, Value>, JsonError> {
    match parse(bytes, limits)? {
        Value::Object(map) => Ok(map),
        other => Err(shape(format!("expected a JSON object, found {}", name(&other)))),
    }
}

/// Parses what a POST takes: one object, or an array of objects. The flag says that it was an array.
pub fn parse_documents(bytes: &[u8], limits: &Limits) -> Result<(Vec<Map<String, Value>>, bool), JsonError> {
    match parse(bytes, limits)? {
        Value::Object(map) => Ok((vec![map], false)),
        Value::Array(items) => {
            let documents = items.into_iter().enumerate().map(|(index, item)| match item {
                Value::Object(map) => Ok(map),
                other => Err(shape(format!("element {index} is {}, expected a JSON object", name(&other)))),
            });
            Ok((documents.collect::<Result<_, _>>()?, true))
        }
        other => Err(shape(format!("expected a JSON object or an array of objects, found {}", name(&other)))),
    }
}

/// The bytes to store for a document: compact JSON in the order of the map.
pub fn encode(document: &Map<String, Value>) -> Vec<u8> {
    // Names are text and numbers are finite, which is all that could fail.
    serde_json::to_vec(document).expect("a JSON map always has a JSON text")
}

/// The JSON name of a value's type, with its article.
pub fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn shape(message: String) -> JsonError {
    JsonError { kind: JsonErrorKind::Shape, line: 0, column: 0, message }
}

fn syntax(error: &serde_json::Error) -> JsonError {
    let text = error.to_string();
    // serde_json repeats the place in its text; ours is told once, by Display.
    let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
    JsonError { kind: JsonErrorKind::Syntax, line: error.line(), column: error.column(), message }
}

/// Checks the bounds without judging the grammar, which the parser does afterwards.
pub fn check_bounds(bytes: &[u8], limits: &Limits) -> Result<(), JsonError> {
    if bytes.len() > limits.bytes_max {
        let message = format!("{} bytes of JSON, at most {} are taken", bytes.len(), limits.bytes_max);
        return Err(JsonError { kind: JsonErrorKind::TooLarge, line: 0, column: 0, message });
    }
    let (mut depth, mut values, mut at) = (0usize, 1usize, 0usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                values += 1;
                if depth > limits.depth_max {
                    let message = format!("nested deeper than {} levels", limits.depth_max);
                    return Err(place(bytes, at, JsonErrorKind::TooDeep, message));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            b'"' => {
                let end = string_end(bytes, at + 1);
                if end - at > limits.name_bytes_max + 1 && is_name(bytes, end) {
                    let message = format!("a member name is longer than {} bytes", limits.name_bytes_max);
                    return Err(place(bytes, at, JsonErrorKind::TooComplex, message));
                }
                at = end;
            }
            _ => {}
        }
        if values > limits.values_max {
            let message = format!("more than {} values", limits.values_max);
            return Err(place(bytes, at, JsonErrorKind::TooComplex, message));
        }
        at += 1;
    }
    Ok(())
}

/// Index of the closing quote, or the end of the bytes.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn is_name(bytes: &[u8], quote: usize) -> bool {
    let rest = bytes.get(quote + 1..).unwrap_or_default();
    rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

fn place(bytes: &[u8], at: usize, kind: JsonErrorKind, message: String) -> JsonError {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
    JsonError { kind, line, column, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let limits = Limits { bytes_max: 400, depth_max: 3, values_max: 8, name_bytes_max: 5 };
        let found = match parse(text.as_bytes(), &limits) {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn texts_and_their_answers() {
        check(" 1 ", "1");
        check(r#"{"a":1,"a":2}"#, r#"{"a":2}"#);
        check("[[[1]]]", "[[[1]]]");
        check("[\n [[[1]]]]", "nested deeper than 3 levels at line 2, column 4");
        check(r#"{"a":"[[[[{{{{,,,,,,,,,,"}"#, r#"{"a":"[[[[{{{{,,,,,,,,,,"}"#);
        check(r#"{"a\"[[[[":1}"#, "a member name is longer than 5 bytes at line 1, column 2");
        check(r#"{"abcde":"abcdefg"}"#, r#"{"abcde":"abcdefg"}"#);
        check(r#"{"abcdef" :1}"#, "a member name is longer than 5 bytes at line 1, column 2");
        check("[1,2,3,4,5,6,7,8,9]", "more than 8 values at line 1, column 15");
        check("[1,]", "trailing comma at line 1, column 4");
        check("", "EOF while parsing a value at line 1, column 0");
        check("1 2", "trailing characters at line 1, column 3");
        check("NaN", "expected value at line 1, column 1");
        check("1e999", "number out of range at line 1, column 5");
        check(r#""\ud800""#, "unexpected end of hex escape at line 1, column 8");
        check(&"1".repeat(401), "401 bytes of JSON, at most 400 are taken");
        check(r#"["unclosed"#, "EOF while parsing a string at line 1, column 10");
        check("\"\\", "EOF while parsing a string at line 1, column 2");
        check("]]]]", "expected value at line 1, column 1");
    }

    #[test]
    fn a_number_comes_back_as_it_went_in() {
        // The reader's fast path would miss the last bit of these.
        for text in [
            "-212150113.51256722",
            "13.376543210987654",
            "52.520006599999995",
            "1e-7",
            "0.1",
            "18446744073709551615",
        ] {
            assert_eq!(
                parse(text.as_bytes(), &Limits::BODY).unwrap().to_string().replace("1e-07", "1e-7"),
                text
            );
        }
    }

    #[test]
    fn shapes() {
        let limits = Limits::BODY;
        assert!(parse_object(b"[]", &limits).is_err());
        assert_eq!(parse_documents(b"[{},{}]", &limits).unwrap().0.len(), 2);
        assert!(!parse_documents(b"{}", &limits).unwrap().1);
        let error = parse_documents(b"[{},1]", &limits).unwrap_err();
        assert_eq!(error.to_string(), "element 1 is a number, expected a JSON object");
        assert!(parse(b"\"\xff\"", &limits).is_err());
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(deep(64).as_bytes(), &limits).is_ok());
        assert_eq!(parse(deep(65).as_bytes(), &limits).unwrap_err().kind, JsonErrorKind::TooDeep);
    }
}
