//! Media beside the item: the crops people made and, where `include_original` is on, the original.

use super::settings::Settings;
use super::upload::upload;
use super::{Connection, step};
use crate::digest::identity;
use crate::failure::{Code, Failure};
use crate::limits::{FILE_NAME_BYTES_MAX, LISTING_BYTES_MAX, MEDIA_MAX};
use crate::media::{MediaError, MediaProvider, Medium, MediumKind};
use crate::transmission::Transmission;
use suppaftp::{FtpError, Status};
use tokio::io::AsyncReadExt;

/// Sends the media that the server does not have into `associated_path`, or beside the item without that setting, and
/// says how many those were. The connection is in the same folder before and after.
pub(super) async fn push(
    connection: &mut Connection,
    settings: &Settings,
    transmission: &Transmission,
    provider: &dyn MediaProvider,
) -> Result<u32, Failure> {
    let media = provider.media(transmission).await.map_err(|error| unread(&error))?;
    let wanted: Vec<&Medium> = media.iter().filter(|medium| is_wanted(medium, settings)).collect();
    if wanted.is_empty() {
        return Ok(0);
    }
    if wanted.len() > MEDIA_MAX {
        return Err(Failure::lasting(Code::Ftp, format!("the item has more than {MEDIA_MAX} media")));
    }
    let home = match &settings.associated_path {
        None => None,
        Some(path) => {
            let home = connection.pwd().await.map_err(step("ask for the folder"))?;
            let path = format!("/{}", path.trim_matches('/'));
            connection.cwd(path).await.map_err(step("change to the folder of media"))?;
            Some(home)
        }
    };
    let mut sent = 0;
    for medium in wanted {
        if push_one(connection, settings, transmission, provider, medium).await? {
            sent += 1;
        }
    }
    if let Some(home) = home {
        connection.cwd(home).await.map_err(step("change back to the folder"))?;
    }
    Ok(sent)
}

fn is_wanted(medium: &Medium, settings: &Settings) -> bool {
    match medium.kind {
        MediumKind::Crop(_) => true,
        MediumKind::Original => settings.include_original,
        MediumKind::Rendition(_) | MediumKind::Attachment => false,
    }
}

async fn push_one(
    connection: &mut Connection,
    settings: &Settings,
    transmission: &Transmission,
    provider: &dyn MediaProvider,
    medium: &Medium,
) -> Result<bool, Failure> {
    let name = medium.file_name.as_str();
    // The item names its media by these names: one that is changed would not be found.
    if !is_plain(name) {
        return Err(Failure::lasting(Code::Ftp, "a medium has no usable file name"));
    }
    if has(connection, name).await? {
        return Ok(false);
    }
    let mut reader = provider.open(medium).await.map_err(|error| unread(&error))?;
    let temporary = format!(".{}.part", identity(&[&transmission.id(), &medium.id]));
    upload(connection, name, settings.rename.then_some(&temporary), &mut reader).await?;
    Ok(true)
}

/// Whether the folder has a file of exactly this name.
async fn has(connection: &mut Connection, name: &str) -> Result<bool, Failure> {
    match connection.size(name).await {
        Ok(_) => Ok(true),
        Err(FtpError::UnexpectedResponse(reply)) if reply.status.code() == 550 => Ok(false),
        // A server without SIZE has a list.
        Err(FtpError::UnexpectedResponse(_) | FtpError::BadResponse) => {
            let names = list(connection).await?;
            Ok(names.lines().any(|entry| entry.rsplit('/').next() == Some(name)))
        }
        Err(error) => Err(step("ask for a file")(error)),
    }
}

/// Names of the files of the folder, one a line. What is beyond the bound is as if it was not there: a medium that is sent
/// once more does no harm.
async fn list(connection: &mut Connection) -> Result<String, Failure> {
    let opens = [Status::AboutToSend, Status::AlreadyOpen];
    let listed = connection.custom_data_command("NLST", &opens).await;
    let (_, mut transfer) = listed.map_err(step("list the folder"))?;
    let mut names = Vec::new();
    let read = (&mut transfer).take(LISTING_BYTES_MAX).read_to_end(&mut names).await;
    read.map_err(|error| step("list the folder")(FtpError::ConnectionError(error)))?;
    transfer.finish().await.map_err(step("list the folder"))?;
    Ok(String::from_utf8_lossy(&names).into_owned())
}

fn is_plain(name: &str) -> bool {
    !(name.is_empty()
        || name.starts_with('.')
        || name.len() > FILE_NAME_BYTES_MAX
        || name.contains(['/', '\\'])
        || name.contains(char::is_control))
}

fn unread(error: &MediaError) -> Failure {
    Failure::passing(Code::Ftp, format!("a medium cannot be read: {error}"))
}
