//! A provider: where items come from, and how they are taken.

use crate::error::Code;
use dateline_formats::{Fields, Item, ItemType, parse_time};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// How a provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// One address that answers with a document.
    Http,
    /// As HTTP; the document is a feed unless the provider names another parser.
    Rss,
    /// A folder of this machine.
    File,
    /// A folder of an FTP server.
    Ftp,
    /// A mailbox.
    Email,
}

impl Service {
    /// All there are.
    pub const ALL: [Service; 5] = [Service::Http, Service::Rss, Service::File, Service::Ftp, Service::Email];

    /// The key by which providers name it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Service::Http => "http",
            Service::Rss => "rss",
            Service::File => "file",
            Service::Ftp => "ftp",
            Service::Email => "email",
        }
    }

    /// What people call it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Service::Http => "HTTP",
            Service::Rss => "RSS/Atom",
            Service::File => "File feed",
            Service::Ftp => "FTP",
            Service::Email => "E-mail (IMAP)",
        }
    }

    /// The service of this key.
    #[must_use]
    pub fn find(key: &str) -> Option<Service> {
        Service::ALL.into_iter().find(|service| service.key() == key)
    }

    /// Settings of a provider as `(key, label, type, is_needed)`.
    #[must_use]
    pub fn settings(self) -> &'static [(&'static str, &'static str, &'static str, bool)] {
        match self {
            Service::Http => &[
                ("url", "Address", "text", true),
                ("auth_required", "Requires a name and a password", "boolean", false),
                ("username", "Username", "text", false),
                ("password", "Password", "password", false),
                ("token", "Bearer token", "password", false),
            ],
            Service::Rss => &[
                ("url", "Address of the feed", "text", true),
                ("auth_required", "Requires a name and a password", "boolean", false),
                ("username", "Username", "text", false),
                ("password", "Password", "password", false),
                ("field_aliases", "Elements of other names", "mapping", false),
            ],
            Service::File => &[("path", "Folder", "text", true)],
            Service::Ftp => &[
                ("host", "Host", "text", true),
                ("port", "Port", "number", false),
                ("username", "Username", "text", false),
                ("password", "Password", "password", false),
                ("path", "Folder", "text", false),
                ("passive", "Passive", "boolean", false),
                ("use_ftps", "FTPS", "boolean", false),
                ("allowed_extensions", "Extensions", "text", false),
                ("move", "Move files that are done", "boolean", false),
                ("ftp_move_path", "Folder of files that are done", "text", false),
                ("move_path_error", "Folder of files that failed", "text", false),
            ],
            Service::Email => &[
                ("server", "IMAP server", "text", true),
                ("port", "Port", "number", false),
                ("use_ssl", "TLS", "boolean", false),
                ("user", "User", "text", true),
                ("password", "Password", "password", true),
                ("mailbox", "Mailbox", "text", false),
                ("filter", "Search for", "text", false),
            ],
        }
    }
}

/// A provider as it is stored.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The source of its items where they name none.
    pub source: String,
    /// How it is asked; none when nobody here can.
    pub service: Option<Service>,
    /// The key of its parser; none: whichever takes a document.
    pub parser: Option<String>,
    /// Whether it is not asked.
    pub is_closed: bool,
    /// Whether known items stay as they are.
    pub keeps_first: bool,
    /// Seconds between two runs.
    pub schedule_s: u64,
    /// Seconds without an item after which it is too quiet; 0: never.
    pub idle_s: u64,
    /// Minutes that its items are kept.
    pub expiry_minutes: u32,
    /// The last run.
    pub last_updated: Option<Timestamp>,
    /// The last item.
    pub last_item_arrived: Option<Timestamp>,
    /// The routing scheme.
    pub routing_scheme: Option<String>,
    /// The rule set.
    pub rule_set: Option<String>,
    /// Types that are taken; empty: all.
    content_types: BTreeSet<String>,
    /// Numbers of errors that close it.
    critical: BTreeSet<u16>,
    /// Settings of its service, without secrets.
    pub config: Fields,
}

impl Provider {
    /// Reads a stored provider; what is missing or wrong is as usual. `expiry_minutes` is that of the site.
    #[must_use]
    pub fn read(id: &str, stored: &Fields, expiry_minutes: u32) -> Provider {
        let item = Item::from(stored);
        let some = |field: &str| Some(item.text(field).trim().to_owned()).filter(|text| !text.is_empty());
        let service = Service::find(item.text("feeding_service"));
        let usual = match service {
            Some(Service::Rss) => Some("rss"),
            Some(Service::Email) => Some("email_rfc822"),
            _ => None,
        };
        let parser = some("feed_parser").or_else(|| usual.map(str::to_owned));
        let seconds = |field: &str, usual_minutes: u64| {
            let part = |name: &str, usual: u64| {
                let value = item.object(field).and_then(|own| own.get(name).and_then(Value::as_u64));
                value.unwrap_or(usual).min(100_000)
            };
            let is_given = item.object(field).is_some();
            part("hours", 0) * 3600
                + part("minutes", if is_given { 0 } else { usual_minutes }) * 60
                + part("seconds", 0)
        };
        let own_expiry = item.get("content_expiry").and_then(Value::as_i64).filter(|minutes| *minutes > 0);
        let critical = item.object("critical_errors").into_iter().flat_map(|own| {
            let numbers = Code::ALL.iter().map(|(code, _)| code.number());
            numbers.filter(move |number| own.has(&number.to_string()))
        });
        Provider {
            id: id.to_owned(),
            name: item.text("name").to_owned(),
            source: item.text("source").to_owned(),
            service,
            parser,
            is_closed: item.has("is_closed"),
            keeps_first: item.has("disable_item_updates"),
            schedule_s: seconds("update_schedule", 5).max(1),
            idle_s: seconds("idle_time", 0),
            expiry_minutes: own_expiry
                .and_then(|minutes| u32::try_from(minutes).ok())
                .unwrap_or(expiry_minutes),
            last_updated: parse_time(item.text("last_updated")),
            last_item_arrived: parse_time(item.text("last_item_arrived")),
            routing_scheme: some("routing_scheme"),
            rule_set: some("rule_set"),
            content_types: item.list("content_types").filter_map(Value::as_str).map(str::to_owned).collect(),
            critical: critical.collect(),
            config: item.object("config").map(|own| own.to_fields()).unwrap_or_default(),
        }
    }

