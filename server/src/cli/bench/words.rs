//! Bodies of words: they compress and can be searched for about as prose does.

use std::fmt::Write;

use fastrand::Rng;

/// So many words there are.
const WORDS: usize = 4_096;

/// A vocabulary, the same in every run.
pub(crate) struct Words(Vec<String>);

impl Words {
    pub(crate) fn new() -> Self {
        const SYLLABLES: [&str; 16] = [
            "ba", "co", "del", "fir", "gu", "hal", "ki", "lon", "mar", "ne", "or", "pes", "ra", "sul", "ti",
            "ver",
        ];
        let word = |number: usize| {
            let syllable = |shift: usize| SYLLABLES.get((number >> shift) & 15).copied().unwrap_or_default();
            [syllable(0), syllable(4), syllable(8)].concat()
        };
        Self((0..WORDS).map(word).collect())
    }

    /// One of them; a few are much more frequent than the others.
    pub(crate) fn word(&self, random: &mut Rng) -> &str {
        let skewed = random.f64().powi(3);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a floor from 0 to the number of words"
        )]
        let place = (skewed * WORDS as f64) as usize;
        self.0.get(place).map_or("", String::as_str)
    }

    /// A JSON object of exactly `bytes` bytes, or as short as it can be: `fields` as given (JSON members with their
    /// comma), and `text`.
    pub(crate) fn body(&self, random: &mut Rng, fields: &str, bytes: usize) -> Vec<u8> {
        let mut body = String::with_capacity(bytes + 16);
        // Writing to a String cannot fail.
        let _ = write!(body, r#"{{{fields}"text":""#);
        let end = bytes.saturating_sub(2);
        while body.len() < end {
            body.push_str(self.word(random));
            body.push(' ');
        }
        // Words are ASCII, and what is cut off is theirs.
        let least = fields.len() + r#"{"text":""#.len();
        body.truncate(end.max(least));
        body.push_str("\"}");
        body.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_objects_of_their_length() {
        let (words, mut random) = (Words::new(), Rng::with_seed(3));
        for bytes in [64, 100, 1_024, 10_000] {
            let body = words.body(&mut random, r#""n":7,"#, bytes);
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((body.len(), &value["n"]), (bytes, &serde_json::json!(7)));
        }
        let least = words.body(&mut random, r#""n":7,"#, 1);
        assert_eq!(least, br#"{"n":7,"text":""}"#);
    }
}
