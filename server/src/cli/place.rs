//! What a command works on: a data directory that no server holds, or a running server.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use dateline_engine::{Store, SystemClock};

use super::client::Client;
use super::outcome::Failure;
use crate::app::{self, Consent};
use crate::auth::Auth;
use crate::config::Config;
use crate::data::DataDir;

/// The arguments that name the place.
#[derive(Args, Clone, Debug)]
pub struct PlaceArgs {
    /// Data directory, while no server runs on it
    #[arg(long, value_name = "DIR", env = "DATELINE_DATA", conflicts_with = "url")]
    pub(crate) data: Option<PathBuf>,
    /// Address of a running server
    #[arg(long, value_name = "URL", env = "DATELINE_URL")]
    pub(crate) url: Option<String>,
    /// Session token or API key for that server
    #[arg(long, value_name = "TOKEN", env = "DATELINE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// PEM file with the certificate authority of that server
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
}

/// The place.
pub enum Place {
    /// A directory, held by this process.
    Offline(Box<Offline>),
    /// A server.
    Server(Box<Client>),
}

/// A data directory at work without a server. Fields close in this order.
pub struct Offline {
    /// Users and sessions.
    pub auth: Auth,
    /// The store.
    pub store: Store,
    /// The lock.
    pub data: DataDir,
}

impl PlaceArgs {
    /// Opens the directory or prepares to talk to the server.
    ///
    /// # Errors
    /// 2 when neither is named, 5 when the directory is in use, 1 when it cannot be opened.
    pub fn open(&self) -> Result<Place, Failure> {
        match (&self.data, &self.url) {
            (Some(dir), _) => {
                if !dir.is_dir() {
                    return Err(Failure::new(
                        super::outcome::Exit::NotFound,
                        format!("{}: there is no such directory; 'dateline init' creates one", dir.display()),
                    ));
                }
                Ok(Place::Offline(Box::new(Offline::open(DataDir::take(dir)?)?)))
            }
            (None, Some(url)) => {
                Ok(Place::Server(Box::new(Client::new(url, self.token.clone(), self.cacert.as_deref())?)))
            }
            (None, None) => {
                Err(Failure::usage("name a directory with --data, or a server with --url and --token"))
            }
        }
    }
}

impl Offline {
    /// Opens the store of a directory.
    ///
    /// # Errors
    /// As `Store::open`.
    pub fn open(data: DataDir) -> Result<Self, Failure> {
        let config = Config::new();
        let store = app::open_store(&data, &config, Arc::new(SystemClock), Consent::default())?;
        let auth = Auth::open(&store, &config.auth)?;
        Ok(Self { auth, store, data })
    }
}
