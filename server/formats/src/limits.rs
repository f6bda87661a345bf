//! Every bound of this crate.

/// Bytes of markup in one field (a body, a footer, an abstract).
pub(crate) const MARKUP_BYTES_MAX: usize = 4 << 20;
/// Open elements at any place of a markup. Trees are walked recursively up to here, and what is written stays below the
/// 256 levels that readers built on libxml2 accept.
pub(crate) const MARKUP_DEPTH_MAX: usize = 200;
/// Sum over all tags of the elements open at that tag. HTML's rules may open each of them once more, so this bounds the
/// memory and time of a parse that would otherwise be quadratic in the markup.
pub(crate) const MARKUP_WORK_MAX: usize = 4_000_000;
/// Bytes of all strings, keys and punctuation of an item.
pub(crate) const ITEM_BYTES_MAX: usize = 16 << 20;
/// Levels of objects and lists in an item. JSON that was parsed by `serde_json` has at most 127.
pub(crate) const ITEM_DEPTH_MAX: usize = 128;
/// Associations, members of packages and similar lists: entries that are written per list.
pub(crate) const LIST_MAX: usize = 10_000;
/// Embeds of one body that are looked for. A body with more is refused: one that is not looked for could stay with a
/// subscriber who may not have it.
pub(crate) const EMBEDS_MAX: usize = 500;

const _: () = assert!(MARKUP_BYTES_MAX <= ITEM_BYTES_MAX);
