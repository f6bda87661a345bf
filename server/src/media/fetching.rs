//! Files that are named by a URL: of another server, through the guard on what leaves, or in the URL itself.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use dateline_transmit::CollectError;
use percent_encoding::percent_decode_str;

use super::made::bad;
use super::receiving::harmless;
use crate::app::App;
use crate::blobs::{Incoming, Settled, Shelf};
use crate::eve::problem::{Problem, Slug};
use crate::http::Refusal;

/// The file of a URL, and its name.
///
/// # Errors
/// 400 that names the field for a URL that is none, may not be reached, does not answer or has no file; 413.
pub(super) async fn fetched(app: &App, url: &str) -> Result<(Settled, String), Problem> {
    let id = crate::ids::new_id(app.store().now())?;
    let mut incoming = Incoming::new(app, Shelf::of(app.store())?, id);
    let mut name = String::new();
    match url.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("data:") => {
            incoming.add(&inside(url.get(5..).unwrap_or_default())?).await?;
        }
        _ => {
            let ready = app.clone();
            app.scan(move |_| ready.collectors().map(drop)).await.map_err(Refusal::into_problem)?;
            let mut file = app.collectors()?.open(url).await.map_err(|error| refused(&error))?;
            name = harmless(&percent_decode_str(&file.name).decode_utf8_lossy());
            while let Some(bytes) = file.next().await.map_err(|error| refused(&error))? {
                incoming.add(&bytes).await?;
            }
        }
    }
    if incoming.length() == 0 {
        return Err(bad("URL", "the file is empty"));
    }
    Ok((incoming.settle().await?, name))
}

/// What whoever named the URL may read: nothing about networks.
fn refused(error: &CollectError) -> Problem {
    let text = match error {
        CollectError::Settings(_) | CollectError::Status(_) | CollectError::Redirects => error.to_string(),
        CollectError::Denied(reason) => {
            tracing::info!(reason, "a file was not fetched");
            error.to_string()
        }
        _ => {
            tracing::info!(%error, "a file could not be fetched");
            "the server does not answer".to_owned()
        }
    };
    Problem::new(Slug::BadRequest, text.as_str()).issue("URL", text)
}

/// `[type][;parameter]*[;base64],data` (RFC 2397). The type is nobody's evidence.
fn inside(rest: &str) -> Result<Vec<u8>, Problem> {
    let (head, data) = rest.split_once(',').ok_or_else(|| bad("URL", "a data URI has a comma"))?;
    let bytes: Vec<u8> = percent_decode_str(data).collect();
    if !head.trim_end().to_ascii_lowercase().ends_with(";base64") {
        return Ok(bytes);
    }
    let text: Vec<u8> = bytes.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded = STANDARD.decode(&text).or_else(|_| STANDARD_NO_PAD.decode(&text));
    decoded.map_err(|_| bad("URL", "the data URI is not base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_inside_of_urls() {
        let check = |rest: &str, expected: Option<&[u8]>| {
            assert_eq!(inside(rest).ok().as_deref(), expected, "{rest}");
        };
        check(",a%20b", Some(b"a b"));
        check("image/gif;base64,R0lGODlh", Some(b"GIF89a"));
        check("image/gif;charset=x;BASE64,R0lGOD%6ch", Some(b"GIF89a"));
        check(";base64,YQ", Some(b"a"));
        check(";base64,!", None);
        check("nothing", None);
    }
}
