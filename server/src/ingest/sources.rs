//! Where documents come from: an address, a folder, an FTP server.
//!
//! A document that cannot be read is noted and left behind; those after it are taken. What a source is told the next time
//! (a tag, a date, a time) moves only over what was taken.

use dateline_engine::Result;
use dateline_formats::{Fields, Item, parse_time, wire_time};
use dateline_ingest::{Code, DOCUMENT_BYTES_MAX, FILES_MAX, IngestError, Reading};
use dateline_transmit::{
    Access, Asked, CollectError, Config, Fetched, Folder, FtpFile, FtpFolder, Mailbox, Secret,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::of;
use super::provider::Channel;
use super::run::Report;
use super::taker::Taker;
use crate::app::App;
use crate::publishing::now;
use crate::work::blocking;

/// Folders for files that are done.
const PROCESSED: &str = "_PROCESSED";
const FAILED: &str = "_ERROR";
/// A file that changed a moment ago may still be in the writing.
const SETTLED: SignedDuration = SignedDuration::from_secs(1);
/// A file of a server that failed is tried again while it is younger.
const YOUNG: SignedDuration = SignedDuration::from_mins(10);

/// Reads a document and takes its items.
fn document(app: &App, channel: &Channel, bytes: &[u8]) -> Report {
    let mut report = Report::default();
    let aliases = channel.provider.aliases();
    let reading = Reading { now: now(app.store()), site: &channel.site, aliases: &aliases };
    match of(app).parsers.read(channel.provider.parser.as_deref(), bytes, &reading) {
        Ok(items) => Taker { app, channel }.take_all(items, &mut report),
        Err(error) => report.fail(error),
    }
    report
}

/// As [`document`], on a thread that may read.
async fn taken(app: &App, channel: &Channel, bytes: Vec<u8>) -> Result<Report> {
    let (app, channel) = (app.clone(), channel.clone());
    blocking(move || Ok(document(&app, &channel, &bytes))).await
}

fn started(channel: &Channel) -> Report {
    let cursor = channel.state.get("cursor").and_then(Value::as_object).cloned().unwrap_or_default();
    Report { cursor, ..Report::default() }
}

/// Whoever fetches; reading certificates is for a thread that may wait.
async fn ready(app: &App) -> Result<()> {
    let app = app.clone();
    blocking(move || app.collectors().map(drop)).await
}

/// One address.
pub(super) async fn http(app: &App, channel: &Channel) -> Result<Report> {
    ready(app).await?;
    let mut report = started(channel);
    let asked = asked(&channel.config, &report.cursor);
    match app.collectors()?.get(&asked, DOCUMENT_BYTES_MAX).await {
        Ok(Fetched::Unchanged) => {}
        Ok(Fetched::Document { bytes, etag, last_modified }) => {
            report.add(&taken(app, channel, bytes).await?);
            let mut cursor = Fields::new();
            if report.error.is_none() {
                for (name, value) in
                    [("url", Some(asked.url)), ("etag", etag), ("last_modified", last_modified)]
                {
                    cursor.extend(value.map(|value| (name.to_owned(), value.into())));
                }
            }
            report.cursor = cursor;
        }
        Err(error) => report.fail(failed(channel, &error, Code::API)),
    }
    Ok(report)
}

fn asked(config: &Fields, cursor: &Fields) -> Asked {
    let (config, cursor) = (Item::from(config), Item::from(cursor));
    let url = config.text("url").trim().to_owned();
    let access = if config.has("token") {
        Access::Bearer(Secret::new(config.text("token")))
    } else if config.has("auth_required") || config.has("username") {
        Access::Basic(config.text("username").to_owned(), Secret::new(config.text("password")))
    } else {
        Access::Open
    };
    // What another address said is not this one's.
    let said = |name: &str| {
        let text = cursor.text(name);
        (cursor.text("url") == url && !text.is_empty()).then(|| text.to_owned())
    };
    let (etag, last_modified) = (said("etag"), said("last_modified"));
    Asked { url, access, etag, last_modified }
}

/// The error of a fetch by its number. Why the guard refuses is for operators.
fn failed(channel: &Channel, error: &CollectError, other: Code) -> IngestError {
    if let CollectError::Denied(reason) = error {
        tracing::info!(provider = channel.provider.name, reason, "a source was refused");
    }
    let (is_ftp, is_mailbox) = (other == Code::FTP, other == Code::MAILBOX);
    let code = match error {
        CollectError::Denied(_) if is_mailbox => Code::MAILBOX_DENIED,
        CollectError::Settings(_) if is_mailbox => Code::MAILBOX_SETTINGS,
        CollectError::Refused(_) if is_mailbox => Code::MAILBOX_REFUSED,
        _ if is_mailbox => other,
        CollectError::Denied(_) if is_ftp => Code::FTP_DENIED,
        CollectError::Settings(_) if is_ftp => Code::FTP_SETTINGS,
        _ if is_ftp => other,
        CollectError::Denied(_) if other == Code::FILE_READ => Code::FILE_DENIED,
        _ if other == Code::FILE_READ => other,
        CollectError::Denied(_) => Code::API_DENIED,
        CollectError::Settings(_) => Code::API_SETTINGS,
        CollectError::Unreachable(_) => Code::API_REQUEST,
        CollectError::Late(_) => Code::API_TIMEOUT,
        CollectError::TooLarge(_) => Code::API_TOO_LARGE,
        CollectError::Refused(_) | CollectError::Status(401 | 403) => Code::API_REFUSED,
        CollectError::Status(404 | 410) => Code::API_NOT_FOUND,
        CollectError::Redirects | CollectError::Status(300..=399) => Code::API_REDIRECTS,
        CollectError::Status(500..) => Code::API_SERVER,
        CollectError::Status(_) | CollectError::Failed(_) => other,
    };
    IngestError::new(code, error.to_string())
}

/// A folder below a root of the site. Files go to `_PROCESSED` or `_ERROR` in it.
pub(super) async fn folder(app: &App, channel: &Channel) -> Result<Report> {
    let (app, channel) = (app.clone(), channel.clone());
    blocking(move || {
        let mut report = started(&channel);
        let path = Item::from(&channel.config).text("path").trim().to_owned();
        let folder = match app.collectors()?.folder(&path) {
            Ok(folder) => folder,
            Err(error) => {
                report.fail(failed(&channel, &error, Code::FILE_READ));
                return Ok(report);
            }
        };
        match folder.list(FILES_MAX) {
            Ok(files) => {
                let now = now(app.store());
                for file in files.iter().filter(|file| now.duration_since(file.changed) >= SETTLED) {
                    one_file(&app, &channel, &folder, &file.name, &mut report);
                }
            }
            Err(error) => report.fail(IngestError::new(Code::FILE_READ, error.to_string())),
        }
        Ok(report)
    })
    .await
}

fn one_file(app: &App, channel: &Channel, folder: &Folder, name: &str, report: &mut Report) {
    let read = match folder.read(name, DOCUMENT_BYTES_MAX) {
        Ok(bytes) => document(app, channel, &bytes),
        Err(error) => {
            let mut read = Report::default();
            read.fail(failed(channel, &error, Code::FILE_READ));
            read
        }
    };
    let to = if read.error.is_some() { FAILED } else { PROCESSED };
    report.add(&named(read, name));
    if let Err(error) = folder.relocate(name, to) {
        // It is read again; what is known is known.
        report.fail(IngestError::new(Code::FILE_MOVE, format!("{name}: {error}")));
    }
}

/// The error of a file says which one.
fn named(mut report: Report, name: &str) -> Report {
    report.error =
        report.error.map(|error| IngestError::new(error.code, format!("{name}: {}", error.reason)));
    report
}

/// A folder of an FTP server.
pub(super) async fn ftp(app: &App, channel: &Channel) -> Result<Report> {
    ready(app).await?;
    let mut report = started(channel);
    let config = Config::new(channel.config.clone());
    let opened = app.collectors()?.ftp(&config).await;
    let mut folder = match opened {
        Ok(folder) => folder,
        Err(error) => {
            report.fail(failed(channel, &error, Code::FTP));
            return Ok(report);
        }
    };
    match folder.list().await {
        Ok(files) => {
            let files = wanted(files, &channel.config, &report.cursor);
            remote_files(app, channel, &mut folder, files, &mut report).await?;
        }
        Err(error) => report.fail(failed(channel, &error, Code::FTP)),
    }
    folder.close().await;
    Ok(report)
}

/// Files of the extensions, not older than what was taken last, the oldest first.
fn wanted(files: Vec<FtpFile>, config: &Fields, cursor: &Fields) -> Vec<FtpFile> {
    let config = Item::from(config);
    let listed: Vec<String> =
        config.list("allowed_extensions").filter_map(Value::as_str).map(str::to_owned).collect();
    let given = match listed.is_empty() {
        true => config.text("allowed_extensions").split([',', ' ']).map(str::to_owned).collect(),
        false => listed,
    };
    let mut extensions: Vec<String> = given.iter().map(|own| own.trim().to_lowercase()).collect();
    extensions.retain(|own| !own.is_empty());
    if extensions.is_empty() {
        extensions = vec![".json".to_owned(), ".xml".to_owned()];
    }
    let last = parse_time(Item::from(cursor).text("modified"));
    let mut files = files;
    files.retain(|file| {
        let name = file.name.to_lowercase();
        let is_newer = file.modified.zip(last).is_none_or(|(own, last)| own >= last);
        is_newer && extensions.iter().any(|extension| name.ends_with(extension.as_str()))
    });
    files.sort_by(|one, other| (one.modified, &one.name).cmp(&(other.modified, &other.name)));
    files.truncate(FILES_MAX);
    files
}

async fn remote_files(
    app: &App,
    channel: &Channel,
    folder: &mut FtpFolder,
    files: Vec<FtpFile>,
    report: &mut Report,
) -> Result<()> {
    let config = Item::from(&channel.config);
    let moves = config.has("move");
    let path = |name: &str, usual: &str| match config.text(name).trim() {
        "" => usual.to_owned(),
        path => path.to_owned(),
    };
    let (done, failures) = (path("ftp_move_path", PROCESSED), path("move_path_error", FAILED));
    let mut is_held = false;
    for file in files {
        let read = match folder.read(&file.name, DOCUMENT_BYTES_MAX).await {
            Ok(bytes) => taken(app, channel, bytes).await?,
            Err(error) => {
                report.fail(failed(channel, &error, Code::FTP));
                // The conversation may be out of step.
                return Ok(());
            }
        };
        let has_failed = read.error.is_some();
        report.add(&named(read, &file.name));
        if has_failed && is_young(&file, now(app.store())) {
            is_held = true;
            continue;
        }
        if let (false, Some(modified)) = (is_held, file.modified) {
            report.cursor.insert("modified".to_owned(), wire_time(modified).into());
        }
        if moves {
            let to = if has_failed { &failures } else { &done };
            if let Err(error) = folder.relocate(&file.name, to).await {
                report.fail(IngestError::new(Code::FTP_MOVE, format!("{}: {error}", file.name)));
            }
        }
    }
    Ok(())
}

fn is_young(file: &FtpFile, now: Timestamp) -> bool {
    file.modified.is_some_and(|modified| now.duration_since(modified) < YOUNG)
}

/// Letters of a mailbox. One that was looked at is marked as seen, whatever came of it: it would fail again and again.
pub(super) async fn mailbox(app: &App, channel: &Channel) -> Result<Report> {
    ready(app).await?;
    let mut report = started(channel);
    let config = Config::new(channel.config.clone());
    let mut mailbox = match app.collectors()?.mailbox(&config).await {
        Ok(mailbox) => mailbox,
        Err(error) => {
            report.fail(failed(channel, &error, Code::MAILBOX));
            return Ok(report);
        }
    };
    match mailbox.list(&config, FILES_MAX).await {
        Ok(numbers) => {
            for number in numbers {
                match letter(app, channel, &mut mailbox, number).await? {
                    Ok(read) => report.add(&read),
                    // The conversation may be out of step.
                    Err(error) => {
                        report.fail(failed(channel, &error, Code::MAILBOX));
                        break;
                    }
                }
            }
        }
        Err(error) => report.fail(failed(channel, &error, Code::MAILBOX)),
    }
    mailbox.close().await;
    Ok(report)
}

async fn letter(
    app: &App,
    channel: &Channel,
    mailbox: &mut Mailbox,
    number: u32,
) -> Result<std::result::Result<Report, CollectError>> {
    let read = match mailbox.read(number, DOCUMENT_BYTES_MAX).await {
        Ok(None) => return Ok(Ok(Report::default())),
        Ok(Some(bytes)) => taken(app, channel, bytes).await?,
        Err(error @ CollectError::TooLarge(_)) => {
            let mut read = Report::default();
            read.fail(failed(channel, &error, Code::MAILBOX));
            read
        }
        Err(error) => return Ok(Err(error)),
    };
    let marked = mailbox.mark(number).await;
    Ok(marked.map(|()| named(read, &format!("letter {number}"))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: Value) -> Fields {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn files_by_extension_and_time() {
        let file =
            |name: &str, modified: &str| FtpFile { name: name.to_owned(), modified: modified.parse().ok() };
        let all = || {
            vec![
                file("b.xml", "2026-01-02T00:00:00Z"),
                file("a.XML", "2026-01-03T00:00:00Z"),
                file("c.json", "2026-01-01T00:00:00Z"),
                file("d.txt", "2026-01-04T00:00:00Z"),
                file("e.xml", ""),
            ]
        };
        let names = |config: Value, cursor: Value| {
            let found = wanted(all(), &of(config), &of(cursor));
            found.into_iter().map(|file| file.name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(json!({}), json!({})), "e.xml c.json b.xml a.XML");
        assert_eq!(names(json!({}), json!({"modified": "2026-01-02T00:00:00Z"})), "e.xml b.xml a.XML");
        assert_eq!(names(json!({"allowed_extensions": ".txt, .json"}), json!({})), "c.json d.txt");
        assert_eq!(names(json!({"allowed_extensions": [".txt"]}), json!({})), "d.txt");
    }

    #[test]
    fn what_one_address_said_is_not_told_another() {
        let cursor = of(json!({"url": "http://a", "etag": "\"1\"", "last_modified": "x"}));
        let own = asked(&of(json!({"url": " http://a "})), &cursor);
        assert_eq!((own.etag.as_deref(), own.last_modified.as_deref()), (Some("\"1\""), Some("x")));
        assert!(matches!(own.access, Access::Open));
        let other = asked(&of(json!({"url": "http://b", "username": "u", "password": "p"})), &cursor);
        assert_eq!(other.etag, None);
        assert!(matches!(other.access, Access::Basic(..)));
        assert!(matches!(asked(&of(json!({"token": "t"})), &cursor).access, Access::Bearer(_)));
    }
}
