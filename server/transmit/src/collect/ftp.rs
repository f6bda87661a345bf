//! Files of a folder of an FTP server.

use super::{CollectError, Collectors};
use crate::config::Config;
use crate::failure::{Code, Failure};
use crate::ftp::{Connection, Ftp, FtpSettings, step};
use crate::limits::{FETCH_MAX, FILE_NAME_BYTES_MAX, LISTING_BYTES_MAX};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::time::Duration;
use suppaftp::{FtpError, Status};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// A file of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtpFile {
    /// Its name in the folder.
    pub name: String,
    /// When it was last written, if the server says so.
    pub modified: Option<Timestamp>,
}

/// An open folder.
pub struct FtpFolder {
    connection: Connection,
}

impl Collectors {
    /// Logs in and goes to the folder: `host`, `port`, `username`, `password`, `path`, `passive`, `use_ftps`.
    ///
    /// # Errors
    /// When the guard refuses, nobody answers in time, or the server does not let us in.
    pub async fn ftp(&self, config: &Config) -> Result<FtpFolder, CollectError> {
        let settings = FtpSettings::of(config)?;
        let ftp = Ftp::new(&self.site, self.tls.clone());
        let opened = async {
            let mut connection = ftp.log_in(&settings).await?;
            if let Some(path) = &settings.path {
                connection.cwd(path).await.map_err(step("change to the folder"))?;
            }
            Ok::<_, Failure>(connection)
        };
        Ok(FtpFolder { connection: in_time(opened).await? })
    }
}

impl FtpFolder {
    /// The files of the folder, without folders and hidden files.
    ///
    /// # Errors
    /// When the server does not list them.
    pub async fn list(&mut self) -> Result<Vec<FtpFile>, CollectError> {
        in_time(async {
            match self.lines("MLSD").await {
                Ok(lines) => Ok(lines.lines().filter_map(fact_line).collect()),
                Err(FtpError::UnexpectedResponse(_)) => {
                    let names = self.lines("NLST").await.map_err(step("list the folder"))?;
                    let names = names.lines().filter_map(|line| line.rsplit('/').next());
                    Ok(names
                        .filter(|name| is_plain(name))
                        .map(|name| FtpFile { name: name.to_owned(), modified: None })
                        .collect())
                }
                Err(error) => Err(step("list the folder")(error)),
            }
        })
        .await
    }

    async fn lines(&mut self, command: &str) -> Result<String, FtpError> {
        let opens = [Status::AboutToSend, Status::AlreadyOpen];
        let (_, mut transfer) = self.connection.custom_data_command(command, &opens).await?;
        let mut bytes = Vec::new();
        let read = (&mut transfer).take(LISTING_BYTES_MAX).read_to_end(&mut bytes).await;
        read.map_err(FtpError::ConnectionError)?;
        transfer.finish().await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A whole file.
    ///
    /// # Errors
    /// [`CollectError::TooLarge`]; the connection cannot be used after that.
    pub async fn read(&mut self, name: &str, bytes_max: usize) -> Result<Vec<u8>, CollectError> {
        let bytes = in_time(async {
            let mut transfer = self.connection.retr_as_stream(name).await.map_err(step("open the file"))?;
            let mut bytes = Vec::new();
            let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
            let read = (&mut transfer).take(most).read_to_end(&mut bytes).await;
            read.map_err(|error| step("read the file")(FtpError::ConnectionError(error)))?;
            if bytes.len() <= bytes_max {
                transfer.finish().await.map_err(step("finish the file"))?;
            }
            Ok(bytes)
        })
        .await?;
        if bytes.len() > bytes_max { Err(CollectError::TooLarge(bytes_max)) } else { Ok(bytes) }
    }

    /// Moves a file into a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the server does not do it.
    pub async fn relocate(&mut self, name: &str, folder: &str) -> Result<(), CollectError> {
        in_time(async {
            if folder.chars().any(char::is_control) {
                return Err(Failure::lasting(Code::Ftp, "the folder has a control character"));
            }
            // Most often it is there already.
            let _ = self.connection.mkdir(folder).await;
            let target = format!("{}/{name}", folder.trim_end_matches('/'));
            self.connection.rename(name, &target).await.map_err(step("move the file"))
        })
        .await
    }

    /// Says goodbye. A server that does not answer changes nothing.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(2), self.connection.quit()).await;
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, CollectError> {
    match timeout(FETCH_MAX, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(CollectError::Late(format!("not done within {} s", FETCH_MAX.as_secs()))),
    }
}

/// `type=file;size=10;modify=20260130010000; name` (RFC 3659 7.2).
fn fact_line(line: &str) -> Option<FtpFile> {
    let (facts, name) = line.trim_end_matches('\r').split_once(' ')?;
    let fact = |wanted: &str| {
        facts.split(';').find_map(|fact| {
            let (own, value) = fact.split_once('=')?;
            own.eq_ignore_ascii_case(wanted).then_some(value)
        })
    };
    let is_file = fact("type").is_none_or(|kind| kind.eq_ignore_ascii_case("file"));
    if !is_file || !is_plain(name) {
        return None;
    }
    Some(FtpFile { name: name.to_owned(), modified: fact("modify").and_then(time) })
}

/// `20260130010000`, with or without a fraction, in UTC (RFC 3659 2.3).
fn time(text: &str) -> Option<Timestamp> {
    let digits = text.split('.').next()?;
    if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to)?.parse::<i8>().ok();
    let year = digits.get(..4)?.parse::<i16>().ok()?;
    let at =
        DateTime::new(year, part(4, 6)?, part(6, 8)?, part(8, 10)?, part(10, 12)?, part(12, 14)?, 0).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A name that is no path and no option of some server's `ls`.
fn is_plain(name: &str) -> bool {
    !(name.is_empty()
        || name.starts_with(['.', '-'])
        || name.len() > FILE_NAME_BYTES_MAX
        || name.contains(['/', '\\'])
        || name.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_listing() {
        let check = |line: &str, name: Option<&str>, at: Option<&str>| {
            let found = fact_line(line);
            assert_eq!(found.as_ref().map(|file| file.name.as_str()), name, "{line}");
            let expected = at.map(|at| at.parse::<Timestamp>().unwrap());
            assert_eq!(found.and_then(|file| file.modified), expected, "{line}");
        };
        check(
            "type=file;size=3;modify=20260130010203; a b.xml\r",
            Some("a b.xml"),
            Some("2026-01-30T01:02:03Z"),
        );
        check("Type=File;Modify=20260130010203.123; a", Some("a"), Some("2026-01-30T01:02:03Z"));
        check("modify=20261330010203; a", Some("a"), None);
        check("type=dir;modify=20260130010203; folder", None, None);
        check("type=file; ../x", None, None);
        check("type=file; .hidden", None, None);
        check("type=file; -la", None, None);
        check("nothing", None, None);
    }
}