    /// Whether items of this type are taken.
    #[must_use]
    pub fn takes(&self, kind: &str) -> bool {
        self.content_types.is_empty() || self.content_types.contains(kind)
    }

    /// Whether an error closes it.
    #[must_use]
    pub fn is_critical(&self, code: Code) -> bool {
        self.critical.contains(&code.number())
    }

    /// Elements of a feed that go by other names, as `(name, element)`.
    #[must_use]
    pub fn aliases(&self) -> Vec<(String, String)> {
        let config = Item::from(&self.config);
        let listed = config.objects("field_aliases").chain(config.object("field_aliases"));
        let pairs = listed.flat_map(|aliases| aliases.to_fields());
        pairs.filter_map(|(name, element)| Some((name, element.as_str()?.to_owned()))).collect()
    }
}

/// What is wrong with a provider about to be stored, as `(member, sentence)`. `parsers` are the keys there are.
#[must_use]
pub fn check(provider: &Fields, parsers: &[&str]) -> Vec<(String, String)> {
    let item = Item::from(provider);
    let mut wrong = Vec::new();
    let mut say = |member: &str, sentence: String| wrong.push((member.to_owned(), sentence));
    let service = item.text("feeding_service");
    match Service::find(service) {
        None => say("feeding_service", format!("unallowed value {service}")),
        Some(service) => {
            let config = item.object("config");
            for (key, label, ..) in service.settings().iter().filter(|(.., is_needed)| *is_needed) {
                if config.is_none_or(|config| config.scalar(key).trim().is_empty()) {
                    say(&format!("config.{key}"), format!("{label} is required"));
                }
            }
        }
    }
    let parser = item.text("feed_parser");
    if !parser.is_empty() && !parsers.contains(&parser) {
        say("feed_parser", format!("unallowed value {parser}"));
    }
    for kind in item.list("content_types") {
        if kind.as_str().and_then(ItemType::parse).is_none() {
            say("content_types", format!("unallowed values [{kind}]"));
        }
    }
    for (field, parts) in
        [("update_schedule", &["hours", "minutes", "seconds"][..]), ("idle_time", &["hours", "minutes"])]
    {
        let Some(given) = item.object(field) else { continue };
        for (name, value) in given.to_fields() {
            let is_time = parts.contains(&name.as_str())
                && (value.is_null() || value.as_u64().is_some_and(|n| n <= 100_000));
            if !is_time {
                say(field, format!("'{name}' must be one of {} and a whole number", parts.join(", ")));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn provider(value: Value) -> Provider {
        Provider::read("p", value.as_object().unwrap(), 2880)
    }

    #[test]
    fn what_is_missing_is_as_usual() {
        let usual = provider(json!({"feeding_service": "rss"}));
        assert_eq!((usual.schedule_s, usual.idle_s, usual.expiry_minutes), (300, 0, 2880));
        assert_eq!(usual.parser.as_deref(), Some("rss"));
        assert!(usual.takes("text") && !usual.is_critical(Code::API));
        for minutes in [json!(0), json!(-1), json!(null), json!("x")] {
            assert_eq!(provider(json!({"content_expiry": minutes})).expiry_minutes, 2880);
        }
        let own = provider(json!({
            "update_schedule": {"hours": 1, "seconds": 5}, "idle_time": {"minutes": 2}, "content_expiry": 60,
            "content_types": ["text"], "critical_errors": {"4007": true, "4006": false}, "feeding_service": "http",
            "config": {"field_aliases": [{"title": "dc:subject"}]},
        }));
        assert_eq!((own.schedule_s, own.idle_s, own.expiry_minutes), (3605, 120, 60));
        assert!(own.takes("text") && !own.takes("picture"));
        assert!(own.is_critical(Code::API_REFUSED) && !own.is_critical(Code::API_NOT_FOUND));
        assert_eq!(
            (own.parser.clone(), own.aliases()),
            (None, vec![("title".to_owned(), "dc:subject".to_owned())])
        );
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let check = |value: Value, members: &[&str]| {
            let wrong = super::check(value.as_object().unwrap(), &["ninjs"]);
            let found: Vec<&str> = wrong.iter().map(|(member, _)| member.as_str()).collect();
            assert_eq!(found, members, "{value}");
        };
        check(json!({"feeding_service": "http", "config": {"url": "http://x"}, "feed_parser": "ninjs"}), &[]);
        check(json!({"feeding_service": "pigeon"}), &["feeding_service"]);
        check(json!({"feeding_service": "http", "config": {"url": " "}}), &["config.url"]);
        check(
            json!({"feeding_service": "file", "config": null, "feed_parser": "x"}),
            &["config.path", "feed_parser"],
        );
        check(
            json!({"feeding_service": "file", "config": {"path": "a"}, "content_types": ["poem"], "update_schedule": {"days": 1}}),
            &["content_types", "update_schedule"],
        );
    }
}
