//! FTP and FTPS.
//!
//! Settings: `host`, `port`, `username`, `password`, `path`, `passive` (on), `use_ftps`, `push_associated`,
//! `associated_path`, `include_original`, `file_extension`, and `rename` (on), which is for servers that cannot rename.
//!
//! A file is sent under a name that begins with a dot and then renamed, so whoever reads the folder never takes half of
//! one. With `use_ftps` the control connection (`AUTH TLS`) and the data connections (`PROT P`) are secured, or nothing
//! is sent. A data connection goes to the host of the control connection, whatever address the server names.
//!
//! Another attempt may always help: people repair accounts and folders while rows wait.

mod associated;
mod settings;
mod upload;

use crate::digest::Sha;
use crate::egress::{Class, ConnectError, Denied, Egress};
use crate::failure::{Code, Failure};
use crate::media::MediaProvider;
use crate::name::{file_name, temporary_name};
use crate::receipt::{Answer, Receipt};
use crate::site::Site;
use crate::tls::Tls;
use crate::transmission::Transmission;
use crate::transmitter::{Lent, Transmitter};
pub(crate) use settings::Settings as FtpSettings;
use settings::Settings;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use suppaftp::tokio::{AsyncRustlsConnector, AsyncRustlsStream, ImplAsyncFtpStream};
use suppaftp::types::FileType;
use suppaftp::{FtpError, Mode};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) type Connection = ImplAsyncFtpStream<AsyncRustlsStream>;

pub(crate) struct Ftp {
    egress: Egress,
    tls: Tls,
    time_max: Duration,
}

impl Ftp {
    pub(crate) fn new(site: &Site, tls: Tls) -> Ftp {
        Ftp { egress: site.egress.clone(), tls, time_max: site.ftp_max }
    }

    async fn deliver(
        &self,
        transmission: &Transmission,
        media: &dyn MediaProvider,
    ) -> Result<Receipt, Failure> {
        let settings = Settings::of(&transmission.destination.config)?;
        let bytes = transmission.body.encode().map_err(|error| Failure::lasting(Code::Ftp, error))?;
        let name = file_name(transmission);
        let mut connection = self.log_in(&settings).await?;
        if let Some(path) = &settings.path {
            connection.cwd(path).await.map_err(step("change to the folder"))?;
        }
        let media_sent = match settings.push_associated {
            true => associated::push(&mut connection, &settings, transmission, media).await?,
            false => 0,
        };
        let temporary = temporary_name(transmission);
        upload::upload(&mut connection, &name, settings.rename.then_some(&temporary), &mut &bytes[..])
            .await?;
        // The file is there; a server that does not say goodbye changes nothing.
        let _ = timeout(GOODBYE, connection.quit()).await;
        Ok(Receipt {
            id: transmission.id(),
            sha256: Sha::of(&bytes).hex(),
            bytes: bytes.len() as u64,
            target: format!("{} {name}", settings.target.label()),
            answer: None,
            media_sent,
            duration: Duration::ZERO,
        })
    }

    pub(crate) async fn log_in(&self, settings: &Settings) -> Result<Connection, Failure> {
        let stream = self.egress.connect(Class::Ftp, &settings.target).await.map_err(not_reached)?;
        let peer = stream.peer_addr().map_err(|error| Failure::passing(Code::Ftp, error.to_string()))?;
        let greeted = Connection::connect_with_stream(stream).await.map_err(step("greet"))?;
        let egress = self.egress.clone();
        let mut connection = greeted.passive_stream_builder(move |named| {
            let judged = egress.judge_data_port(peer.ip(), named.port());
            Box::pin(connect_data(judged.map(|()| SocketAddr::new(peer.ip(), named.port()))))
        });
        if settings.use_ftps {
            let connector = AsyncRustlsConnector::from(self.tls.connector());
            let secured = connection.into_secure(connector, &settings.target.host()).await;
            connection = secured.map_err(step("secure the connection"))?;
        }
        connection = match settings.passive {
            true => connection,
            false => connection.active_mode(ACTIVE_MAX),
        };
        if settings.passive && peer.is_ipv6() {
            // PASV has no room for such an address.
            connection.set_mode(Mode::ExtendedPassive);
        }
        connection
            .login(settings.username.as_str(), settings.password.reveal())
            .await
            .map_err(step("log in"))?;
        connection.transfer_type(FileType::Binary).await.map_err(step("choose binary"))?;
        Ok(connection)
    }
}

/// Time for the server to connect back in active mode.
const ACTIVE_MAX: Duration = Duration::from_secs(30);
/// Time for an answer to QUIT.
const GOODBYE: Duration = Duration::from_secs(2);

impl Transmitter for Ftp {
    fn key(&self) -> &'static str {
        "ftp"
    }

    fn name(&self) -> &'static str {
        "FTP"
    }

    fn codes(&self) -> &'static [Code] {
        &[Code::Ftp]
    }

    fn send<'a>(
        &'a self,
        transmission: &'a Transmission,
        media: &'a dyn MediaProvider,
    ) -> Lent<'a, Result<Receipt, Failure>> {
        Box::pin(async move {
            let late =
                |_| Failure::passing(Code::Ftp, format!("not done within {} s", self.time_max.as_secs()));
            timeout(self.time_max, self.deliver(transmission, media)).await.map_err(late)?
        })
    }
}

async fn connect_data(peer: Result<SocketAddr, Denied>) -> Result<TcpStream, FtpError> {
    let peer = peer.map_err(|denied| FtpError::ConnectionError(io::Error::other(denied)))?;
    TcpStream::connect(peer).await.map_err(FtpError::ConnectionError)
}

fn not_reached(error: ConnectError) -> Failure {
    match error {
        ConnectError::Denied(denied) => Failure::denied(Code::Ftp, &denied),
        ConnectError::Unreachable(why) => Failure::passing(Code::Ftp, format!("not reached: {why}")),
    }
}

/// The failure of one step of the conversation. The step is named by us: a command may hold a password.
pub(crate) fn step(what: &'static str) -> impl FnOnce(FtpError) -> Failure {
    move |error| match error {
        FtpError::UnexpectedResponse(reply) => {
            let status = u16::try_from(reply.status.code()).unwrap_or_default();
            let failure = Failure::passing(Code::Ftp, format!("cannot {what}: the server answers {status}"));
            failure.answered(Answer::new(status, &reply.body))
        }
        FtpError::ConnectionError(error) => {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<Denied>()) {
                Some(denied) => Failure::denied(Code::Ftp, denied),
                None => Failure::passing(Code::Ftp, format!("cannot {what}: {error}")),
            }
        }
        error => Failure::passing(Code::Ftp, format!("cannot {what}: {error}")),
    }
}
