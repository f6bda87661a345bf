//! Signature Version 4 of Amazon Web Services, for one POST of JSON.
//!
//! The steps of "Create a signed AWS API request": canonical request, text to sign, key, signature. Signed are the
//! headers `content-type`, `host`, `x-amz-date` and `x-amz-target`.

use crate::digest::{Sha, hex};
use crate::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::Sha256;
use std::fmt::Write;
use url::Url;

pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Secret,
}

pub(super) struct Signable<'a> {
    pub(super) url: &'a Url,
    pub(super) target: &'a str,
    pub(super) media_type: &'a str,
    pub(super) body: &'a [u8],
}

pub(super) struct Signed {
    /// Value of `x-amz-date`.
    pub(super) date: String,
    /// Value of `authorization`.
    pub(super) authorization: String,
}

const SERVICE: &str = "sqs";
const HEADERS: &str = "content-type;host;x-amz-date;x-amz-target";

/// # Errors
/// A sentence for a URL that cannot be signed.
pub(super) fn sign(
    request: &Signable,
    credentials: &Credentials,
    region: &str,
    now: Timestamp,
) -> Result<Signed, String> {
    let Signable { url, target, media_type, body } = request;
    if url.query().is_some() {
        return Err("endpoint_url has a query".to_owned());
    }
    let now = now.to_zoned(TimeZone::UTC);
    let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = now.strftime("%Y%m%d").to_string();
    let host = host(url).ok_or("endpoint_url has no host")?;
    let canonical = format!(
        "POST\n{}\n\ncontent-type:{media_type}\nhost:{host}\nx-amz-date:{date}\nx-amz-target:{target}\n\n{HEADERS}\n{}",
        encoded(url.path()),
        Sha::of(body).hex(),
    );
    let scope = format!("{day}/{region}/{SERVICE}/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", Sha::of(canonical.as_bytes()).hex());
    let mut key = format!("AWS4{}", credentials.secret_access_key.reveal()).into_bytes();
    for part in [&day, region, SERVICE, "aws4_request"] {
        key = mac(&key, part)?;
    }
    let signature = hex(&mac(&key, &text)?);
    let id = &credentials.access_key_id;
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={HEADERS}, Signature={signature}");
    Ok(Signed { date, authorization })
}

/// As the client writes it: with the port where that is not the scheme's own.
fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// The path is encoded once more than it stands in the request.
fn encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(byte.into());
            }
            // Writing into a text cannot fail.
            byte => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

fn mac(key: &[u8], text: &str) -> Result<Vec<u8>, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| "the key cannot be used".to_owned())?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}
