//! Packed fixes: one batch of the positions lane, and the body of `application/vnd.dateline.positions`.
//!
//! ```text
//! batch   := magic:"DLP1" length:u32 count:u32 record{count} crc:u32
//! record  := device_bytes:u8 device:utf8 at_ms:u64 lon:i32 lat:i32 flags:u8
//!            [speed:f64] [heading:f64] [accuracy:f64] [fields_bytes:u16 fields:utf8 JSON object]
//!            [altitude:f64] [ttl_s:u32]
//! flags   := 1 speed | 2 heading | 4 accuracy | 8 fields | 16 altitude | 32 ttl_s
//! ```
//! Little-endian. `length` counts every byte of the batch; `lon` and `lat` are 1e-7 degree, lon in [-180, 180);
//! `crc` is CRC-32C of all bytes before it. A batch without records is a tick: it says that time has gone by. A decoder takes exactly what an encoder writes and nothing else.

use bytes::Bytes;
use dateline_engine::{DocId, Error, Millis, Result};

use crate::fix::{FIELDS_BYTES_MAX, Fix};
use crate::point::Point;

const MAGIC: &[u8; 4] = b"DLP1";
const HEADER_BYTES: usize = 12;
const CRC_BYTES: usize = 4;
const SPEED: u8 = 1;
const HEADING: u8 = 2;
const ACCURACY: u8 = 4;
const FIELDS: u8 = 8;
const ALTITUDE: u8 = 16;
const TTL: u8 = 32;
const KNOWN: u8 = SPEED | HEADING | ACCURACY | FIELDS | ALTITUDE | TTL;

/// The most fixes one batch takes.
pub const BATCH_FIXES_MAX: usize = 50_000;

/// Packs fixes, at most [`BATCH_FIXES_MAX`].
pub(crate) fn encode(fixes: &[Fix]) -> Bytes {
    let mut out = Vec::with_capacity(HEADER_BYTES + fixes.len() * 48 + CRC_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&u32::try_from(fixes.len()).unwrap_or(u32::MAX).to_le_bytes());
    fixes.iter().for_each(|fix| encode_record(fix, &mut out));
    let length = u32::try_from(out.len() + CRC_BYTES).unwrap_or(u32::MAX);
    out.get_mut(4..8).into_iter().for_each(|slot| slot.copy_from_slice(&length.to_le_bytes()));
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out.into()
}

