//! Site settings by their usual names, from the table `superdesk` of the configuration.

use std::time::Duration;

use dateline_engine::{Error, Result};
use dateline_publish::action;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::content_api::Rate;

const DAY_S: f64 = 86_400.0;
const MINUTE_S: f64 = 60.0;
/// Longest time that a setting can name.
const TIME_S_MAX: f64 = 100.0 * 366.0 * DAY_S;

/// What publishing is told by the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Whether items also go to the content API of this server.
    pub(crate) content_api: bool,
    /// How long items that are not written any more stay there; `None`: always.
    pub(crate) content_api_expiry: Option<Duration>,
    /// How often a token may ask there; `None`: without a bound.
    pub(crate) content_api_rate: Option<Rate>,
    /// How long the log of accesses is kept; `None`: always.
    pub(crate) audit_expiry: Option<Duration>,
    pub(crate) unpublish_to_matching: bool,
    /// Whether everything that goes out is archived for good.
    pub(crate) legal_archive: bool,
    pub(crate) provider: String,
    pub(crate) language: String,
    pub(crate) urn_domain: String,
    pub(crate) time_zone: TimeZone,
    pub(crate) public_url: String,
    pub(crate) extends_places: bool,
    pub(crate) names_nitf_schema: bool,
    pub(crate) common_renditions: Vec<String>,
    pub(crate) japanese_characters_per_minute: u32,
    pub(crate) source: String,
    /// Attempts at a delivery beside the first.
    pub(crate) retries_max: u32,
    /// How long rows of the queue are kept; `None`: always, so that a kill reaches everybody who has the story.
    pub(crate) queue_expiry: Option<Duration>,
    /// How actions are done.
    pub(crate) actions: action::Settings,
    /// Everything as it was given, for decisions that have settings of their own.
    pub(crate) given: Map<String, Value>,
}

impl Settings {
    /// # Errors
    /// `Invalid` with the name of a setting that has no value of its kind.
    pub(crate) fn read(given: &Map<String, Value>) -> Result<Self> {
        let reader = Reader { given };
        let minutes = reader.whole("PUBLISH_QUEUE_EXPIRY_MINUTES", 0)?;
        let zone = reader.text("DEFAULT_TIMEZONE", "UTC")?;
        let renditions = reader.texts("NINJS_COMMON_RENDITIONS", &["thumbnail", "viewImage", "baseImage"])?;
        Ok(Self {
            content_api: reader.flag("CONTENTAPI_ENABLED", true)?,
            content_api_expiry: reader.time("CONTENT_API_EXPIRY_DAYS", 0.0, DAY_S)?,
            content_api_rate: reader.rate()?,
            audit_expiry: reader.time("AUDIT_EXPIRY_MINUTES", 20_160.0, MINUTE_S)?,
            unpublish_to_matching: reader.flag("UNPUBLISH_TO_MATCHING_SUBSCRIBERS", true)?,
            legal_archive: reader.flag("LEGAL_ARCHIVE", false)?,
            provider: reader.text("NEWSML_PROVIDER_ID", "dateline")?,
            language: reader.text("DEFAULT_LANGUAGE", "en")?,
            urn_domain: reader.text("URN_DOMAIN", "localhost")?,
            time_zone: TimeZone::get(&zone)
                .map_err(|error| Error::invalid(format!("superdesk.DEFAULT_TIMEZONE: {error}")))?,
            public_url: reader.text("CONTENTAPI_URL", "")?,
            extends_places: reader.flag("NINJS_PLACE_EXTENDED", false)?,
            names_nitf_schema: reader.flag("NITF_INCLUDE_SCHEMA", false)?,
            common_renditions: renditions,
            japanese_characters_per_minute: reader.whole("JAPANESE_CHARACTERS_PER_MINUTE", 600)?,
            source: reader.text("DEFAULT_SOURCE_VALUE_FOR_MANUAL_ARTICLES", "AAP")?,
            retries_max: reader.whole("MAX_TRANSMIT_RETRY_ATTEMPT", 10)?,
            queue_expiry: (minutes > 0).then(|| Duration::from_secs(u64::from(minutes) * 60)),
            actions: reader.actions(&zone)?,
            given: given.clone(),
        })
    }
}

