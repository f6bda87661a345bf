//! Length and size of films and sounds.
//!
//! Of ISO media files (MP4, MOV, 3GP) and Matroska the headers are read by nom-exif; of sounds (MP3, FLAC, Ogg, WAV, AAC
//! ...) lofty tells the rest. Places are left out.

use std::io::{Cursor, Read, Seek, SeekFrom};

use lofty::config::{ParseOptions, ParsingMode};
use lofty::file::{AudioFile, TaggedFileExt};
use lofty::probe::Probe;
use lofty::tag::{Accessor, Tag};
use nom_exif::{EntryValue, MediaParser, MediaSource, TrackInfoTag};
use serde_json::{Map, Value};

use crate::kind::Family;
use crate::limits::TRACK_BYTES_MAX;
use crate::metadata::text_of;

/// `duration_s`, `width`, `height`, `create_date`, `make`, `model`, `software` of films; `duration_s`, `bit_rate`
/// (kbit/s), `sample_rate` (Hz), `channels`, `title`, `author`, `album` of sounds; whatever of it is known.
///
/// # Errors
/// None: what cannot be read is left out.
pub fn track(mut source: impl Read + Seek, family: Family) -> Map<String, Value> {
    let mut found = Map::new();
    if matches!(family, Family::Video | Family::Audio) {
        film(Bounded::new(&mut source), &mut found);
    }
    if family == Family::Audio && source.rewind().is_ok() {
        sound(Bounded::new(&mut source), &mut found);
    }
    found
}

fn film(source: impl Read + Seek, found: &mut Map<String, Value>) {
    let Ok(source) = MediaSource::seekable(source) else { return };
    let Ok(info) = MediaParser::new().parse_track(source) else { return };
    for (tag, value) in info.iter() {
        let name = match tag {
            TrackInfoTag::DurationMs => {
                if let EntryValue::U64(ms) = value {
                    found.insert("duration_s".to_owned(), (*ms as f64 / 1000.0).into());
                }
                continue;
            }
            TrackInfoTag::Width => "width",
            TrackInfoTag::Height => "height",
            TrackInfoTag::CreateDate => "create_date",
            TrackInfoTag::Make => "make",
            TrackInfoTag::Model => "model",
            TrackInfoTag::Software => "software",
            TrackInfoTag::Author => "author",
            _ => continue,
        };
        let value = match value {
            EntryValue::U32(number) => Some(Value::from(*number)),
            EntryValue::Text(text) => text_of(text.as_bytes()).map(Value::String),
            // Where a film does not say when it was made, its header counts from 1904.
            EntryValue::DateTime(_) | EntryValue::NaiveDateTime(_) => {
                let at = value.to_string();
                (!at.starts_with("1904-01-01")).then(|| at.into())
            }
            _ => None,
        };
        if let Some(value) = value {
            found.insert(name.to_owned(), value);
        }
    }
}

fn sound(mut source: impl Read + Seek, found: &mut Map<String, Value>) {
    // Its parsers want to seek from the end, so they get what is bounded in memory.
    let mut bytes = Vec::new();
    if source.read_to_end(&mut bytes).is_err() {
        return;
    }
    let options = ParseOptions::new().parsing_mode(ParsingMode::Relaxed).read_cover_art(false);
    let probe = Probe::new(Cursor::new(bytes)).options(options).guess_file_type();
    let Ok(file) = probe.map_err(drop).and_then(|probe| probe.read().map_err(drop)) else { return };
    let about = file.properties();
    let mut keep = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            found.entry(name).or_insert(value);
        }
    };
    let seconds = about.duration().as_secs_f64();
    keep("duration_s", (seconds > 0.0).then(|| ((seconds * 1000.0).round() / 1000.0).into()));
    keep("bit_rate", about.audio_bitrate().or(about.overall_bitrate()).map(Value::from));
    keep("sample_rate", about.sample_rate().map(Value::from));
    keep("channels", about.channels().map(Value::from));
    let tag: Option<&Tag> = file.primary_tag().or_else(|| file.first_tag());
    if let Some(tag) = tag {
        let text = |own: Option<std::borrow::Cow<'_, str>>| {
            own.and_then(|text| text_of(text.as_bytes())).map(Value::String)
        };
        keep("title", text(tag.title()));
        keep("author", text(tag.artist()));
        keep("album", text(tag.album()));
    }
}

/// Gives out a bounded number of bytes; then the source is at its end.
struct Bounded<R> {
    source: R,
    left: u64,
}

impl<R> Bounded<R> {
    fn new(source: R) -> Self {
        Self { source, left: TRACK_BYTES_MAX }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..most) else { return Ok(0) };
        let count = self.source.read(part)?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

impl<R: Seek> Seek for Bounded<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.source.seek(to)
    }
}
