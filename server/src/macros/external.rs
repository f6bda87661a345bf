//! A macro that another server does.
//!
//! ```text
//! POST url   webhook-id, webhook-timestamp, webhook-signature (with a secret)
//! {"macro", "item", "desk": id | null, "stage": id | null, "cause"}
//!
//! 200 {item}               the item as it is to be
//! 200 {"_stop": "reason"}  it is not to be sent
//! 204                      it stays as it is
//! anything else            the macro has failed
//! ```

use std::time::Duration;

use dateline_engine::{Error, Result};
use dateline_publish::macros::Outcome;
use dateline_transmit::{Call as Question, Called, Secret};
use serde_json::{Value, json};

use super::{Call, Trouble};
use crate::app::App;
use crate::config::MacroConfig;
use crate::eve::json::{Limits, parse_object};
use crate::work::blocking;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Characters of an answer that are shown to people.
const SHOWN_MAX: usize = 200;
/// Member of an answer that stops a copy; no item has such members.
const STOP: &str = "_stop";

/// A macro of the configuration.
pub(crate) struct External {
    pub(super) name: String,
    pub(super) label: String,
    url: String,
    secret: Option<Secret>,
    is_backend: bool,
    pub(super) desks: Vec<String>,
    pub(super) time_max: Duration,
}

impl External {
    /// # Errors
    /// `Invalid` with the setting that cannot be used.
    pub(super) fn read(config: &MacroConfig) -> Result<Self> {
        let wrong = |what: &str| Error::invalid(format!("macros '{}': {what}", config.name));
        if config.name.is_empty() {
            return Err(Error::invalid("macros: name must not be empty"));
        }
        if !["http://", "https://"].iter().any(|scheme| config.url.starts_with(scheme)) {
            return Err(wrong("url must begin with http:// or https://"));
        }
        if !matches!(config.access_type.as_str(), "frontend" | "backend") {
            return Err(wrong("access_type must be frontend or backend"));
        }
        if !(1..=60).contains(&config.timeout_s) {
            return Err(wrong("timeout_s must be 1 to 60"));
        }
        let label = if config.label.is_empty() { &config.name } else { &config.label };
        Ok(Self {
            name: config.name.clone(),
            label: label.clone(),
            url: config.url.clone(),
            secret: Some(config.secret.as_str()).filter(|secret| !secret.is_empty()).map(Secret::new),
            is_backend: config.access_type == "backend",
            desks: config.desks.clone(),
            time_max: Duration::from_secs(config.timeout_s),
        })
    }

    pub(super) fn access_type(&self) -> &'static str {
        if self.is_backend { "backend" } else { "frontend" }
    }

    pub(super) fn is_offered(&self, desk: Option<&str>, with_backend: bool) -> bool {
        let is_of_desk = |desk: &str| self.desks.is_empty() || self.desks.iter().any(|own| own == desk);
        (with_backend || !self.is_backend) && desk.is_none_or(is_of_desk)
    }

    pub(super) async fn call(&self, app: &App, call: &Call<'_>) -> std::result::Result<Outcome, Trouble> {
        let desk = Some(call.desk).filter(|desk| !desk.is_empty());
        let body = json!({
            "macro": self.name, "item": call.item, "desk": desk, "stage": call.stage, "cause": call.cause,
        });
        let question = Question {
            url: self.url.clone(),
            secret: self.secret.clone(),
            id: call.id.to_owned(),
            body: body.to_string().into_bytes(),
            time_max: self.time_max,
        };
        let failed = |why: String| Trouble::Upstream(format!("the macro '{}' failed: {why}", self.name));
        // Reading certificates is for a thread that may wait.
        let ready = app.clone();
        let collectors = blocking(move || ready.collectors().cloned()).await?;
        let called = collectors.call(&question, ANSWER_BYTES_MAX).await;
        outcome(&called.map_err(|error| failed(error.to_string()))?).map_err(failed)
    }
}

/// What an answer says.
fn outcome(called: &Called) -> std::result::Result<Outcome, String> {
    match called.status {
        204 => return Ok(Outcome::Unchanged),
        200 => {}
        status => {
            let text = String::from_utf8_lossy(&called.bytes);
            let shown: String = text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect();
            return Err(format!("it answers {status}: {}", shown.trim()));
        }
    }
    let limits = Limits::BODY.with_bytes(ANSWER_BYTES_MAX);
    let answer = parse_object(&called.bytes, &limits).map_err(|error| format!("its answer: {error}"))?;
    Ok(match answer.get(STOP) {
        None => Outcome::Changed(answer),
        Some(Value::String(reason)) => Outcome::Stopped(reason.clone()),
        Some(_) => Outcome::Stopped("the macro says so".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> MacroConfig {
        MacroConfig {
            name: "m".to_owned(),
            label: String::new(),
            url: "https://example.com/m".to_owned(),
            secret: String::new(),
            access_type: "frontend".to_owned(),
            desks: Vec::new(),
            timeout_s: 10,
        }
    }

    #[test]
    fn an_answer_is_an_item_or_a_word() {
        let check = |status: u16, bytes: &str, expected: std::result::Result<Outcome, &str>| {
            let found = outcome(&Called { status, bytes: bytes.as_bytes().to_vec() });
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{status} {bytes}"),
                (Err(found), Err(words)) => assert!(found.contains(words), "{found}"),
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            }
        };
        let item = json!({"headline": "H"}).as_object().cloned().unwrap();
        check(200, r#"{"headline": "H"}"#, Ok(Outcome::Changed(item)));
        check(200, r#"{"_stop": "not today"}"#, Ok(Outcome::Stopped("not today".to_owned())));
        check(200, r#"{"_stop": true}"#, Ok(Outcome::Stopped("the macro says so".to_owned())));
        check(204, "", Ok(Outcome::Unchanged));
        check(500, "out of\norder", Err("it answers 500: out oforder"));
        check(200, "[]", Err("expected a JSON object"));
        check(200, "", Err("its answer"));
        check(302, "", Err("it answers 302"));
    }

    #[test]
    fn configuration_is_checked() {
        let refused = |config: MacroConfig| External::read(&config).err().unwrap().to_string();
        assert!(refused(MacroConfig { name: String::new(), ..config() }).contains("name"));
        assert!(refused(MacroConfig { url: "file:///x".to_owned(), ..config() }).contains("url"));
        assert!(refused(MacroConfig { access_type: "x".to_owned(), ..config() }).contains("access_type"));
        assert!(refused(MacroConfig { timeout_s: 0, ..config() }).contains("timeout_s"));
        let own = External::read(&MacroConfig { desks: vec!["d".to_owned()], ..config() }).unwrap();
        assert!(
            own.is_offered(Some("d"), false)
                && own.is_offered(None, false)
                && !own.is_offered(Some("e"), true)
        );
        let hidden = External::read(&MacroConfig { access_type: "backend".to_owned(), ..config() }).unwrap();
        assert!(!hidden.is_offered(None, false) && hidden.is_offered(Some("e"), true));
    }
}
