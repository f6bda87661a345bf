//! Every bound of the crate.

/// What a caller lets a picture cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Width times height, as the file declares them. A decoded picture takes at most four bytes each.
    pub pixels_max: u64,
}

/// Longest edge of any picture in pixels, also of one that is made here.
pub(crate) const EDGE_MAX: u32 = 65_500;
/// Values of one EXIF, IPTC or XMP field, and fields of each.
pub(crate) const VALUES_MAX: usize = 256;
pub(crate) const FIELDS_MAX: usize = 1_000;
/// Longest text of a field in bytes; what is longer is cut.
pub(crate) const TEXT_BYTES_MAX: usize = 32 * 1024;
/// Longest XMP packet that is read.
pub(crate) const XMP_BYTES_MAX: usize = 1024 * 1024;
/// Depth of elements in XMP.
pub(crate) const XMP_DEPTH_MAX: usize = 32;
/// Bytes of a film or sound that are looked at for its metadata.
pub(crate) const TRACK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Edits of one picture.
pub(crate) const EDITS_MAX: usize = 20;
/// Long edge in pixels at which points of interest are looked for.
pub(crate) const SCENE_EDGE: usize = 160;

const _: () = assert!(SCENE_EDGE <= 256 && EDITS_MAX > 0);
