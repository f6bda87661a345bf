//! Regular expressions of clients, bounded in length and in compiled size.
//!
//! The engine runs in time linear in the text, so the size of the automaton is the only thing to bound. Back
//! references and look-around do not exist in it; such a pattern is refused by name, not reinterpreted.

use regex::{Regex, RegexBuilder};

const PATTERN_BYTES_MAX: usize = 1000;
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Compiles `pattern` with the flags `i`, `m`, `s`, `x` in any order.
pub(crate) fn compile(pattern: &str, flags: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("the pattern is longer than {PATTERN_BYTES_MAX} bytes"));
    }
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).nest_limit(50);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            'm' => builder.multi_line(true),
            's' => builder.dot_matches_new_line(true),
            'x' => builder.ignore_whitespace(true),
            other => return Err(format!("unknown pattern option '{other}'")),
        };
    }
    builder.build().map_err(|error| reason(&error))
}

/// Compiles a pattern that the whole value must match.
pub(crate) fn compile_whole(pattern: &str) -> Result<Regex, String> {
    // Compiled alone first: a stray bracket could otherwise close the group around it.
    compile(pattern, "")?;
    compile(&format!("^(?:{pattern})$"), "")
}

fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "the pattern is too large when compiled".to_owned(),
        // The last line of a syntax error says what is wrong; those before it draw the place.
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("the pattern is not valid: {}", last.trim_start_matches("error: "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(compile("^OSLO", "i").unwrap().is_match("oslo fjord"));
        assert!(!compile_whole("a|b").unwrap().is_match("ab"));
        assert!(compile_whole("a)|(?:b").is_err());
        assert!(compile("a", "g").unwrap_err().contains("'g'"));
        assert_eq!(compile(r"\w{1000}\w{1000}", "").unwrap_err(), "the pattern is too large when compiled");
        assert!(compile("(?=x)", "").unwrap_err().contains("look-around"));
        assert!(compile(&"a".repeat(1001), "").is_err());
        assert!(compile(&"(".repeat(900), "").is_err());
    }
}
