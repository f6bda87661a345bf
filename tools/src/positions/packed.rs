//! Packed positions as docs/format.md draws them, written from that page alone.

use super::Fix;

/// One request body.
pub(super) fn encode(fixes: &[Fix]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + fixes.len() * 48);
    out.extend_from_slice(b"DLP1\0\0\0\0");
    out.extend_from_slice(&u32::try_from(fixes.len()).unwrap_or(u32::MAX).to_le_bytes());
    for fix in fixes {
        out.push(u8::try_from(fix.device.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(fix.device.as_bytes());
        out.extend_from_slice(&fix.at_ms.to_le_bytes());
        // 180 is written as -180.
        let lon = if fix.lon >= 180.0 { fix.lon - 360.0 } else { fix.lon };
        for degrees in [lon, fix.lat] {
            out.extend_from_slice(&((degrees * 1e7).round() as i32).to_le_bytes());
        }
        let flags = u8::from(fix.speed.is_some()) | u8::from(fix.heading.is_some()) << 1;
        out.push(flags);
        for number in [fix.speed, fix.heading].into_iter().flatten() {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    let length = u32::try_from(out.len() + 4).unwrap_or(u32::MAX).to_le_bytes();
    out.iter_mut().skip(4).zip(length).for_each(|(slot, byte)| *slot = byte);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}