pub(crate) fn encode_record(fix: &Fix, out: &mut Vec<u8>) {
    let device = fix.device.as_str();
    out.push(u8::try_from(device.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(device.as_bytes());
    out.extend_from_slice(&fix.at.get().to_le_bytes());
    out.extend_from_slice(&fix.point.lon_units().to_le_bytes());
    out.extend_from_slice(&fix.point.lat_units().to_le_bytes());
    let numbers = [(SPEED, fix.speed), (HEADING, fix.heading), (ACCURACY, fix.accuracy)];
    let flags = numbers.iter().filter(|(_, value)| value.is_some()).fold(0, |flags, (flag, _)| flags | flag);
    let more =
        [(FIELDS, fix.fields.is_some()), (ALTITUDE, fix.altitude.is_some()), (TTL, fix.ttl_s.is_some())];
    let flags = more.iter().filter(|(_, there)| *there).fold(flags, |flags, (flag, _)| flags | flag);
    out.push(flags);
    numbers
        .iter()
        .filter_map(|(_, value)| *value)
        .for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    if let Some(fields) = &fix.fields {
        out.extend_from_slice(&u16::try_from(fields.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(fields.as_bytes());
    }
    fix.altitude.into_iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    fix.ttl_s.into_iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

/// Unpacks a batch whole or not at all.
///
/// # Errors
/// `Corrupt` naming the first byte that is not as the grammar says.
pub(crate) fn decode(batch: &[u8]) -> Result<Vec<Fix>> {
    records(batch)?.map(|record| record?.fix()).collect()
}

/// Unpacks the body of a client's request, item by item.
///
/// # Errors
/// A message when the frame is broken; otherwise each record has its own result.
pub fn decode_fixes(
    body: &[u8],
    now: Millis,
) -> std::result::Result<Vec<std::result::Result<Fix, String>>, String> {
    let told = |error: Error| error.to_string();
    let records: Vec<Record<'_>> = records(body).map_err(told)?.collect::<Result<_>>().map_err(told)?;
    let item = |record: Record<'_>| {
        let fix = record.fix().map_err(told)?;
        fix.check_time(now).map(|()| fix)
    };
    Ok(records.into_iter().map(item).collect())
}

/// The records of a batch, one after the other; the frame is checked, what is in them is not.
pub(crate) fn records(batch: &[u8]) -> Result<Records<'_>> {
    let mut reader = Reader::checked(batch, MAGIC)?;
    let left = reader.u32()? as usize;
    if left > BATCH_FIXES_MAX {
        return Err(reader.fault("too many records"));
    }
    Ok(Records { reader, left, ended: false })
}

/// See [`records`]. The last item is an error when bytes are left over.
pub(crate) struct Records<'a> {
    reader: Reader<'a>,
    left: usize,
    ended: bool,
}

/// One record where it lies: read no further than is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    /// UTF-8 if the record is good.
    pub(crate) device: &'a [u8],
    pub(crate) at: Millis,
    reader: Reader<'a>,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.ended = true;
            return self.reader.end().err().map(Err);
        };
        self.left = left;
        let record = self.reader.record();
        self.ended = record.is_err();
        Some(record)
    }
}

impl Record<'_> {
    /// # Errors
    /// `Corrupt` naming the byte.
    pub(crate) fn fix(mut self) -> Result<Fix> {
        decode_record(&mut self.reader)
    }
}

pub(crate) fn decode_record(reader: &mut Reader<'_>) -> Result<Fix> {
    let device_bytes = usize::from(reader.u8()?);
    let device = DocId::new(reader.text(device_bytes)?).map_err(|_| reader.fault("a bad device name"))?;
    let at = Millis::new(reader.u64()?);
    let (lon, lat) = (reader.i32()?, reader.i32()?);
    let point = Point::from_stored(lon, lat).ok_or_else(|| reader.fault("a place off the earth"))?;
    let flags = reader.u8()?;
    if flags & !KNOWN != 0 {
        return Err(reader.fault("unknown flags"));
    }
    let speed = reader.optional_f64(flags & SPEED != 0)?;
    let heading = reader.optional_f64(flags & HEADING != 0)?;
    let accuracy = reader.optional_f64(flags & ACCURACY != 0)?;
    let fields = if flags & FIELDS == 0 {
        None
    } else {
        let bytes = usize::from(reader.u16()?);
        let text = reader.text(bytes)?;
        let is_object = bytes <= FIELDS_BYTES_MAX
            && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok();
        Some(is_object.then(|| text.into()).ok_or_else(|| reader.fault("fields that are no object"))?)
    };
    let altitude = reader.optional_f64(flags & ALTITUDE != 0)?;
    let ttl_s = if flags & TTL == 0 { None } else { Some(reader.u32()?) };
    Ok(Fix { device, point, at, speed, heading, accuracy, altitude, ttl_s, fields })
}

