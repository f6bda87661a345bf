//! What is known after a transmission.

use crate::limits::ANSWER_TEXT_BYTES_MAX;
use std::time::Duration;

/// Proof of a transmission that the receiver accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// [`crate::Transmission::id`] of what was sent.
    pub id: String,
    /// SHA-256 of the bytes of the main request (not of media), 64 hexadecimal digits. Of e-mail: of the whole message.
    pub sha256: String,
    /// How many bytes those are.
    pub bytes: u64,
    /// Where it went: host and port, or the path below the root. Without settings that may be secret.
    pub target: String,
    /// What the receiver said; nothing of a file.
    pub answer: Option<Answer>,
    /// Media that were sent beside it in this attempt; those the receiver already had are not counted.
    pub media_sent: u32,
    /// From the call to the answer.
    pub duration: Duration,
}

/// The answer of a receiver, as a person may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, FTP or SMTP reply code.
    pub status: u16,
    /// The first bytes of the answer in one line: control characters are escaped, what is not UTF-8 is replaced.
    pub text: String,
}

impl Answer {
    pub(crate) fn new(status: u16, bytes: &[u8]) -> Answer {
        let head = bytes.get(..ANSWER_TEXT_BYTES_MAX).unwrap_or(bytes);
        Answer { status, text: one_line(&String::from_utf8_lossy(head)) }
    }
}

/// Text of a receiver or a library as one line of a log: bounded, control characters escaped.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for char in text.trim_end().chars() {
        if line.len() >= ANSWER_TEXT_BYTES_MAX {
            break;
        }
        // The separators of lines and the marks that turn the direction of text change what a reader of a log sees.
        let turns =
            matches!(char, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if char.is_control() || turns {
            line.extend(char.escape_default());
        } else {
            line.push(char);
        }
    }
    line
}
