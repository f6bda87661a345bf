//! A server to read from and write to, whether it runs elsewhere or has to be brought along.

use std::path::Path;

use super::client::Client;
use super::inside::Inside;
use super::outcome::{Exit, Failure};
use super::output::Output;
use super::pass::Pass;
use super::place::PlaceArgs;
use crate::app::App;
use crate::config::Config;

/// The way to the data a command works on.
pub(crate) enum Reach {
    /// A server elsewhere.
    Server(PlaceArgs),
    /// A directory, by a server of our own.
    Directory {
        /// Its name.
        dir: String,
        /// The server.
        inside: Box<Inside>,
        /// The right to use it.
        pass: Pass,
    },
}

impl Reach {
    /// # Errors
    /// 2 when no place is named, 3 when there is no such directory, 5 when it is in use.
    pub(crate) fn open(place: &PlaceArgs, output: &Output) -> Result<Self, Failure> {
        let Some(dir) = &place.data else {
            // Says what is missing before any file is opened.
            client(place)?;
            return Ok(Self::Server(place.clone()));
        };
        check_exists(dir)?;
        let mut config = Config::new();
        config.listen = "127.0.0.1:0".to_owned();
        let app = App::builder().data(dir).config(config).open()?;
        let inside = Box::new(Inside::start(app)?);
        let pass = Pass::issue(inside.app())?;
        output.talk(format!("working offline on {}", dir.display()));
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.clone()).display().to_string();
        Ok(Self::Directory { dir, inside, pass })
    }

    /// Does something over one connection, and ends what had to be brought along for it.
    ///
    /// # Errors
    /// As `open`, `client` and `close`, and whatever the deed answers.
    pub(crate) fn with(
        place: &PlaceArgs,
        output: &Output,
        deed: impl FnOnce(&Client) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let reach = Self::open(place, output)?;
        let done = reach.client().and_then(|client| deed(&client));
        let closed = reach.close();
        done.and(closed)
    }

    /// One more connection.
    ///
    /// # Errors
    /// As `Client::new`.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        match self {
            Self::Server(place) => client(place),
            Self::Directory { inside, pass, .. } => {
                Client::new(inside.url(), Some(pass.token().to_owned()), None)
            }
        }
    }

    /// The place by its name: the same for every command on it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Server(place) => place.url.as_deref().unwrap_or_default().trim_end_matches('/'),
            Self::Directory { dir, .. } => dir,
        }
    }

    /// Ends what was brought along.
    ///
    /// # Errors
    /// 1 when the directory cannot be closed in good order.
    pub(crate) fn close(self) -> Result<(), Failure> {
        match self {
            Self::Server(_) => Ok(()),
            Self::Directory { inside, pass, .. } => {
                let given_back = pass.give_back(inside.app());
                inside.stop().and(given_back)
            }
        }
    }
}

/// Looking at a directory does not make one.
///
/// # Errors
/// 3 when there is none.
pub(crate) fn check_exists(dir: &Path) -> Result<(), Failure> {
    if dir.is_dir() {
        return Ok(());
    }
    let dir = dir.display();
    Err(Failure::new(
        Exit::NotFound,
        format!("{dir}: there is no such directory; 'dateline init' creates one"),
    ))
}

/// A connection to the server of these arguments.
///
/// # Errors
/// 2 when none is named.
pub(crate) fn client(place: &PlaceArgs) -> Result<Client, Failure> {
    let url = place.url.as_deref();
    let url = url
        .ok_or_else(|| Failure::usage("name a directory with --data, or a server with --url and --token"))?;
    Client::new(url, place.token.clone(), place.cacert.as_deref())
}