struct Reader<'a> {
    given: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn of<T>(&self, name: &str, usual: T, kind: &str, read: impl Fn(&Value) -> Option<T>) -> Result<T> {
        match self.given.get(name) {
            None | Some(Value::Null) => Ok(usual),
            Some(value) => {
                read(value).ok_or_else(|| Error::invalid(format!("superdesk.{name}: must be {kind}")))
            }
        }
    }

    fn actions(&self, zone: &str) -> Result<action::Settings> {
        let minutes = |name: &str| -> Result<Option<u32>> {
            Ok(Some(self.whole(name, 0)?).filter(|minutes| *minutes > 0))
        };
        Ok(action::Settings {
            publishes_associated_items: self.flag("PUBLISH_ASSOCIATED_ITEMS", false)?,
            published_expiry_minutes: minutes("PUBLISHED_CONTENT_EXPIRY_MINUTES")?,
            spiked_expiry_minutes: minutes("SPIKE_EXPIRY_MINUTES")?,
            expiry_minutes: self.whole("CONTENT_EXPIRY_MINUTES", 0)?,
            default_source: self.text("DEFAULT_SOURCE_VALUE_FOR_MANUAL_ARTICLES", "AAP")?,
            keeps_full_sign_off: self.flag("FULL_SIGN_OFF", false)?,
            allows_updating_scheduled_items: self.flag("ALLOW_UPDATING_SCHEDULED_ITEMS", false)?,
            allows_multiple_updates: self.flag("WORKFLOW_ALLOW_MULTIPLE_UPDATES", false)?,
            resends_media: match self.given.get("PUBLISH_ASSOCIATIONS_RESEND") {
                None => action::ResendMedia::New,
                Some(name) => action::ResendMedia::named(name.as_str().unwrap_or_default()),
            },
            has_corrections_workflow: self.flag("CORRECTIONS_WORKFLOW", false)?,
            priority_of_updates: match self.whole("RESET_PRIORITY_VALUE_FOR_UPDATE_ARTICLES", 0)? {
                0 => None,
                priority => Some(priority),
            },
            time_zone: TimeZone::get(zone)
                .map_err(|error| Error::invalid(format!("superdesk.DEFAULT_TIMEZONE: {error}")))?,
        })
    }

    fn flag(&self, name: &str, usual: bool) -> Result<bool> {
        self.of(name, usual, "true or false", Value::as_bool)
    }

    fn text(&self, name: &str, usual: &str) -> Result<String> {
        self.of(name, usual.to_owned(), "a text", |value| value.as_str().map(str::to_owned))
    }

    fn whole(&self, name: &str, usual: u32) -> Result<u32> {
        self.of(name, usual, "a whole number", |value| u32::try_from(value.as_u64()?).ok())
    }

    /// A number of units of so many seconds; 0 is none.
    fn time(&self, name: &str, usual: f64, unit_s: f64) -> Result<Option<Duration>> {
        let seconds = self.of(name, usual * unit_s, "a number, 0 to a hundred years", |value| {
            Some(value.as_f64()? * unit_s).filter(|seconds| (0.0..=TIME_S_MAX).contains(seconds))
        })?;
        Ok(Some(Duration::from_secs_f64(seconds)).filter(|time| !time.is_zero()))
    }

    /// Of the content API, for each token.
    fn rate(&self) -> Result<Option<Rate>> {
        let requests = self.whole("CONTENTAPI_RATE_LIMIT_REQUESTS", 6_000)?;
        let period = self.time("CONTENTAPI_RATE_LIMIT_PERIOD", 60.0, 1.0)?;
        Ok(period.filter(|_| requests > 0).map(|period| Rate { requests, period }))
    }

    fn texts(&self, name: &str, usual: &[&str]) -> Result<Vec<String>> {
        let usual = usual.iter().map(|text| (*text).to_owned()).collect();
        self.of(name, usual, "a list of texts", |value| {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_have_defaults_and_kinds() {
        let read = |given: Value| Settings::read(given.as_object().unwrap());
        let usual = read(json!({})).unwrap();
        assert!(usual.content_api && usual.unpublish_to_matching && usual.queue_expiry.is_none());
        assert_eq!((usual.retries_max, usual.source.as_str()), (10, "AAP"));
        let days = |days: u64| Some(Duration::from_secs(days * 86_400));
        assert_eq!((usual.content_api_expiry, usual.audit_expiry), (None, days(14)));
        assert_eq!(usual.content_api_rate, Some(Rate { requests: 6_000, period: Duration::from_secs(60) }));
        let other = read(json!({
            "CONTENT_API_EXPIRY_DAYS": 0.5, "AUDIT_EXPIRY_MINUTES": 0, "CONTENTAPI_RATE_LIMIT_REQUESTS": 0,
        }));
        let other = other.unwrap();
        assert_eq!(other.content_api_expiry, Some(Duration::from_secs(43_200)));
        assert_eq!((other.audit_expiry, other.content_api_rate), (None, None));
        let given =
            read(json!({"MAX_TRANSMIT_RETRY_ATTEMPT": 3, "PUBLISH_QUEUE_EXPIRY_MINUTES": 2})).unwrap();
        assert_eq!((given.retries_max, given.queue_expiry), (3, Some(Duration::from_secs(120))));
        for wrong in [
            json!({"DEFAULT_LANGUAGE": 1}),
            json!({"NITF_INCLUDE_SCHEMA": "yes"}),
            json!({"MAX_TRANSMIT_RETRY_ATTEMPT": -1}),
            json!({"DEFAULT_TIMEZONE": "Mars/Base"}),
            json!({"CONTENT_API_EXPIRY_DAYS": -1}),
            json!({"AUDIT_EXPIRY_MINUTES": 1e300}),
            json!({"CONTENTAPI_RATE_LIMIT_REQUESTS": "many"}),
            json!({"NINJS_COMMON_RENDITIONS": [1]}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
