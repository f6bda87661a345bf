//! XML as a tree of elements with their namespaces.
//!
//! Nothing is fetched and nothing is defined: a document type may name a file, which nobody reads, and may hold no
//! declarations. Entities are the five of XML and references to characters; any other stands as it was written. Size,
//! depth, attributes and the number of elements are bounded.

mod decode;
mod html;
mod read;

pub(crate) use decode::{decode, is_legal};
pub(crate) use html::{escape, html};
pub(crate) use read::read;

/// One element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Element {
    pub(crate) space: Space,
    /// The name without a prefix.
    pub(crate) name: String,
    /// With prefixes as written.
    attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
}

/// Namespaces that are told apart. Those of news formats are found by names alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// None, or that of the document's own format.
    Plain,
    Atom,
    /// Content of RSS: `content:encoded`.
    Content,
    DublinCore,
    /// Media RSS.
    Media,
    /// Anything else.
    Other,
}

impl Space {
    fn named(uri: &str) -> Space {
        match uri {
            "http://www.w3.org/2005/Atom" | "http://purl.org/atom/ns#" => Space::Atom,
            "http://purl.org/rss/1.0/modules/content/" => Space::Content,
            "http://purl.org/dc/elements/1.1/" | "http://purl.org/dc/terms/" => Space::DublinCore,
            "http://search.yahoo.com/mrss/" | "http://search.yahoo.com/mrss" => Space::Media,
            "" | "http://purl.org/rss/1.0/" | "http://www.w3.org/1999/xhtml" => Space::Plain,
            uri if uri.starts_with("http://iptc.org/std/") || uri.starts_with("http://www.iptc.org/std/") => {
                Space::Plain
            }
            _ => Space::Other,
        }
    }
}

impl Element {
    /// An attribute, empty when there is none.
    pub(crate) fn attr(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// Children of this name in the document's own namespace.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements()
            .filter(move |child| child.name == name && matches!(child.space, Space::Plain | Space::Atom))
    }

    pub(crate) fn child<'a>(&'a self, name: &'a str) -> Option<&'a Element> {
        self.all(name).next()
    }

    /// The element at the end of a path of children.
    pub(crate) fn at<'a>(&'a self, path: &[&'a str]) -> Option<&'a Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The text of the child at the end of a path, empty without one.
    pub(crate) fn text_at(&self, path: &[&str]) -> String {
        let mut element = self;
        for name in path {
            match element.child(name) {
                Some(child) => element = child,
                None => return String::new(),
            }
        }
        element.text()
    }

    /// An attribute of the child at the end of a path, empty without one.
    pub(crate) fn attr_at(&self, path: &[&str], name: &str) -> String {
        let mut element = self;
        for step in path {
            match element.child(step) {
                Some(child) => element = child,
                None => return String::new(),
            }
        }
        element.attr(name).trim().to_owned()
    }

    /// Every element below, the element itself first, in the order of the document.
    pub(crate) fn descendants(&self) -> Vec<&Element> {
        let (mut found, mut open) = (Vec::new(), vec![self]);
        while let Some(element) = open.pop() {
            found.push(element);
            let mut children: Vec<&Element> = element.elements().collect();
            children.reverse();
            open.append(&mut children);
        }
        found
    }

    /// All text inside, without white space around it.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.text_into(&mut out);
        out.trim().to_owned()
    }

    /// All text inside, white space as it stands.
    pub(crate) fn verbatim(&self) -> String {
        let mut out = String::new();
        self.text_into(&mut out);
        out
    }

    // The depth of a tree is bounded, so recursion is.
    fn text_into(&self, out: &mut String) {
        for node in &self.children {
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Element(element) => element.text_into(out),
            }
        }
    }
}
