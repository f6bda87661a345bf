//! Markup as paragraphs of plain text with line breaks.
//!
//! What subscribers of the XML formats get by default: one paragraph for each block, no inline markup. Text keeps its
//! place among the breaks, and blocks that are no `p` (headings, list items, cells) become paragraphs too, so that no
//! word is lost or glued to the next.

use super::{Markup, MarkupNode, is_block, is_hidden};
use scraper::Node;

/// A part of a paragraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Run {
    Text(String),
    Break,
}

/// All paragraphs in order. An explicit `p` or `pre` gives one as it is, even an empty one; other blocks only when they
/// have text, without the space around it.
pub(crate) fn paragraphs(markup: &Markup) -> Vec<Vec<Run>> {
    let mut out = Collector::default();
    for node in markup.nodes() {
        out.visit(node);
    }
    out.end();
    out.done
}

#[derive(Default)]
struct Collector {
    done: Vec<Vec<Run>>,
    current: Vec<Run>,
}

impl Collector {
    fn visit(&mut self, node: MarkupNode<'_>) {
        match node.value() {
            Node::Text(text) => self.push(text),
            Node::Element(element) => match element.name() {
                "br" => self.current.push(Run::Break),
                "p" | "pre" => self.visit_paragraph(node),
                name if is_hidden(name) => {}
                name if is_block(name) => {
                    self.end();
                    node.children().for_each(|child| self.visit(child));
                    self.end();
                }
                _ => node.children().for_each(|child| self.visit(child)),
            },
            _ => {}
        }
    }

    fn visit_paragraph(&mut self, node: MarkupNode<'_>) {
        self.end();
        let before = self.done.len();
        node.children().for_each(|child| self.visit(child));
        // A block inside has ended the paragraph already, as `object` may have them.
        if self.done.len() == before || !self.current.is_empty() {
            self.done.push(std::mem::take(&mut self.current));
        }
    }

    fn push(&mut self, text: &str) {
        match self.current.last_mut() {
            Some(Run::Text(before)) => before.push_str(text),
            _ => self.current.push(Run::Text(text.to_owned())),
        }
    }

    fn end(&mut self) {
        let mut runs = std::mem::take(&mut self.current);
        let is_blank = |run: &Run| matches!(run, Run::Text(text) if text.trim().is_empty());
        if runs.iter().all(is_blank) {
            return;
        }
        if let Some(Run::Text(first)) = runs.first_mut() {
            *first = first.trim_start().to_owned();
        }
        if let Some(Run::Text(last)) = runs.last_mut() {
            last.truncate(last.trim_end().len());
        }
        runs.retain(|run| !matches!(run, Run::Text(text) if text.is_empty()));
        self.done.push(runs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, expected: &[&str]) {
        let markup = Markup::parse("body_html", html).unwrap();
        let texts: Vec<String> = paragraphs(&markup)
            .into_iter()
            .map(|runs| {
                let texts = runs.into_iter().map(|run| match run {
                    Run::Text(text) => text,
                    Run::Break => "|".to_owned(),
                });
                texts.collect()
            })
            .collect();
        assert_eq!(texts, expected, "{html}");
    }

    #[test]
    fn one_for_each_block() {
        check("<p>a <b>b</b> c</p><p></p><p>d<br>e</p>", &["a b c", "", "d|e"]);
        check("just text", &["just text"]);
        check("one<br>two", &["one|two"]);
        check("<h2>head</h2>\n<ul>\n<li>x</li><li><p>y</p></li></ul> tail ", &["head", "x", "y", "tail"]);
        check("<blockquote><p>q</p></blockquote><table><tr><td>1<td>2</table>", &["q", "1", "2"]);
        check("<div><script>x()</script></div>", &[]);
        check("", &[]);
    }
}
