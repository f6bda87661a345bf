//! Every bound of this crate.

/// Bytes of one document: a feed, a file, an answer, an e-mail.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// Items of one document. What comes behind is left out, and said so by the number.
pub const ITEMS_MAX: usize = 1_000;
/// Files that are taken from a folder or a server in one run.
pub const FILES_MAX: usize = 100;
/// Levels of elements, or of objects and lists.
pub(crate) const DEPTH_MAX: usize = 64;
/// Attributes of one element.
pub(crate) const ATTRIBUTES_MAX: usize = 64;
/// Elements of one document.
pub(crate) const ELEMENTS_MAX: usize = 500_000;
/// Entries of a list of codes, keywords or pictures in one item.
pub(crate) const LIST_MAX: usize = 1_000;
/// Bytes of a text of one line, such as a headline: the rest is cut off.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 10;
/// Parts of an e-mail that are looked at.
pub(crate) const MAIL_PARTS_MAX: usize = 200;

const _: () = assert!(LINE_BYTES_MAX < DOCUMENT_BYTES_MAX);
