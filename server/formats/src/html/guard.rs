//! Refuses markup that would cost more than it can be worth.
//!
//! HTML's rules for misnested tags open all formatting elements again in each new block, and look through all open
//! elements at most tags. So a few megabytes of `<b x=1><b x=2>...<p><p>...` ask for gigabytes and minutes. This pass
//! counts, tag by tag, the elements that are open, without building anything.

use crate::error::Fault;
use crate::limits::{MARKUP_BYTES_MAX, MARKUP_DEPTH_MAX, MARKUP_WORK_MAX};
use std::collections::HashMap;

pub(super) fn check(field: &str, text: &str) -> Result<(), Fault> {
    if text.len() > MARKUP_BYTES_MAX {
        return Err(Fault::too_large(field, format!("must not have more than {MARKUP_BYTES_MAX} bytes")));
    }
    let mut open = Open::default();
    let mut work = 0_usize;
    for tag in tags(text) {
        open.apply(tag);
        if open.stack.len() > MARKUP_DEPTH_MAX {
            return Err(Fault::too_large(
                field,
                format!("must not have more than {MARKUP_DEPTH_MAX} nested elements"),
            ));
        }
        work += 1 + open.stack.len();
        if work > MARKUP_WORK_MAX {
            return Err(Fault::too_large(field, "has too many nested elements for its length"));
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Tag<'a> {
    name: &'a str,
    /// Everything between the name and `>`: formatting elements are the same when this is.
    rest: &'a str,
    closes: bool,
}

/// What looks like a tag. In comments and scripts that is more than there are; it errs to the safe side, since they are
/// few and short in what people write.
fn tags(text: &str) -> impl Iterator<Item = Tag<'_>> {
    text.split('<').skip(1).filter_map(|piece| {
        let (piece, closes) = match piece.strip_prefix('/') {
            Some(rest) => (rest, true),
            None => (piece, false),
        };
        if !piece.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let tag = piece.split('>').next().unwrap_or_default();
        let end = tag.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(tag.len());
        let (name, rest) = tag.split_at(end);
        Some(Tag { name, rest, closes })
    })
}

/// The elements that may be open, formatting elements also where their block has ended.
#[derive(Default)]
struct Open<'a> {
    stack: Vec<Tag<'a>>,
    alike: HashMap<(&'a str, &'a str), usize>,
}

impl<'a> Open<'a> {
    fn apply(&mut self, tag: Tag<'a>) {
        if tag.closes {
            return self.close(tag.name);
        }
        if is_void(tag.name) {
            return;
        }
        if is_formatting(tag.name) {
            let alike = self.alike.entry((tag.name, tag.rest)).or_default();
            // HTML 13.2.4.3: of more than three alike, the earliest is forgotten.
            if *alike >= 3 {
                return;
            }
            *alike += 1;
        } else if ends_itself(tag.name) {
            self.close(tag.name);
        }
        self.stack.push(tag);
    }

    /// Ends the innermost element of this name and what is open inside, formatting elements excepted.
    fn close(&mut self, name: &str) {
        let Some(at) = self.stack.iter().rposition(|tag| tag.name.eq_ignore_ascii_case(name)) else { return };
        let inner = self.stack.split_off(at);
        let is_block = !is_formatting(name);
        for (place, tag) in inner.into_iter().enumerate() {
            if place > 0 && (is_formatting(tag.name) || !is_block) {
                self.stack.push(tag);
            } else if let Some(alike) = self.alike.get_mut(&(tag.name, tag.rest)) {
                *alike = alike.saturating_sub(1);
            }
        }
    }
}

fn is(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_void(name: &str) -> bool {
    is(
        name,
        &[
            "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
            "wbr",
        ],
    )
}

fn is_formatting(name: &str) -> bool {
    is(
        name,
        &["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"],
    )
}

/// Elements that end when the next of their kind begins.
fn ends_itself(name: &str) -> bool {
    is(name, &["p", "option"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FaultKind;

    #[test]
    fn stories_pass() {
        check("f", &"<p>one <b>two</b> <a href='x'>three</a></p>".repeat(20_000)).unwrap();
        check("f", &"<p>unclosed <b>bold".repeat(10_000)).unwrap();
        check("f", &"<div><p>unclosed</div>".repeat(10_000)).unwrap();
        check("f", &format!("<ul>{}</ul>", "<li>item</li>".repeat(10_000))).unwrap();
        check("f", "a < b and <3 and < and <").unwrap();
    }

    #[test]
    fn bombs_do_not() {
        let many = |count: usize, tag: &dyn Fn(usize) -> String| (0..count).map(tag).collect::<String>();
        let distinct = many(150, &|at| format!("<b x={at}>"));
        for (name, text) in [
            ("deep", "<div>".repeat(300)),
            ("quadratic", format!("{distinct}{}", "<p>".repeat(100_000))),
            ("in blocks", format!("<div>{distinct}</div>{}", "<p>x</p>".repeat(100_000))),
            ("large", " ".repeat(MARKUP_BYTES_MAX + 1)),
            ("upper case", "<DIV>".repeat(300)),
        ] {
            assert_eq!(check("f", &text).unwrap_err().kind, FaultKind::TooLarge, "{name}");
        }
    }
}
