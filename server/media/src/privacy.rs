//! A copy of a picture that does not say where it was taken.
//!
//! Nothing is encoded anew and no length changes: the entry of the GPS directory is taken out of the EXIF directory, the
//! directory and its values become zeros, and what XMP says of it becomes blanks. Everything else stays as it was.

use std::ops::Range;

/// Entries of one EXIF directory, and directories in a row.
const ENTRIES_MAX: usize = 4_096;
const ENTRY_BYTES: usize = 12;
const GPS_TAG: u16 = 0x8825;
/// Names in XMP that begin like this are about a place on Earth.
const XMP_NAME: &[u8] = b"exif:GPS";
const XMP_BYTES_MAX: usize = 1024 * 1024;

/// The same file without places, when it has any: of JPEG, PNG and WebP. `None` when there is nothing to take out.
///
/// Of a PNG that keeps its EXIF or XMP in a chunk, the check sum of the chunk is made anew.
#[must_use]
pub fn without_places(bytes: &[u8]) -> Option<Vec<u8>> {
    let parts = parts(bytes);
    let mut made: Option<Vec<u8>> = None;
    for part in parts {
        let Some(own) = bytes.get(part.range.clone()) else { continue };
        let mut changed = own.to_vec();
        let is_changed = match part.holds {
            Holds::Exif => clear_exif(&mut changed),
            Holds::Xmp => clear_xmp(&mut changed),
        };
        if !is_changed {
            continue;
        }
        let made = made.get_or_insert_with(|| bytes.to_vec());
        if let Some(place) = made.get_mut(part.range.clone()) {
            place.copy_from_slice(&changed);
        }
        if let Some(chunk) = part.checked {
            let sum = made.get(chunk.clone()).map(crc32).unwrap_or_default();
            if let Some(place) = made.get_mut(chunk.end..chunk.end + 4) {
                place.copy_from_slice(&sum.to_be_bytes());
            }
        }
    }
    made
}

enum Holds {
    /// A TIFF structure.
    Exif,
    Xmp,
}

/// A part of the file with metadata in it.
struct Part {
    range: Range<usize>,
    holds: Holds,
    /// Of a PNG: type and data of the chunk, which its check sum is of.
    checked: Option<Range<usize>>,
}

fn parts(bytes: &[u8]) -> Vec<Part> {
    if bytes.starts_with(b"\xff\xd8") {
        jpeg(bytes)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        png(bytes)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        webp(bytes)
    } else {
        Vec::new()
    }
}

/// Segments up to the first scan (ITU-T T.81 B.1).
fn jpeg(bytes: &[u8]) -> Vec<Part> {
    const EXIF: &[u8] = b"Exif\0\0";
    const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
    const MORE_XMP: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
    let mut found = Vec::new();
    let mut at = 2;
    while let Some(&[mark, kind, high, low]) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        if mark != 0xFF || kind == 0xDA {
            break;
        }
        if kind == 0xFF {
            at += 1;
            continue;
        }
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
        let data = bytes.get(at + 4..end).unwrap_or_default();
        if kind == 0xE1 && data.starts_with(EXIF) {
            found.push(Part { range: at + 4 + EXIF.len()..end, holds: Holds::Exif, checked: None });
        } else if kind == 0xE1 && (data.starts_with(XMP) || data.starts_with(MORE_XMP)) {
            found.push(Part { range: at + 4..end, holds: Holds::Xmp, checked: None });
        }
        at = end;
    }
    found
}

fn png(bytes: &[u8]) -> Vec<Part> {
    let mut found = Vec::new();
    let mut at = 8;
    while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let [a, b, c, d, kind @ ..] = *head;
        let Some(end) = (at + 8).checked_add(u32::from_be_bytes([a, b, c, d]) as usize) else { break };
        let checked = Some(at + 4..end);
        match &kind {
            b"eXIf" => found.push(Part { range: at + 8..end, holds: Holds::Exif, checked }),
            b"iTXt" => found.push(Part { range: at + 8..end, holds: Holds::Xmp, checked }),
            _ => {}
        }
        at = end.saturating_add(4);
    }
    found
}

fn webp(bytes: &[u8]) -> Vec<Part> {
    let mut found = Vec::new();
    let mut at = 12;
    while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let [kind @ .., a, b, c, d] = *head;
        let size = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some(end) = (at + 8).checked_add(size) else { break };
        match &kind {
            // Some writers repeat the head of a JPEG segment here.
            b"EXIF" if bytes.get(at + 8..at + 14) == Some(b"Exif\0\0") => {
                found.push(Part { range: at + 14..end, holds: Holds::Exif, checked: None });
            }
            b"EXIF" => found.push(Part { range: at + 8..end, holds: Holds::Exif, checked: None }),
            b"XMP " => found.push(Part { range: at + 8..end, holds: Holds::Xmp, checked: None }),
            _ => {}
        }
        at = end.saturating_add(size % 2);
    }
    found
}

