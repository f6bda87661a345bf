//! Letters of a mailbox, over IMAP.
//!
//! Settings: `server`, `port` (993, or 143 without TLS), `user`, `password`, `mailbox` (`INBOX`), `filter` (`UNSEEN`: what is
//! searched for), `use_ssl` (on). Letters are read without marking them; whoever has taken one says so.

use super::{CollectError, Collectors};
use crate::config::Config;
use crate::egress::{Class, Target};
use crate::limits::FETCH_MAX;
use crate::line::{Line, Wire};
use async_imap::error::Error;
use async_imap::{Client, Session};
use futures_util::TryStreamExt;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes that an answer may have beside a letter.
const TALK_BYTES_MAX: usize = 1 << 20;
/// Time for an answer to LOGOUT.
const GOODBYE: Duration = Duration::from_secs(2);

/// An open mailbox.
pub struct Mailbox {
    session: Session<Line>,
}

impl Collectors {
    /// Logs in and opens the mailbox.
    ///
    /// # Errors
    /// When the guard refuses, nobody answers in time, or the server does not let us in.
    pub async fn mailbox(&self, config: &Config) -> Result<Mailbox, CollectError> {
        let wrong = |what: String| CollectError::Settings(what);
        let missing = |name: &str| CollectError::Settings(format!("{name} is not set"));
        let host = config.text("server").ok_or_else(|| missing("server"))?;
        let is_secure = config.is_on("use_ssl", true);
        let port = config.port("port").map_err(wrong)?.unwrap_or(if is_secure { 993 } else { 143 });
        let user = config.text("user").ok_or_else(|| missing("user"))?;
        let password = config.verbatim("password").unwrap_or_default();
        let name = config.text("mailbox").unwrap_or_else(|| "INBOX".to_owned());
        for (field, text) in [("user", user.as_str()), ("password", password), ("mailbox", &name)] {
            if text.chars().any(char::is_control) {
                return Err(CollectError::Settings(format!("{field} has a control character")));
            }
        }
        let target = Target::new(&host, port)?;
        let opened = async {
            let stream = self.site.egress.connect(Class::Mailbox, &target).await?;
            let peer = stream.peer_addr().map_err(|error| CollectError::Unreachable(error.to_string()))?;
            let wire: Box<dyn Wire> = match is_secure {
                true => {
                    let secured = self.tls.secure(&target.host(), stream).await;
                    Box::new(secured.map_err(CollectError::Unreachable)?)
                }
                false => Box::new(stream),
            };
            let mut client = Client::new(Line::new(wire, peer, TALK_BYTES_MAX));
            let greeting = client.read_response().await.map_err(|error| failed("greet")(Error::Io(error)))?;
            if greeting.is_none() {
                return Err(CollectError::Unreachable("the server says nothing".to_owned()));
            }
            let mut session = client.login(&user, password).await.map_err(|(error, _)| match error {
                Error::No(_) => CollectError::Refused("the server does not let us in".to_owned()),
                error => failed("log in")(error),
            })?;
            session.select(&name).await.map_err(failed("open the mailbox"))?;
            Ok(Mailbox { session })
        };
        in_time(opened).await
    }
}

impl Mailbox {
    /// Numbers of the letters that the filter finds, the oldest first, so many at the most.
    ///
    /// # Errors
    /// When the server does not answer as it should.
    pub async fn list(&mut self, config: &Config, most: usize) -> Result<Vec<u32>, CollectError> {
        let filter = config.text("filter").unwrap_or_else(|| "UNSEEN".to_owned());
        if filter.chars().any(char::is_control) {
            return Err(CollectError::Settings("filter has a control character".to_owned()));
        }
        self.session.get_mut().left = TALK_BYTES_MAX;
        let found =
            in_time(async { self.session.uid_search(&filter).await.map_err(failed("search the mailbox")) });
        let mut numbers: Vec<u32> = found.await?.into_iter().collect();
        numbers.sort_unstable();
        numbers.truncate(most);
        Ok(numbers)
    }

    /// A whole letter; `None` when it is gone.
    ///
    /// # Errors
    /// [`CollectError::TooLarge`] by what the server says of its size; the connection can be used after that.
    pub async fn read(&mut self, number: u32, bytes_max: usize) -> Result<Option<Vec<u8>>, CollectError> {
        let size = self.fetch(number, "RFC822.SIZE", 0, |fetched| fetched.size).await?;
        match size.and_then(|size| usize::try_from(size).ok()) {
            None => return Ok(None),
            Some(size) if size > bytes_max => return Err(CollectError::TooLarge(bytes_max)),
            Some(_) => {}
        }
        let read = |fetched: &async_imap::types::Fetch| fetched.body().map(<[u8]>::to_vec);
        self.fetch(number, "BODY.PEEK[]", bytes_max, read).await
    }

    async fn fetch<T>(
        &mut self,
        number: u32,
        query: &str,
        bytes_max: usize,
        read: impl Fn(&async_imap::types::Fetch) -> Option<T>,
    ) -> Result<Option<T>, CollectError> {
        self.session.get_mut().left = bytes_max.saturating_add(TALK_BYTES_MAX);
        in_time(async {
            let answers = self.session.uid_fetch(number.to_string(), query).await;
            let mut answers = std::pin::pin!(answers.map_err(failed("fetch the letter"))?);
            let mut found = None;
            while let Some(answer) = answers.try_next().await.map_err(failed("fetch the letter"))? {
                if answer.uid == Some(number) {
                    found = read(&answer).or(found);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Marks a letter as seen.
    ///
    /// # Errors
    /// When the server does not do it.
    pub async fn mark(&mut self, number: u32) -> Result<(), CollectError> {
        self.session.get_mut().left = TALK_BYTES_MAX;
        in_time(async {
            let answers = self.session.uid_store(number.to_string(), "+FLAGS.SILENT (\\Seen)").await;
            let mut answers = std::pin::pin!(answers.map_err(failed("mark the letter"))?);
            while answers.try_next().await.map_err(failed("mark the letter"))?.is_some() {}
            Ok(())
        })
        .await
    }

    /// Says goodbye. A server that does not answer changes nothing.
    pub async fn close(mut self) {
        self.session.get_mut().left = TALK_BYTES_MAX;
        let _ = timeout(GOODBYE, self.session.logout()).await;
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, CollectError>>) -> Result<T, CollectError> {
    let late = |_| CollectError::Late(format!("not done within {} s", FETCH_MAX.as_secs()));
    timeout(FETCH_MAX, work).await.map_err(late)?
}

fn failed(step: &'static str) -> impl Fn(Error) -> CollectError {
    move |error| CollectError::Failed(format!("cannot {step}: {error}"))
}
