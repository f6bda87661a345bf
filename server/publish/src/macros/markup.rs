//! Markup that cannot act.

use dateline_formats::{Fields, Item, clean_markup};

use super::{Outcome, with};

/// Fields whose text is markup.
const MARKUP: [&str; 4] = ["abstract", "body_html", "body_footer", "description_html"];

pub(super) fn clean(item: &Fields) -> Result<Outcome, String> {
    let mut members = Vec::new();
    for field in MARKUP {
        let text = Item::from(item).text(field);
        let clean = clean_markup(field, text).map_err(|fault| fault.to_string())?;
        if clean != text {
            members.push((field, clean.into()));
        }
    }
    Ok(with(item, members))
}