/// A TIFF structure, read in its own byte order (TIFF 6.0, section 2).
struct Tiff<'a> {
    bytes: &'a mut [u8],
    is_little: bool,
}

fn clear_exif(bytes: &mut [u8]) -> bool {
    let is_little = match bytes.get(..2) {
        Some(b"II") => true,
        Some(b"MM") => false,
        _ => return false,
    };
    let mut tiff = Tiff { bytes, is_little };
    let mut is_changed = false;
    let mut directory = tiff.long(4);
    // The second is that of the small picture; more are nobody's, and a ring of them ends here.
    for _ in 0..4 {
        let Some(at) = directory.filter(|at| *at > 0) else { break };
        directory = tiff.next(at);
        while let Some(place) = tiff.entry(at, GPS_TAG) {
            if let Some(place) = tiff.long(place + 8) {
                tiff.clear_directory(place);
            }
            tiff.take_entry_out(at, place);
            is_changed = true;
        }
    }
    is_changed
}

impl Tiff<'_> {
    fn short(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk::<2>()?;
        Some(if self.is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<usize> {
        let bytes = *self.bytes.get(at..)?.first_chunk::<4>()?;
        let number = if self.is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        Some(number as usize)
    }

    fn count(&self, directory: usize) -> usize {
        self.short(directory).map_or(0, usize::from).min(ENTRIES_MAX)
    }

    /// Where the offset of the following directory stands, and what it is.
    fn next(&self, directory: usize) -> Option<usize> {
        self.long(directory + 2 + self.count(directory) * ENTRY_BYTES)
    }

    /// Where the entry of this tag begins.
    fn entry(&self, directory: usize, tag: u16) -> Option<usize> {
        let places = (0..self.count(directory)).map(|place| directory + 2 + place * ENTRY_BYTES);
        places.into_iter().find(|place| self.short(*place) == Some(tag))
    }

    /// Those behind it move up, so that the directory is what a writer without the entry would have written.
    fn take_entry_out(&mut self, directory: usize, entry: usize) {
        let count = self.count(directory);
        let end = (directory + 2 + count * ENTRY_BYTES + 4).min(self.bytes.len());
        if entry + ENTRY_BYTES <= end {
            self.bytes.copy_within(entry + ENTRY_BYTES..end, entry);
            self.zero(end - ENTRY_BYTES..end);
        } else {
            // Cut off in the middle: what is left of it says nothing.
            self.zero(entry..self.bytes.len());
        }
        let fewer = u16::try_from(count.saturating_sub(1)).unwrap_or(0);
        let number = if self.is_little { fewer.to_le_bytes() } else { fewer.to_be_bytes() };
        if let Some(place) = self.bytes.get_mut(directory..directory + 2) {
            place.copy_from_slice(&number);
        }
    }

    fn clear_directory(&mut self, directory: usize) {
        let count = self.count(directory);
        for entry in (0..count).map(|place| directory + 2 + place * ENTRY_BYTES) {
            let (Some(kind), Some(values)) = (self.short(entry + 2), self.long(entry + 4)) else { break };
            let width = match kind {
                3 | 8 => 2,
                4 | 9 | 11 => 4,
                5 | 10 | 12 => 8,
                _ => 1,
            };
            let size = values.saturating_mul(width);
            if size > 4
                && let Some(place) = self.long(entry + 8)
            {
                self.zero(place..place.saturating_add(size));
            }
        }
        self.zero(directory..directory + 2 + count * ENTRY_BYTES + 4);
    }

    /// Never the head of the structure, whatever offsets say.
    fn zero(&mut self, range: Range<usize>) {
        let end = range.end.min(self.bytes.len());
        if let Some(part) = self.bytes.get_mut(range.start.max(8)..end) {
            part.fill(0);
        }
    }
}

/// Blanks in place of attributes and elements, so that the packet stays one.
fn clear_xmp(bytes: &mut [u8]) -> bool {
    if bytes.len() > XMP_BYTES_MAX {
        return false;
    }
    let mut is_changed = false;
    let mut from = 0;
    while let Some(found) = position(bytes.get(from..).unwrap_or_default(), XMP_NAME) {
        let at = from + found;
        let range = match at.checked_sub(1).and_then(|before| bytes.get(before)) {
            Some(b'<') => element(bytes, at),
            Some(_) => attribute(bytes, at),
            None => None,
        };
        from = at + XMP_NAME.len();
        if let Some(part) = range.and_then(|range| bytes.get_mut(range)) {
            part.fill(b' ');
            is_changed = true;
        }
    }
    is_changed
}

/// `exif:GPSx="..."`.
fn attribute(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = bytes.get(at..)?;
    let equals = position(rest, b"=")?;
    let quote = equals + rest.get(equals..)?.iter().position(|byte| matches!(byte, b'"' | b'\''))?;
    let mark = [*rest.get(quote)?];
    let end = quote + 1 + position(rest.get(quote + 1..)?, &mark)?;
    Some(at..at + end + 1)
}

/// `<exif:GPSx>...</exif:GPSx>` or `<exif:GPSx/>`; `at` is behind the first bracket.
fn element(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = bytes.get(at..)?;
    let head = position(rest, b">")?;
    if head > 0 && rest.get(head - 1) == Some(&b'/') {
        return Some(at - 1..at + head + 1);
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b':';
    let name = rest.get(..rest.iter().position(|byte| !is_name(byte))?)?;
    let close = [b"</", name, b">"].concat();
    let end = position(rest, &close)? + close.len();
    Some(at - 1..at + end)
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The check sum of PNG chunks (ISO 3309), bit by bit: it is made for a few kilobytes.
fn crc32(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1)))
    });
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An EXIF structure with a maker and a place, big or little endian.
    fn exif(is_little: bool) -> Vec<u8> {
        let short = |value: u16| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
        let long = |value: u32| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
        let entry = |tag: u16, kind: u16, count: u32, value: u32| {
            [&short(tag)[..], &short(kind), &long(count), &long(value)].concat()
        };
        let mark: &[u8] = if is_little { b"II\x2a\0" } else { b"MM\0\x2a" };
        let mut made = [mark, &long(8)].concat();
        // 8: two entries and no further directory; 38: the maker; 44: the place; 74: its value.
        made.extend([&short(2)[..], &entry(0x010F, 2, 6, 38), &entry(GPS_TAG, 4, 1, 44), &long(0)].concat());
        made.extend(b"Canon\0");
        made.extend([&short(1)[..], &entry(2, 5, 3, 62), &long(0)].concat());
        made.extend([1_u32, 2, 3, 4, 5, 6].iter().flat_map(|value| long(*value)));
        made
    }

    #[test]
    fn the_place_goes_and_the_rest_stays() {
        for is_little in [true, false] {
            let mut bytes = exif(is_little);
            let length = bytes.len();
            assert!(clear_exif(&mut bytes));
            assert_eq!(bytes.len(), length);
            let tiff = Tiff { bytes: &mut bytes, is_little };
            assert_eq!((tiff.count(8), tiff.entry(8, GPS_TAG), tiff.next(8)), (1, None, Some(0)));
            assert!(tiff.entry(8, 0x010F).is_some());
            assert_eq!(&bytes[38..44], b"Canon\0");
            assert!(bytes[44..].iter().all(|byte| *byte == 0));
            assert!(!clear_exif(&mut bytes), "nothing is left to take out");
        }
    }

    #[test]
    fn xmp_loses_only_what_is_about_the_place() {
        let packet = r#"<a exif:GPSLatitude="1,2N" tiff:Make='C'><exif:GPSAltitude>3</exif:GPSAltitude><exif:GPSX/><b/></a>"#;
        let mut bytes = packet.as_bytes().to_vec();
        assert!(clear_xmp(&mut bytes));
        let left = String::from_utf8(bytes).unwrap();
        assert_eq!(left.len(), packet.len());
        assert_eq!(left.split_whitespace().collect::<Vec<_>>().join(" "), "<a tiff:Make='C'> <b/></a>");
        assert!(!clear_xmp(&mut b"<a exif:GPSLatitude=".to_vec()));
    }

    #[test]
    fn check_sums_are_those_of_png() {
        assert_eq!(crc32(b"IEND"), 0xAE42_6082);
    }

    #[test]
    fn any_bytes_are_taken() {
        let seed = std::env::var("SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| fastrand::u64(..));
        eprintln!("run again with SEED={seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        for round in 0..20_000 {
            let mut bytes = if round % 2 == 0 { exif(rng.bool()) } else { vec![0; rng.usize(..200)] };
            for _ in 0..rng.usize(..20) {
                if let Some(place) = (!bytes.is_empty()).then(|| rng.usize(..bytes.len())) {
                    bytes[place] = rng.u8(..);
                }
            }
            bytes.truncate(rng.usize(..=bytes.len()));
            let head: &[u8] = [
                &b"\xff\xd8\xff\xe1\0\x70Exif\0\0"[..],
                b"\x89PNG\r\n\x1a\n\0\0\0\x40eXIf",
                b"RIFF\0\0\0\0WEBPEXIF\x40\0\0\0",
                b"",
            ][rng.usize(..4)];
            let whole = [head, &bytes].concat();
            if let Some(made) = without_places(&whole) {
                assert_eq!(made.len(), whole.len());
            }
            clear_exif(&mut bytes);
            clear_xmp(&mut bytes);
        }
    }
}