/// Walks checked bytes; every fault says where.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Checks magic, length and crc of a frame; stands after the length.
    pub(crate) fn checked(frame: &'a [u8], magic: &[u8; 4]) -> Result<Self> {
        let mut reader = Self { bytes: frame, at: 0 };
        if reader.take(4)? != magic {
            return Err(reader.fault("not the magic of this format"));
        }
        if reader.u32()? as usize != frame.len() {
            return Err(reader.fault("a length that is not the frame's"));
        }
        let Some((body, crc)) = frame.split_last_chunk::<CRC_BYTES>() else {
            return Err(reader.fault("no crc"));
        };
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err(reader.fault("a crc that does not match"));
        }
        Ok(Self { bytes: body, at: reader.at })
    }

    /// Passes over one record.
    fn record(&mut self) -> Result<Record<'a>> {
        let reader = *self;
        let device_bytes = usize::from(self.u8()?);
        let device = self.take(device_bytes)?;
        let at = Millis::new(self.u64()?);
        self.take(8)?;
        let flags = self.u8()?;
        if flags & !KNOWN != 0 {
            return Err(self.fault("unknown flags"));
        }
        let numbers = (flags & (SPEED | HEADING | ACCURACY)).count_ones() as usize;
        self.take(numbers * 8)?;
        if flags & FIELDS != 0 {
            let fields_bytes = usize::from(self.u16()?);
            self.take(fields_bytes)?;
        }
        self.take(if flags & ALTITUDE == 0 { 0 } else { 8 })?;
        self.take(if flags & TTL == 0 { 0 } else { 4 })?;
        Ok(Record { device, at, reader })
    }

    /// Of bytes without a frame.
    #[cfg(test)]
    pub(crate) fn bare(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn end(&self) -> Result<()> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.fault("bytes after the last record")) }
    }

    pub(crate) fn fault(&self, what: &str) -> Error {
        Error::corrupt(format!("packed positions: {what} at byte {}", self.at))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count);
        let taken =
            end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| self.fault("an early end"))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| self.fault("an early end"))
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        self.take(count)
    }

    pub(crate) fn text(&mut self, count: usize) -> Result<&'a str> {
        let taken = self.take(count)?;
        std::str::from_utf8(taken).map_err(|_| self.fault("text that is not UTF-8"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_le_bytes)
    }

    fn optional_f64(&mut self, present: bool) -> Result<Option<f64>> {
        if !present {
            return Ok(None);
        }
        let number = self.array().map(f64::from_le_bytes)?;
        if number.is_finite() { Ok(Some(number)) } else { Err(self.fault("a number that is not finite")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Fix> {
        let point = Point::new(13.405, -52.52).unwrap();
        let bare = Fix::bare(DocId::new("a").unwrap(), point, Millis::new(1_780_000_000_000));
        let full = Fix {
            device: DocId::new("bus-7").unwrap(),
            speed: Some(2.5),
            heading: Some(90.0),
            accuracy: Some(4.0),
            fields: Some("{\"b\":1}".into()),
            ..bare.clone()
        };
        vec![bare, full]
    }

    #[test]
    fn later_members_come_behind() {
        let [bare, _] = sample().try_into().unwrap();
        let mut record = Vec::new();
        encode_record(&Fix { altitude: Some(-1.5), ttl_s: Some(60), ..bare.clone() }, &mut record);
        let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "0161008844709e010000d070fd078015b2e030000000000000f8bf3c000000");
        let batch = [Fix { altitude: Some(-1.5), ttl_s: Some(60), ..bare }];
        assert_eq!(decode(&encode(&batch)).unwrap(), batch);
    }

    #[test]
    fn bytes_are_golden() {
        let hex: String = encode(&sample()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN);
        assert_eq!(decode(&encode(&sample())).unwrap(), sample());
        assert_eq!(decode(&encode(&[])).unwrap(), vec![]);
    }

    const GOLDEN: &str = "444c50315b000000020000000161008844709e010000d070fd078015b2e000056275732d37008844709e010000d070fd078015b2e00f00000000000004400000000000805640000000000000104007007b2262223a317dd03d776e";

    #[test]
    fn refuses_every_truncation_and_every_flipped_bit() {
        let good = encode(&sample());
        for length in 0..good.len() {
            assert!(decode(&good[..length]).is_err(), "{length}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bad).is_err(), "bit {bit}");
        }
        let mut long = good.to_vec();
        long.push(0);
        assert!(decode(&long).is_err());
    }
}
