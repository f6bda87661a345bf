//! Who gets a message.

use crate::config::Config;
use crate::failure::{Code, Failure};
use crate::limits::RECIPIENTS_MAX;
use lettre::Address;
use lettre::message::Mailbox;
use url::Host;

/// At least one recipient.
#[derive(Debug)]
pub(super) struct Recipients {
    /// Those who stand in the message.
    pub(super) open: Vec<Mailbox>,
    /// Those who do not.
    pub(super) blind: Vec<Mailbox>,
}

impl Recipients {
    pub(super) fn of(config: &Config) -> Result<Recipients, Failure> {
        let open = list(config, "recipients")?;
        let blind = list(config, "recipients_bcc")?;
        match open.len() + blind.len() {
            0 => Err(Failure::lasting(Code::NoRecipients, "recipient and bcc fields are empty!")),
            1..=RECIPIENTS_MAX => Ok(Recipients { open, blind }),
            _ => {
                Err(Failure::lasting(Code::Email, format!("there are more than {RECIPIENTS_MAX} recipients")))
            }
        }
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.open.iter().chain(&self.blind).map(|mailbox| &mailbox.email)
    }

    pub(super) fn len(&self) -> usize {
        self.open.len() + self.blind.len()
    }
}

fn list(config: &Config, key: &str) -> Result<Vec<Mailbox>, Failure> {
    let text = config.text(key).unwrap_or_default();
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    let wrong = || Failure::lasting(Code::Email, format!("{key} has a text that is no address"));
    parts.map(|part| mailbox(part).ok_or_else(wrong)).collect()
}

/// An address, with or without a name. Domains beyond ASCII become their ASCII form, which every relay takes.
fn mailbox(text: &str) -> Option<Mailbox> {
    let Mailbox { name, email } = text.parse().ok()?;
    if text.contains(char::is_control) || !email.user().is_ascii() {
        return None;
    }
    let email = match email.domain().is_ascii() {
        true => email,
        false => match Host::parse(email.domain()).ok()? {
            Host::Domain(domain) => Address::new(email.user(), &domain).ok()?,
            Host::Ipv4(_) | Host::Ipv6(_) => return None,
        },
    };
    Some(Mailbox { name, email })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(open: &str, blind: &str, expected: Result<&[&str], Code>) {
        let config = json!({"recipients": open, "recipients_bcc": blind}).into();
        match (Recipients::of(&config), expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<String> = found.addresses().map(ToString::to_string).collect();
                assert_eq!(found, expected);
            }
            (Err(failure), Err(code)) => {
                assert_eq!((failure.code, failure.is_retryable()), (code, false));
            }
            (found, _) => panic!("{open:?} {blind:?}: {found:?}"),
        }
    }

    #[test]
    fn recipients_are_addresses_between_semicolons() {
        check("a@b.example", "", Ok(&["a@b.example"]));
        check(" a@b.example ; c@d.example;", "", Ok(&["a@b.example", "c@d.example"]));
        check("", "a@b.example", Ok(&["a@b.example"]));
        check("News Desk <a@b.example>", "", Ok(&["a@b.example"]));
        check("a@bücher.example", "", Ok(&["a@xn--bcher-kva.example"]));
        check("", "", Err(Code::NoRecipients));
        check(" ; ", ";", Err(Code::NoRecipients));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "nobody",
            "a@b.example\r\nRCPT TO:<evil@x.example>",
            "a@b.example\nBcc: evil@x.example",
            "\"x\r\nBcc: evil@x.example\" <a@b.example>",
            "<a@b.example> SIZE=1",
            "ü@b.example",
            "a@b@c.example",
        ] {
            check(text, "", Err(Code::Email));
        }
    }
}
