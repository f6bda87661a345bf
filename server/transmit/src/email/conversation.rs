//! What is said to the relay.

use super::recipients::Recipients;
use super::relay::{Relayed, broken};
use crate::failure::{Code, Failure};
use crate::receipt::Answer;
use crate::site::MailRelay;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use std::error::Error as _;
use std::time::Duration;
use tokio::time::timeout;

/// Time for an answer to QUIT.
const GOODBYE: Duration = Duration::from_secs(2);

/// Hands a message over. The relay's last word, and how many recipients it refused.
pub(super) async fn send(
    relayed: Relayed,
    relay: &MailRelay,
    sender: &Address,
    recipients: &Recipients,
    message: &[u8],
) -> Result<Answer, Failure> {
    let connected = AsyncSmtpConnection::connect_with_transport(relayed.stream, &relayed.hello).await;
    let mut connection = connected.map_err(|error| passing(&error))?;
    if let Some((user, password)) = &relay.credentials {
        if !relayed.is_secret {
            return Err(broken("the password for the relay is not said without TLS"));
        }
        let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        // Whoever runs the site repairs this while rows wait.
        connection.auth(&mechanisms, &credentials).await.map_err(|error| passing(&error))?;
    }
    connection.command(Mail::new(Some(sender.clone()), vec![])).await.map_err(|error| refused(&error))?;
    let mut refusals = Vec::new();
    for recipient in recipients.addresses() {
        match connection.command(Rcpt::new(recipient.clone(), vec![])).await {
            Ok(_) => {}
            Err(error) if error.status().is_some() => refusals.push(error),
            Err(error) => return Err(passing(&error)),
        }
    }
    if refusals.len() == recipients.len() {
        // One that may be taken later is worth another attempt.
        let worst = refusals.iter().find(|error| error.is_transient()).or(refusals.first());
        return Err(worst.map_or_else(|| broken("no recipient"), refused));
    }
    connection.command(Data).await.map_err(|error| refused(&error))?;
    let taken = connection.message(message).await.map_err(|error| refused(&error))?;
    // The message is taken; a relay that does not say goodbye changes nothing.
    let _ = timeout(GOODBYE, connection.command(Quit)).await;
    let mut text = taken.message().collect::<Vec<_>>().join(" ");
    if let Some(first) = refusals.first() {
        let status = first.status().map_or(0, u16::from);
        text = format!("{text}; {} of {} recipients refused with {status}", refusals.len(), recipients.len());
    }
    Ok(Answer::new(u16::from(taken.code()), text.as_bytes()))
}

/// A reply to the message: 5yz is the relay's last word on it.
fn refused(error: &Error) -> Failure {
    let failure = passing(error);
    match error.is_permanent() {
        true => Failure { answer: failure.answer, ..Failure::lasting(Code::Email, failure.message) },
        false => failure,
    }
}

fn passing(error: &Error) -> Failure {
    let said = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    match error.status().map(u16::from) {
        Some(status) => {
            broken(format!("the relay answers {status}")).answered(Answer::new(status, said.as_bytes()))
        }
        None => broken(said),
    }
}
