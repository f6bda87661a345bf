//! One file: under a temporary name, then renamed.

use super::{Connection, step};
use crate::failure::Failure;
use suppaftp::FtpError;
use tokio::io::{AsyncRead, AsyncWriteExt};

/// Sends a file into the folder the connection is in. A file that has its name is replaced. Without a temporary name it is
/// written in place.
pub(super) async fn upload<R: AsyncRead + Unpin>(
    connection: &mut Connection,
    name: &str,
    temporary: Option<&String>,
    bytes: &mut R,
) -> Result<(), Failure> {
    let stored = temporary.map_or(name, String::as_str);
    if let Err(failure) = store(connection, stored, bytes).await {
        if temporary.is_some() {
            // What is left of an attempt has the same name at the next one, so this is only for tidiness.
            let _ = connection.rm(stored).await;
        }
        return Err(failure);
    }
    if temporary.is_none() {
        return Ok(());
    }
    match connection.rename(stored, name).await {
        Ok(()) => Ok(()),
        Err(FtpError::UnexpectedResponse(_)) => {
            // There are servers that rename onto nothing only. The window without a file is theirs.
            let _ = connection.rm(name).await;
            connection.rename(stored, name).await.map_err(step("rename the file"))
        }
        Err(error) => Err(step("rename the file")(error)),
    }
}

async fn store<R: AsyncRead + Unpin>(
    connection: &mut Connection,
    name: &str,
    bytes: &mut R,
) -> Result<(), Failure> {
    let mut transfer = connection.put_with_stream(name).await.map_err(step("store the file"))?;
    let broken = |error| step("send the file")(FtpError::ConnectionError(error));
    tokio::io::copy(bytes, &mut transfer).await.map_err(broken)?;
    transfer.flush().await.map_err(broken)?;
    transfer.finish().await.map_err(step("finish the file"))
}
