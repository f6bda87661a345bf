//! E-mails: the subject is the headline, the text the body.

use super::draft::{Draft, tag};
use super::{Parser, Reading};
use crate::document::{Document, Kind};
use crate::error::{Code, IngestError};
use crate::limits::MAIL_PARTS_MAX;
use crate::xml::escape;
use dateline_formats::{Fields, wire_time};
use jiff::Timestamp;
use mail_parser::{Address, Message, MessageParser};

/// The format `email_rfc822`.
pub(super) struct Mail;

impl Parser for Mail {
    fn key(&self) -> &'static str {
        "email_rfc822"
    }

    fn label(&self) -> &'static str {
        "RFC 822 e-mail"
    }

    fn can_parse(&self, document: &Document) -> bool {
        let Kind::Message(bytes) = &document.0 else { return false };
        let message = MessageParser::default().parse_headers(bytes.as_slice());
        message.is_some_and(|message| {
            message.from().is_some() && (message.subject().is_some() || message.message_id().is_some())
        })
    }

    fn parse(&self, document: &Document, reading: &Reading<'_>) -> Result<Vec<Fields>, IngestError> {
        let wrong = |reason: &str| IngestError::new(Code::MAIL, reason);
        let Kind::Message(bytes) = &document.0 else { return Err(wrong("no message")) };
        let message = MessageParser::default().parse(bytes.as_slice()).ok_or_else(|| wrong("no message"))?;
        if message.parts.len() > MAIL_PARTS_MAX {
            return Err(IngestError::new(Code::TOO_LARGE, format!("more than {MAIL_PARTS_MAX} parts")));
        }
        let body = body(&message);
        let subject = message.subject().unwrap_or_default();
        let guid = match message.message_id() {
            Some(id) if !id.trim().is_empty() => id.trim().to_owned(),
            _ => tag(&reading.site.urn_domain, &format!("{subject}\n{body}")),
        };
        let mut out = Draft::new("text", &guid);
        out.line("headline", subject);
        out.put("body_html", body);
        let (name, address) = sender(message.from());
        out.line("byline", &name);
        out.line("original_source", &address);
        let date = message.date().and_then(|date| Timestamp::from_second(date.to_timestamp()).ok());
        let date = wire_time(date.unwrap_or(reading.now).min(reading.now));
        out.put("firstcreated", date.clone());
        out.put("versioncreated", date);
        Ok(vec![out.finish()])
    }
}

fn sender(from: Option<&Address<'_>>) -> (String, String) {
    let first = from.and_then(Address::first);
    let part = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (part(first.and_then(|own| own.name())), part(first.and_then(|own| own.address())))
}

/// The page of the message; of a plain text its paragraphs.
fn body(message: &Message<'_>) -> String {
    let has_html = message.html_part(0).is_some_and(mail_parser::MessagePart::is_text_html);
    if let (true, Some(html)) = (has_html, message.body_html(0)) {
        return html.into_owned();
    }
    let text = message.body_text(0).unwrap_or_default().replace("\r\n", "\n");
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(|paragraph| format!("<p>{}</p>", escape(paragraph).replace('\n', "<br>"))).collect()
}
