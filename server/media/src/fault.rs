//! Why a file is not taken as a picture.

use std::fmt;

/// Why bytes give no picture. Its `Display` is for the person who sent them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Of no format that is decoded here.
    Unknown,
    /// The file declares more pixels than are taken. Nothing was allocated for them.
    TooLarge {
        /// Declared width.
        width: u32,
        /// Declared height.
        height: u32,
        /// What is taken, in pixels.
        pixels_max: u64,
    },
    /// Of a known format, and damaged or beyond it; the reason is the decoder's.
    Damaged(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => out.write_str("the picture is of no format that can be decoded here"),
            Self::TooLarge { width, height, pixels_max } => {
                write!(out, "the picture is {width}x{height}; at most {pixels_max} pixels are taken")
            }
            Self::Damaged(reason) => write!(out, "the picture cannot be decoded: {reason}"),
        }
    }
}

impl std::error::Error for Fault {}
