//! Which line of a file a byte is in. The CSV reader counts a line's end of two bytes as belonging to the next row.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const CHUNK_BYTES: usize = 64 << 10;

/// Walks forward through a file beside its reader, whose place it leaves alone.
pub(crate) struct Lines {
    file: File,
    chunk: Vec<u8>,
    chunk_at: u64,
    at: u64,
    line: u64,
}

impl Lines {
    pub(crate) fn new(file: File) -> Self {
        Self { file, chunk: Vec::new(), chunk_at: 0, at: 0, line: 1 }
    }

    /// The line, from 1, of the first byte at or after `byte` that ends no line. Never goes back.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn of(&mut self, byte: u64) -> io::Result<u64> {
        while self.at < byte {
            let wanted = usize::try_from(byte - self.at).unwrap_or(usize::MAX);
            let rest = self.rest()?;
            if rest.is_empty() {
                return Ok(self.line);
            }
            let passed = rest.get(..wanted).unwrap_or(rest);
            let (count, ends) = (passed.len(), passed.iter().filter(|&&byte| byte == b'\n').count());
            self.at += count as u64;
            self.line += ends as u64;
        }
        while let Some(end @ (b'\r' | b'\n')) = self.rest()?.first().copied() {
            self.at += 1;
            self.line += u64::from(end == b'\n');
        }
        Ok(self.line)
    }

    /// What is known of the file from here on; empty only at its end.
    fn rest(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.chunk_at + self.chunk.len() as u64 {
            self.chunk.resize(CHUNK_BYTES, 0);
            let read = self.file.read_at(&mut self.chunk, self.at)?;
            self.chunk.truncate(read);
            self.chunk_at = self.at;
        }
        let from = usize::try_from(self.at - self.chunk_at).unwrap_or(usize::MAX);
        Ok(self.chunk.get(from..).unwrap_or_default())
    }
}
