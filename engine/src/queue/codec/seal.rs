//! The frame around a value: format, one or two headers, tail, checksum; and its parts.

use wincode::config::DefaultConfig;
use wincode::{SchemaReadOwned, SchemaWrite};

use crate::error::{Error, Result};

const FORMAT: u8 = 1;
/// With a second header.
const FORMAT_MORE: u8 = 2;
const CRC_LEN: usize = 4;

pub(super) fn seal<T: SchemaWrite<DefaultConfig, Src = T>>(fields: &T, tail: &[&[u8]]) -> Vec<u8> {
    seal_both::<T, T>(fields, None, tail)
}

/// As `seal`, with a second header if there is one.
pub(super) fn seal_both<T, M>(fields: &T, more: Option<&M>, tail: &[&[u8]]) -> Vec<u8>
where
    T: SchemaWrite<DefaultConfig, Src = T>,
    M: SchemaWrite<DefaultConfig, Src = M>,
{
    let tail_len: usize = tail.iter().map(|part| part.len()).sum();
    let more_len = more.map_or(0, size_of_val);
    let mut value = Vec::with_capacity(1 + size_of::<T>() + more_len + tail_len + CRC_LEN);
    value.push(if more.is_some() { FORMAT_MORE } else { FORMAT });
    write(&mut value, fields);
    if let Some(more) = more {
        write(&mut value, more);
    }
    for part in tail {
        value.extend_from_slice(part);
    }
    let crc = crc32c::crc32c(&value);
    value.extend_from_slice(&crc.to_le_bytes());
    value
}

pub(super) fn unseal<T: SchemaReadOwned<DefaultConfig, Dst = T>>(value: &[u8]) -> Result<(T, &[u8])> {
    match unseal_both::<T, u8>(value)? {
        (fields, None, tail) => Ok((fields, tail)),
        (_, Some(_), _) => Err(Error::corrupt(format!("unknown format {FORMAT_MORE}"))),
    }
}

/// As `unseal`, with the second header if there is one.
pub(super) fn unseal_both<T, M>(value: &[u8]) -> Result<(T, Option<M>, &[u8])>
where
    T: SchemaReadOwned<DefaultConfig, Dst = T>,
    M: SchemaReadOwned<DefaultConfig, Dst = M>,
{
    let short = || Error::corrupt(format!("{} bytes are too short", value.len()));
    let (covered, crc) = value.split_last_chunk::<CRC_LEN>().ok_or_else(short)?;
    let (format, mut body) = covered.split_first().ok_or_else(short)?;
    let (found, stored) = (crc32c::crc32c(covered), u32::from_le_bytes(*crc));
    if found != stored {
        return Err(Error::corrupt(format!("checksum {found:08x}, {stored:08x} stored")));
    }
    if !matches!(*format, FORMAT | FORMAT_MORE) {
        return Err(Error::corrupt(format!("unknown format {format}")));
    }
    let damaged = |e: wincode::ReadError| Error::corrupt(e.to_string());
    let fields = wincode::deserialize_from(&mut body).map_err(damaged)?;
    let more = match *format {
        FORMAT_MORE => Some(wincode::deserialize_from(&mut body).map_err(damaged)?),
        _ => None,
    };
    Ok((fields, more, body))
}

pub(super) fn plain<T: SchemaWrite<DefaultConfig, Src = T>>(fields: &T) -> Vec<u8> {
    let mut value = Vec::with_capacity(size_of::<T>());
    write(&mut value, fields);
    value
}

pub(super) fn parse<T: SchemaReadOwned<DefaultConfig, Dst = T>>(value: &[u8]) -> Result<T> {
    wincode::deserialize_exact(value).map_err(|e| Error::corrupt(e.to_string()))
}

#[expect(clippy::expect_used, reason = "fixed integers always fit a vector, which grows")]
fn write<T: SchemaWrite<DefaultConfig, Src = T>>(value: &mut Vec<u8>, fields: &T) {
    wincode::serialize_into(value, fields).expect("fixed integers are writable");
}

/// Lengths were checked against limits that fit; a longer part would fail its own decoding.
pub(super) fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

pub(super) fn tiny(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

pub(super) fn long(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

pub(super) fn wide(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Cuts the tail of a sealed value into its parts.
pub(super) struct Parts<'a>(pub(super) &'a [u8]);

impl<'a> Parts<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let short = || Error::corrupt(format!("{} bytes left, {len} expected", self.0.len()));
        let (part, rest) = self.0.split_at_checked(len).ok_or_else(short)?;
        self.0 = rest;
        Ok(part)
    }

    pub(super) fn text(&mut self, len: usize) -> Result<&'a str> {
        std::str::from_utf8(self.bytes(len)?).map_err(|e| Error::corrupt(e.to_string()))
    }

    pub(super) fn finish(self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Error::corrupt(format!("{} bytes too many", self.0.len())))
    }
}

/// A second header is written only where it says something.
pub(super) fn nothing_more() -> Error {
    Error::corrupt("a second header that says nothing")
}
