//! The message itself.

use super::attachment::Picture;
use super::recipients::Recipients;
use crate::failure::{Code, Failure};
use crate::http_push::media_type;
use crate::transmission::Transmission;
use jiff::Timestamp;
use lettre::Message;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use serde_json::{Map, Value};

/// What a person reads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: Option<String>,
}

impl Letter {
    /// The output of the e-mail format; any other body stands as it is, as text and as HTML.
    pub(super) fn of(transmission: &Transmission) -> Result<Letter, Failure> {
        let not_text = || Failure::lasting(Code::Email, "the formatted item is not text");
        let body = transmission.body.as_text().ok_or_else(not_text)?;
        let default = || format!("Story: {}", transmission.item_id);
        let formatted: Option<Map<String, Value>> = serde_json::from_str(body).ok();
        let Some(formatted) = formatted.filter(|fields| fields.contains_key("message_subject")) else {
            let html = Some(body.to_owned());
            return Ok(Letter { subject: one_line(&default()), text: body.to_owned(), html });
        };
        let field = |key: &str| formatted.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        Ok(Letter {
            subject: one_line(&field("message_subject").map_or_else(default, str::to_owned)),
            text: field("message_text").unwrap_or_default().to_owned(),
            html: field("message_html").map(str::to_owned),
        })
    }
}

/// A subject is one line, so that nothing in it starts another header.
fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The bytes of the message. Blind recipients are not in it.
///
/// # Errors
/// [`Code::Email`] for what cannot be written.
pub(super) fn write(
    letter: &Letter,
    sender: &Mailbox,
    recipients: &Recipients,
    id: &str,
    now: Timestamp,
    pictures: Vec<Picture>,
) -> Result<Vec<u8>, Failure> {
    let mut builder = Message::builder()
        .from(sender.clone())
        .subject(letter.subject.clone())
        .date(now.into())
        .message_id(Some(format!("<{id}@{}>", sender.email.domain())));
    for recipient in &recipients.open {
        builder = builder.to(recipient.clone());
    }
    for recipient in &recipients.blind {
        builder = builder.bcc(recipient.clone());
    }
    let unwritable = |error| Failure::lasting(Code::Email, format!("the message cannot be written: {error}"));
    let message = match (&letter.html, pictures.is_empty()) {
        (None, true) => builder.singlepart(SinglePart::plain(letter.text.clone())),
        (_, true) => builder.multipart(words(letter)),
        (_, false) => builder.multipart(with_pictures(letter, pictures)?),
    };
    Ok(message.map_err(unwritable)?.formatted())
}

fn words(letter: &Letter) -> MultiPart {
    match &letter.html {
        Some(html) => MultiPart::alternative_plain_html(letter.text.clone(), html.clone()),
        None => MultiPart::mixed().singlepart(SinglePart::plain(letter.text.clone())),
    }
}

/// Pictures with a content id belong to the HTML that shows them; the others follow it.
fn with_pictures(letter: &Letter, pictures: Vec<Picture>) -> Result<MultiPart, Failure> {
    let is_shown = pictures.iter().any(|picture| picture.content_id.is_some());
    let mut whole = match is_shown {
        true => MultiPart::related().multipart(words(letter)),
        false => MultiPart::mixed().multipart(words(letter)),
    };
    for picture in pictures {
        let kind = ContentType::parse(media_type(&picture.content_type));
        let kind = kind.map_err(|_| Failure::lasting(Code::Email, "a medium has no usable type"))?;
        let part = match picture.content_id {
            Some(content_id) => Attachment::new_inline_with_name(content_id, picture.name),
            None => Attachment::new(picture.name),
        };
        whole = whole.singlepart(part.body(picture.bytes, kind));
    }
    Ok(whole)
}
