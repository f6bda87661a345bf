//! What may be varied about how a store keeps its bytes.
//!
//! Nothing of it changes what is stored: a store written with one tuning opens with any other.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::{GROUP_BYTES_MAX, GROUP_TRANSACTIONS_MAX};

/// How blocks are compressed, by level. As text it is the name in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not in the two upper levels, LZ4 in those below, Zstandard in the last.
    Layered,
    /// Nowhere.
    None,
    /// LZ4 everywhere.
    Lz4,
    /// Zstandard everywhere.
    Zstd,
}

/// What tells that a key is not in a file. As text it is the name in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Bloom in the upper level, ribbon below: smaller, and costs more to build.
    Ribbon,
    /// Bloom everywhere.
    Bloom,
    /// Nothing: each file that may hold the key is read.
    None,
}

/// The knobs. There is no other default than [`Tuning::SHIPPED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Bytes of an uncompressed block of documents, versions and answers to idempotency keys.
    pub block_bytes: usize,
    /// Bytes of an uncompressed block of both lanes.
    pub lane_block_bytes: usize,
    /// Compression of blocks.
    pub compression: Compression,
    /// Filter over the keys of documents.
    pub filter: Filter,
    /// Bits of filter for each key.
    pub filter_bits: u8,
    /// Versions from this size on are kept in blob files, beside their keys.
    pub version_blob_bytes: usize,
    /// Most transactions of one group, one sync.
    pub group_transactions: usize,
    /// Bytes after which a group is closed.
    pub group_bytes: usize,
    /// Whether the storage below counts what it does. Without it [`crate::Statistics`] has no counts, only sizes.
    pub counted: bool,
}

impl Tuning {
    /// What a server runs with when its configuration says nothing else.
    pub const SHIPPED: Self = Self {
        block_bytes: 16 << 10,
        lane_block_bytes: 32 << 10,
        compression: Compression::Layered,
        filter: Filter::Ribbon,
        filter_bits: 10,
        version_blob_bytes: 4 << 10,
        group_transactions: GROUP_TRANSACTIONS_MAX,
        group_bytes: GROUP_BYTES_MAX,
        counted: true,
    };

    /// # Errors
    /// `Invalid` naming the knob that is out of its bounds.
    pub fn check(&self) -> Result<()> {
        let within = |knob: &str, value: usize, least: usize, most: usize| match value {
            value if value < least || value > most => {
                Err(Error::invalid(format!("{knob} is {value}; {least} to {most} are possible")))
            }
            _ => Ok(()),
        };
        within("block_bytes", self.block_bytes, 512, 4 << 20)?;
        within("lane_block_bytes", self.lane_block_bytes, 512, 4 << 20)?;
        within("filter_bits", usize::from(self.filter_bits), 1, 32)?;
        within("version_blob_bytes", self.version_blob_bytes, 1, 1 << 30)?;
        within("group_transactions", self.group_transactions, 1, GROUP_TRANSACTIONS_MAX)?;
        within("group_bytes", self.group_bytes, 1, GROUP_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knobs_have_bounds() {
        assert!(Tuning::SHIPPED.check().is_ok());
        let check = |tuning: Tuning, knob: &str| {
            let refused = tuning.check().unwrap_err();
            assert!(refused.to_string().contains(knob), "{refused}");
        };
        check(Tuning { block_bytes: 0, ..Tuning::SHIPPED }, "block_bytes");
        check(Tuning { filter_bits: 33, ..Tuning::SHIPPED }, "filter_bits");
        check(Tuning { group_transactions: 0, ..Tuning::SHIPPED }, "group_transactions");
        check(Tuning { group_bytes: GROUP_BYTES_MAX + 1, ..Tuning::SHIPPED }, "group_bytes");
    }
}
