//! The text of HTML, and a text as HTML.

use std::borrow::Cow;
use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

/// The text without tags and comments, references resolved, blanks at both ends removed.
///
/// Elements leave no space behind: the words of neighbouring paragraphs without a blank between them run together.
/// Tokens are enough for that: no tree is built, so no markup is refused for its depth, and the cost is linear.
pub(crate) fn text(markup: &str) -> Cow<'_, str> {
    if !markup.contains(['<', '&']) {
        return Cow::Borrowed(markup.trim());
    }
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(markup));
    let tokenizer = Tokenizer::new(Text::default(), TokenizerOpts::default());
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    let text = tokenizer.sink.0.into_inner();
    match text.trim() {
        trimmed if trimmed.len() == text.len() => Cow::Owned(text),
        trimmed => Cow::Owned(trimmed.to_owned()),
    }
}

/// A text as markup that shows it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[derive(Default)]
struct Text(RefCell<String>);

impl TokenSink for Text {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::CharacterTokens(text) = token {
            self.0.borrow_mut().push_str(&text);
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_a_reader_sees() {
        let check = |markup: &str, expected: &str| assert_eq!(text(markup), expected, "{markup:?}");
        check("", "");
        check("  plain  ", "plain");
        check("<p>Storm &amp; rain</p>", "Storm & rain");
        check("<p>a</p><p>b</p>", "ab");
        check("<p>a</p>\n<p>b <b>c</b></p>", "a\nb c");
        check("a<!-- not me -->b", "ab");
        check("1 < 2 & 3 > 2", "1 < 2 & 3 > 2");
        check("&lt;p&gt;&nbsp;x", "<p>\u{a0}x");
        check("&uuml;ber &#x41;&#66;", "über AB");
        check("open <b", "open");
        check("<a href=\"x>y\">z</a>", "z");
        check("\u{0}<i>x</i>", "x");
    }
}
