//! XML trees, and their bytes.
//!
//! Names are ours and fixed at compile time; every text and attribute value comes from outside. So the filter for
//! illegal characters sits where values enter the tree, and escaping where they leave it: no value can become markup.

mod write;

use crate::chars::xml_legal;
pub(crate) use write::{Layout, Prolog, document};

/// One element. Attributes and children keep their order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Element {
    pub(crate) name: &'static str,
    pub(crate) attributes: Vec<(&'static str, String)>,
    pub(crate) children: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    pub(crate) fn new(name: &'static str) -> Element {
        Element { name, attributes: Vec::new(), children: Vec::new() }
    }

    /// An element with nothing but text.
    pub(crate) fn leaf(name: &'static str, text: impl AsRef<str>) -> Element {
        Element::new(name).text(text)
    }

    #[must_use]
    pub(crate) fn attr(mut self, name: &'static str, value: impl AsRef<str>) -> Element {
        self.attributes.push((name, xml_legal(value.as_ref()).into_owned()));
        self
    }

    /// An attribute that is left out when it is empty.
    #[must_use]
    pub(crate) fn attr_some(self, name: &'static str, value: impl AsRef<str>) -> Element {
        match value.as_ref() {
            "" => self,
            value => self.attr(name, value),
        }
    }

    #[must_use]
    pub(crate) fn text(mut self, text: impl AsRef<str>) -> Element {
        self.push_text(text.as_ref());
        self
    }

    #[must_use]
    pub(crate) fn child(mut self, child: Element) -> Element {
        self.children.push(Node::Element(child));
        self
    }

    #[must_use]
    pub(crate) fn extend(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.children.extend(children.into_iter().map(Node::Element));
        self
    }

    #[must_use]
    pub(crate) fn nodes(mut self, nodes: impl IntoIterator<Item = Node>) -> Element {
        self.children.extend(nodes);
        self
    }

    pub(crate) fn push(&mut self, child: Element) {
        self.children.push(Node::Element(child));
    }

    pub(crate) fn push_text(&mut self, text: &str) {
        let legal = xml_legal(text);
        if legal.is_empty() {
            return;
        }
        match self.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(&legal),
            _ => self.children.push(Node::Text(legal.into_owned())),
        }
    }

    pub(crate) fn has_text(&self) -> bool {
        self.children.iter().any(|node| matches!(node, Node::Text(_)))
    }
}

impl Node {
    pub(crate) fn text(text: &str) -> Node {
        Node::Text(xml_legal(text).into_owned())
    }
}
