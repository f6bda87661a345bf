//! Markup that is safe in another's page: no scripts, handlers, frames, forms or addresses but the web's and e-mail's.

use super::guard;
use crate::error::Fault;
use ammonia::Builder;
use std::sync::LazyLock;

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    builder.url_schemes(["http", "https", "mailto", "tel"].into());
    builder.link_rel(Some("noopener noreferrer"));
    builder
});

/// The markup with everything removed that could act.
pub(crate) fn clean(field: &str, text: &str) -> Result<String, Fault> {
    guard::check(field, text)?;
    Ok(CLEANER.clean(text).to_string())
}

/// As [`clean`] for markup that is kept and edited: links stay as they were written.
static KEEPER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    builder.url_schemes(["http", "https", "mailto", "tel"].into());
    builder.link_rel(None);
    builder
});

/// Markup from elsewhere with everything removed that could act: no scripts, handlers, frames, forms, or addresses but
/// the web's and e-mail's.
///
/// # Errors
/// [`FaultKind::TooLarge`](crate::FaultKind::TooLarge) beyond the limits of size, depth and work.
pub fn clean_markup(field: &str, text: &str) -> Result<String, Fault> {
    guard::check(field, text)?;
    Ok(KEEPER.clean(text).to_string())
}

/// The address of a link, empty for schemes that act.
pub(crate) fn safe_address(href: &str) -> &str {
    let compact: String = href.chars().filter(|c| !c.is_whitespace() && !c.is_control()).take(16).collect();
    let lower = compact.to_ascii_lowercase();
    let acts = ["javascript:", "data:", "vbscript:"].iter().any(|scheme| lower.starts_with(scheme));
    if acts { "" } else { href }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn nothing_acts() {
        let hostile = "<p onclick=x()>a<script>b</script><img src=x onerror=y><a href='javascript:z'>c</a>\
            <svg><script>d</script></svg><iframe src=//e></iframe><style>f</style></p>";
        assert_eq!(
            clean("body_html", hostile).unwrap(),
            "<p>a<img src=\"x\"><a rel=\"noopener noreferrer\">c</a></p>"
        );
    }
}
