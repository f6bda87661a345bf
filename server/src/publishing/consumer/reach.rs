//! What transmitters are told of the site: whom they may reach, how long they wait, who carries e-mail.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dateline_engine::{Error, Result};
use dateline_transmit::egress::{Allowance, Egress, Policy};
use dateline_transmit::{MailRelay, MailSecurity, Secret, Site, Transmitters};
use serde_json::{Map, Value};

use crate::app::App;
use crate::config::Config;
use crate::publishing::items;

/// All transmitters, for this site.
///
/// # Errors
/// `Invalid` with the name of a setting that cannot be used.
pub(crate) fn transmitters(app: &App) -> Result<Transmitters> {
    Transmitters::standard(&site(app)?).map_err(|reason| Error::invalid(format!("egress: {reason}")))
}

/// The site, for whatever goes through the guard.
///
/// # Errors
/// `Invalid` with the name of a setting that cannot be used.
pub(crate) fn site(app: &App) -> Result<Site> {
    let config = app.config();
    let allow = config.egress.allow.iter().map(|text| allowance(text)).collect::<Result<Vec<_>>>()?;
    let own: Option<SocketAddr> = config.listen.parse().ok().filter(|own: &SocketAddr| own.port() != 0);
    let policy =
        Policy { allow, own: own.into_iter().collect(), file_roots: config.egress.file_roots.clone() };
    let clock = app.store().clone();
    Ok(Site {
        egress: Egress::new(policy),
        authorities_pem: authorities(config)?,
        mail: relay(&config.superdesk)?,
        odbc: connections(&config.superdesk)?,
        http_answer_max: seconds(&config.superdesk, "HTTP_PUSH_TIMEOUT", 30)?,
        ftp_max: seconds(&config.superdesk, "FTP_TIMEOUT", 300)?,
        clock: Arc::new(move || items::now(&clock)),
    })
}

/// `ODBC_CONNECTIONS`: connection strings by the name that destinations give.
fn connections(given: &Map<String, Value>) -> Result<BTreeMap<String, Secret>> {
    let wrong =
        || Error::invalid("superdesk.ODBC_CONNECTIONS: must be a table of names and connection strings");
    match given.get("ODBC_CONNECTIONS") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(all)) => {
            let pairs = all
                .iter()
                .map(|(name, text)| Ok((name.clone(), Secret::new(text.as_str().ok_or_else(wrong)?))));
            pairs.collect()
        }
        Some(_) => Err(wrong()),
    }
}

/// `10.0.0.0/8:443`, or without a port all of them.
fn allowance(text: &str) -> Result<Allowance> {
    let whole = match text.contains(':') && !text.contains(']') && text.matches(':').count() > 1 {
        true => format!("[{text}]:*"),
        false => format!("{text}:*"),
    };
    let parsed = text.parse().or_else(|reason: String| whole.parse().map_err(|_| reason));
    parsed.map_err(|reason| Error::invalid(format!("egress.allow: {reason}")))
}

fn authorities(config: &Config) -> Result<Option<Vec<u8>>> {
    let read = config.egress.authorities.as_ref().map(|path| {
        std::fs::read(path)
            .map_err(|error| Error::invalid(format!("egress.authorities {}: {error}", path.display())))
    });
    read.transpose()
}

/// A number of seconds; of a pair, as sites write connect and read, the second.
fn seconds(given: &Map<String, Value>, name: &str, usual: u64) -> Result<Duration> {
    let number = match given.get(name) {
        None | Some(Value::Null) => return Ok(Duration::from_secs(usual)),
        Some(Value::Array(pair)) => pair.last().and_then(Value::as_f64),
        Some(value) => value.as_f64(),
    };
    let time =
        number.and_then(|number| Duration::try_from_secs_f64(number).ok()).filter(|time| !time.is_zero());
    time.ok_or_else(|| Error::invalid(format!("superdesk.{name}: must be a number of seconds")))
}

/// The relay of `MAIL_SERVER` and its kin; none without a server.
fn relay(given: &Map<String, Value>) -> Result<Option<MailRelay>> {
    let text = |name: &str| given.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let is_on = |name: &str| given.get(name) == Some(&Value::Bool(true));
    let Some(host) = text("MAIL_SERVER") else { return Ok(None) };
    let (security, usual) = match (is_on("MAIL_USE_SSL"), is_on("MAIL_USE_TLS")) {
        (true, _) => (MailSecurity::Tls, 465),
        (false, true) => (MailSecurity::StartTls, 587),
        (false, false) => (MailSecurity::Plain, 25),
    };
    let port = match given.get("MAIL_PORT") {
        None | Some(Value::Null) => usual,
        Some(port) => port
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0)
            .ok_or_else(|| Error::invalid("superdesk.MAIL_PORT: must be a port"))?,
    };
    let first = given.get("ADMINS").and_then(|all| all.get(0)).and_then(Value::as_str);
    let sender = text("MAIL_FROM").or(first).unwrap_or("dateline@localhost").to_owned();
    let password = text("MAIL_PASSWORD").unwrap_or_default();
    let credentials = text("MAIL_USERNAME").map(|user| (user.to_owned(), Secret::new(password)));
    Ok(Some(MailRelay { host: host.to_owned(), port, security, credentials, sender }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn allowances_may_leave_the_port_out() {
        for text in [
            "10.0.0.0/8",
            "10.0.0.0/8:443",
            "127.0.0.1",
            "fd12::/64",
            "[fd12::/64]:8443",
            "ftp 10.2.0.9:2121",
        ] {
            assert!(allowance(text).is_ok(), "{text}");
        }
        assert!(allowance("somewhere").is_err() && allowance("10.0.0.0/8:0").is_err());
    }

    #[test]
    fn settings_of_the_wire() {
        let of = |value: Value| value.as_object().cloned().unwrap();
        let wait = |value: Value| seconds(&of(json!({"T": value})), "T", 30);
        assert_eq!(wait(json!([5, 20])).unwrap(), Duration::from_secs(20));
        assert_eq!(wait(json!(2.5)).unwrap(), Duration::from_millis(2_500));
        assert!(wait(json!("x")).is_err() && wait(json!(-1)).is_err());
        assert!(relay(&of(json!({}))).unwrap().is_none());
        let given =
            json!({"MAIL_SERVER": "mail.example", "MAIL_USE_TLS": true, "ADMINS": ["desk@example.com"]});
        let relay_of = relay(&of(given)).unwrap().unwrap();
        assert_eq!((relay_of.port, relay_of.sender.as_str()), (587, "desk@example.com"));
        assert!(relay(&of(json!({"MAIL_SERVER": "m", "MAIL_PORT": 0}))).is_err());
        let odbc = |value: Value| connections(&of(json!({"ODBC_CONNECTIONS": value})));
        assert!(odbc(json!({"wire": "DSN=x;PWD=y"})).unwrap().contains_key("wire"));
        assert!(odbc(json!({"wire": 1})).is_err() && odbc(json!("DSN=x")).is_err());
    }
}
