//! How a command ends.

use std::fmt;
use std::process::ExitCode;

use dateline_engine::{Error, ErrorKind};

use crate::app::OpenError;
use crate::config::ConfigError;
use crate::data::DataError;
use crate::eve::problem::Problem;
use crate::http::Refusal;

/// The exit codes that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Not done.
    Error = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// It exists already, or is not at the expected version.
    Conflict = 4,
    /// In use, overloaded or stopped: try again later.
    Unavailable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command was not done.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What to tell the person; nothing when there is nobody left to tell.
    pub message: String,
}

impl Failure {
    /// A failure.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    /// Exit code 1.
    pub fn error(message: impl fmt::Display) -> Self {
        Self::new(Exit::Error, message)
    }

    /// Exit code 2.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The failure that an HTTP status stands for.
    pub fn from_status(status: u16, message: impl fmt::Display) -> Self {
        let exit = match status {
            404 | 410 => Exit::NotFound,
            409 | 412 => Exit::Conflict,
            429 | 503 | 504 => Exit::Unavailable,
            _ => Exit::Error,
        };
        Self::new(exit, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::Conflict => Exit::Conflict,
            ErrorKind::NotFound | ErrorKind::Gone => Exit::NotFound,
            ErrorKind::Busy | ErrorKind::Full | ErrorKind::Unavailable => Exit::Unavailable,
            ErrorKind::Invalid | ErrorKind::Corrupt | ErrorKind::Internal => Exit::Error,
        };
        Self::new(exit, error)
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let exit = match error {
            DataError::Held { .. } => Exit::Unavailable,
            DataError::Occupied { .. } => Exit::Conflict,
            _ => Exit::Error,
        };
        Self::new(exit, error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Data(error) => error.into(),
            // What is wrong is how it was started, with this program or without a flag.
            OpenError::Engine(error) if error.kind() == ErrorKind::Invalid => Self::usage(error),
            OpenError::Engine(error) => error.into(),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::from_status(problem.status_code(), problem.detail())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        refusal.problem().clone().into()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // The reader of our output has seen enough, as `head` does.
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Error, "");
        }
        Self::error(error)
    }
}
