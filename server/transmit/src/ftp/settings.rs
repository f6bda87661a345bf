//! The settings of an FTP destination, checked.

use crate::config::Config;
use crate::egress::Target;
use crate::failure::{Code, Failure};
use crate::secret::Secret;

pub(crate) struct Settings {
    pub(super) target: Target,
    pub(super) username: String,
    pub(super) password: Secret,
    pub(crate) path: Option<String>,
    pub(super) passive: bool,
    pub(super) use_ftps: bool,
    pub(super) rename: bool,
    pub(super) push_associated: bool,
    pub(super) associated_path: Option<String>,
    pub(super) include_original: bool,
}

impl Settings {
    pub(crate) fn of(config: &Config) -> Result<Settings, Failure> {
        let lasting = |message: String| Failure::lasting(Code::Ftp, message);
        let host = config.text("host").ok_or_else(|| lasting("host is not set".to_owned()))?;
        let port = config.port("port").map_err(lasting)?.unwrap_or(21);
        let line = |key: &str, text: Option<String>| match text {
            Some(text) if text.chars().any(char::is_control) => {
                Err(lasting(format!("{key} has a control character")))
            }
            text => Ok(text),
        };
        let verbatim = |key: &str| line(key, config.verbatim(key).map(str::to_owned));
        Ok(Settings {
            target: Target::new(&host, port).map_err(|denied| Failure::denied(Code::Ftp, &denied))?,
            username: line("username", config.text("username"))?.unwrap_or_else(|| "anonymous".to_owned()),
            password: Secret::new(verbatim("password")?.unwrap_or_default()),
            path: line("path", config.text("path"))?,
            passive: config.is_on("passive", true),
            use_ftps: config.is_on("use_ftps", false),
            rename: config.is_on("rename", true),
            push_associated: config.is_on("push_associated", false),
            associated_path: line("associated_path", config.text("associated_path"))?,
            include_original: config.is_on("include_original", false),
        })
    }
}
