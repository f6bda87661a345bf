//! The first paragraph of the body as the abstract.

use dateline_formats::{Fields, Item, plain_lines};

use super::{Outcome, with};
use crate::filter::html;

/// Bytes of an abstract; a longer paragraph ends with a word before that.
const BYTES_MAX: usize = 500;

pub(super) fn populate(item: &Fields) -> Result<Outcome, String> {
    let view = Item::from(item);
    if view.has("abstract") {
        return Ok(Outcome::Unchanged);
    }
    let text = plain_lines("body_html", view.text("body_html")).map_err(|fault| fault.to_string())?;
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    let paragraph = first.map(|line| format!("<p>{}</p>", html::escaped(&shortened(line))));
    Ok(with(item, paragraph.map(|paragraph| ("abstract", paragraph.into())).into_iter().collect()))
}

fn shortened(line: &str) -> String {
    if line.len() <= BYTES_MAX {
        return line.to_owned();
    }
    let (head, _) = line.split_at(line.floor_char_boundary(BYTES_MAX));
    let head = head.rsplit_once(char::is_whitespace).map_or(head, |(words, _)| words);
    format!("{}…", head.trim_end())
}
