//! Every bound of this crate.

use std::time::Duration;

/// Bytes of an answer that are shown to people.
pub(crate) const ANSWER_TEXT_BYTES_MAX: usize = 1024;
/// Bytes of an answer that are read.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Time for the body of an answer, once its head is there.
pub(crate) const ANSWER_BODY_MAX: Duration = Duration::from_secs(20);
/// Time for looking up a name.
pub(crate) const RESOLVE_MAX: Duration = Duration::from_secs(5);
/// Time for one address to take a connection.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Time for all addresses of a name together.
pub(crate) const REACH_MAX: Duration = Duration::from_secs(15);
/// Addresses of one name that are tried.
pub(crate) const ADDRESSES_MAX: usize = 8;
/// Time for a TLS handshake.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// A receiver that takes a request more slowly than this is given up.
pub(crate) const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 64 << 10;
/// Connections kept open per receiver, and how long.
pub(crate) const IDLE_CONNECTIONS_MAX: usize = 4;
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(60);
/// Bytes of the head of an answer, and its headers.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;
pub(crate) const HEADERS_MAX: usize = 100;
/// The longest wait a receiver can ask for.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);
/// Bytes of a file name, as most file systems have it.
pub(crate) const FILE_NAME_BYTES_MAX: usize = 255;
/// Media of one item that are sent.
pub(crate) const MEDIA_MAX: usize = 500;
/// Bytes of a listing of a folder that are read.
pub(crate) const LISTING_BYTES_MAX: u64 = 1 << 20;
/// Time for fetching one document: its bytes once the head is there, one step of a conversation with an FTP server.
pub(crate) const FETCH_MAX: Duration = Duration::from_secs(60);
/// Files of a folder that are looked at.
pub(crate) const FOLDER_FILES_MAX: usize = 10_000;
/// Redirects on the way to a document.
pub(crate) const FETCH_REDIRECTS_MAX: usize = 3;
/// Recipients of one message.
pub(crate) const RECIPIENTS_MAX: usize = 500;
/// Bytes of all attachments of one message.
pub(crate) const ATTACHMENTS_BYTES_MAX: usize = 25 << 20;
/// Time for one e-mail.
pub(crate) const EMAIL_MAX: Duration = Duration::from_secs(120);
/// Bytes that a relay may say in one conversation.
pub(crate) const RELAY_BYTES_MAX: usize = 256 << 10;
/// Calls of databases at a time, and the time for one: for the connection, for the statement, for all.
pub(crate) const ODBC_CALLS_MAX: usize = 4;
#[cfg(feature = "odbc")]
pub(crate) const ODBC_LOGIN_MAX: Duration = Duration::from_secs(10);
#[cfg(feature = "odbc")]
pub(crate) const ODBC_QUERY_MAX: Duration = Duration::from_secs(30);
pub(crate) const ODBC_MAX: Duration = Duration::from_secs(60);

const _: () = assert!(ANSWER_TEXT_BYTES_MAX <= ANSWER_BYTES_MAX);
