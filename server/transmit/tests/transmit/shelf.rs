//! Media in memory.

use dateline_transmit::{Lent, MediaError, MediaProvider, MediaReader, Medium, MediumKind, Transmission};
use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lends what it was given.
#[derive(Default)]
pub(crate) struct Shelf {
    media: Vec<(Medium, Vec<u8>)>,
    /// What happens to the bytes before the second opening.
    pub(crate) change: Option<fn(&mut Vec<u8>)>,
    opened: AtomicUsize,
}

impl Shelf {
    pub(crate) fn with(mut self, id: &str, file_name: &str, kind: MediumKind, bytes: &[u8]) -> Shelf {
        let (id, file_name) = (id.to_owned(), file_name.to_owned());
        let association = Some("featuremedia".to_owned());
        let content_type = "image/jpeg".to_owned();
        self.media.push((Medium { id, file_name, content_type, kind, association }, bytes.to_vec()));
        self
    }
}

impl MediaProvider for Shelf {
    fn media<'a>(&'a self, _: &'a Transmission) -> Lent<'a, Result<Vec<Medium>, MediaError>> {
        let media = self.media.iter().map(|(medium, _)| medium.clone()).collect();
        Box::pin(async { Ok(media) })
    }

    fn open<'a>(&'a self, medium: &'a Medium) -> Lent<'a, Result<MediaReader, MediaError>> {
        Box::pin(async move {
            let found = self.media.iter().find(|(own, _)| own == medium);
            let (_, bytes) = found.ok_or(MediaError { message: "gone".to_owned() })?;
            let mut bytes = bytes.clone();
            let is_second = self.opened.fetch_add(1, Ordering::Relaxed) % 2 == 1;
            if let Some(change) = self.change.filter(|_| is_second) {
                change(&mut bytes);
            }
            let reader: MediaReader = Box::new(Cursor::new(bytes));
            Ok(reader)
        })
    }
}
