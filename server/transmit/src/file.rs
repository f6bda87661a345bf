//! Files in a folder of this machine.

use crate::digest::Sha;
use crate::egress::{Egress, RootError};
use crate::failure::{Code, Failure};
use crate::media::MediaProvider;
use crate::name::{file_name, temporary_name};
use crate::receipt::{Receipt, one_line};
use crate::transmission::Transmission;
use crate::transmitter::{Lent, Transmitter};
use bytes::Bytes;
use std::time::Duration;

/// Writes the item to `file_path`, which must lie below a root of the site; `file_extension` overrides the extension.
///
/// The folder must exist. A file of the same name is replaced; a reader of the folder never sees half of one.
pub(crate) struct FileTransmitter {
    egress: Egress,
}

impl FileTransmitter {
    pub(crate) fn new(egress: Egress) -> FileTransmitter {
        FileTransmitter { egress }
    }
}

impl Transmitter for FileTransmitter {
    fn key(&self) -> &'static str {
        "File"
    }

    fn name(&self) -> &'static str {
        "File"
    }

    fn codes(&self) -> &'static [Code] {
        &[Code::File]
    }

    fn send<'a>(
        &'a self,
        transmission: &'a Transmission,
        _: &'a dyn MediaProvider,
    ) -> Lent<'a, Result<Receipt, Failure>> {
        Box::pin(async move {
            let lasting = |message: String| Failure::lasting(Code::File, message);
            let path = transmission.destination.config.text("file_path");
            let path = path.ok_or_else(|| lasting("file_path is not set".to_owned()))?;
            let bytes = transmission.body.encode().map_err(lasting)?;
            let file = Job {
                egress: self.egress.clone(),
                path,
                name: file_name(transmission),
                temporary: temporary_name(transmission),
                bytes: bytes.clone(),
            };
            let target = file.target();
            // Files block; a disk that hangs must not hold a thread that others run on.
            let written = tokio::task::spawn_blocking(move || file.write()).await;
            written.map_err(|_| Failure::passing(Code::File, "the writer stopped"))??;
            Ok(Receipt {
                id: transmission.id(),
                sha256: Sha::of(&bytes).hex(),
                bytes: bytes.len() as u64,
                target,
                answer: None,
                media_sent: 0,
                duration: Duration::ZERO,
            })
        })
    }
}

struct Job {
    egress: Egress,
    path: String,
    name: String,
    temporary: String,
    bytes: Bytes,
}

impl Job {
    fn target(&self) -> String {
        one_line(&format!("/{}/{}", self.path.trim_matches('/'), self.name))
    }

    fn write(&self) -> Result<(), Failure> {
        let place = self.egress.place(&self.path).map_err(|error| match error {
            RootError::Denied(denied) => Failure::denied(Code::File, &denied),
            // People create folders and give permissions while rows wait.
            RootError::Io(error) => Failure::passing(Code::File, error.to_string()),
        })?;
        let written = place.write(&self.name, &self.temporary, &self.bytes);
        written.map_err(|error| Failure::passing(Code::File, error.to_string()))
    }
}
