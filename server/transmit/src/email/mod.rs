//! E-mail through the relay of the site.
//!
//! Settings: `recipients` and `recipients_bcc` (each separated by ";"), `attach_media`, `media_rendition`, `media_cid`,
//! `watermark`.
//!
//! Every attempt at a row has the same `Message-ID`, by which mailboxes drop repeats. The message goes out if the relay
//! takes at least one recipient; those it refuses do not keep it from the others and are told in the receipt.

mod attachment;
mod conversation;
mod message;
mod recipients;
mod relay;

use crate::digest::Sha;
use crate::egress::Egress;
use crate::failure::{Code, Failure};
use crate::limits::EMAIL_MAX;
use crate::media::MediaProvider;
use crate::receipt::Receipt;
use crate::site::{Clock, MailRelay, Site};
use crate::tls::Tls;
use crate::transmission::Transmission;
use crate::transmitter::{Lent, Transmitter};
use lettre::message::Mailbox;
use message::Letter;
use recipients::Recipients;
use std::time::Duration;
use tokio::time::timeout;

pub(crate) struct Email {
    egress: Egress,
    tls: Tls,
    relay: Option<MailRelay>,
    clock: Clock,
}

impl Email {
    pub(crate) fn new(site: &Site, tls: Tls) -> Email {
        let (egress, relay) = (site.egress.clone(), site.mail.clone());
        Email { egress, tls, relay, clock: site.clock.clone() }
    }

    async fn deliver(
        &self,
        transmission: &Transmission,
        media: &dyn MediaProvider,
    ) -> Result<Receipt, Failure> {
        let config = &transmission.destination.config;
        let recipients = Recipients::of(config)?;
        let no_relay = || Failure::passing(Code::Email, "no relay for e-mail is configured");
        let relay = self.relay.as_ref().ok_or_else(no_relay)?;
        let sender: Mailbox = relay
            .sender
            .parse()
            .map_err(|_| Failure::passing(Code::Email, "the configured sender is no address"))?;
        let attachments = attachment::attachments(transmission, media).await?;
        let letter = Letter::of(transmission)?;
        let media_sent = u32::try_from(attachments.len()).unwrap_or(u32::MAX);
        let id = transmission.id();
        let message = message::write(&letter, &sender, &recipients, &id, (self.clock)(), attachments)?;
        let connection = relay::connect(&self.egress, &self.tls, relay).await?;
        let answer = conversation::send(connection, relay, &sender.email, &recipients, &message).await?;
        Ok(Receipt {
            id,
            sha256: Sha::of(&message).hex(),
            bytes: message.len() as u64,
            target: format!("{} recipients through {}:{}", recipients.len(), relay.host, relay.port),
            answer: Some(answer),
            media_sent,
            duration: Duration::ZERO,
        })
    }
}

impl Transmitter for Email {
    fn key(&self) -> &'static str {
        "email"
    }

    fn name(&self) -> &'static str {
        "Email"
    }

    fn codes(&self) -> &'static [Code] {
        &[Code::Email, Code::NoRecipients]
    }

    fn send<'a>(
        &'a self,
        transmission: &'a Transmission,
        media: &'a dyn MediaProvider,
    ) -> Lent<'a, Result<Receipt, Failure>> {
        Box::pin(async move {
            let late =
                |_| Failure::passing(Code::Email, format!("not done within {} s", EMAIL_MAX.as_secs()));
            timeout(EMAIL_MAX, self.deliver(transmission, media)).await.map_err(late)?
        })
    }
}
