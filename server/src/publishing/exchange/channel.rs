//! Channels: which exchange, filter, formatter and router do a request; by configuration.
//!
//! A channel of the configuration is taken when the request is of its operations and the item of its types, the first
//! that fits; what fits none goes through the built-in one. A name that nobody has registered is an error at start.

use dateline_engine::{Error, Result};
use dateline_publish::recipients::Action;
use serde_json::Value;

use super::filters::Filter;
use super::request;
use crate::config::ChannelConfig;

/// How one kind of request is done.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) exchange: Exchange,
    /// `None`: the one of the operation.
    pub(crate) filter: Option<Filter>,
    pub(crate) router: Router,
    operations: Vec<Action>,
    item_types: Vec<String>,
}

/// What an exchange works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// The published row, with packages and earlier deliveries.
    Content,
    /// The item as it stands: no packages, nothing of what went before.
    Basic,
}

/// Where deliveries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Router {
    /// To the consumers that each subscriber's configuration asks for.
    Default,
    /// One subscriber's deliveries are all in one line, whatever its configuration says.
    Serial,
}

/// The channels of a site.
pub(crate) struct Channels {
    configured: Vec<Channel>,
    usual: Channel,
}

impl Channels {
    /// # Errors
    /// `Invalid` with the name that is not registered.
    pub(crate) fn read(config: &[ChannelConfig]) -> Result<Self> {
        let configured = config.iter().map(Channel::read).collect::<Result<_>>()?;
        let usual = Channel {
            name: "content".to_owned(),
            exchange: Exchange::Content,
            filter: None,
            router: Router::Default,
            operations: Vec::new(),
            item_types: Vec::new(),
        };
        Ok(Self { configured, usual })
    }

    /// The channel of a request.
    pub(crate) fn pick(&self, action: Action, item: &Value) -> &Channel {
        let kind = item.get("type").and_then(Value::as_str).unwrap_or("text");
        self.configured.iter().find(|channel| channel.takes(action, kind)).unwrap_or(&self.usual)
    }
}

impl Channel {
    fn read(config: &ChannelConfig) -> Result<Self> {
        let unknown = |what: &str, name: &str| {
            let place = format!("publishing.channels '{}'", config.name);
            Error::invalid(format!("{place}: there is no {what} '{name}'"))
        };
        let exchange = match config.exchange.as_str() {
            "" | "content" => Exchange::Content,
            "basic" | "default" => Exchange::Basic,
            name => return Err(unknown("exchange", name)),
        };
        let router = match config.router.as_str() {
            "" | "default" => Router::Default,
            "serial" => Router::Serial,
            name => return Err(unknown("router", name)),
        };
        let filter = match config.filter.as_str() {
            "" => None,
            name => Some(Filter::named(name).ok_or_else(|| unknown("filter", name))?),
        };
        if !matches!(config.formatter.as_str(), "" | "default") {
            return Err(unknown("formatter", &config.formatter));
        }
        let operation = |name: &String| request::named(name).ok_or_else(|| unknown("operation", name));
        Ok(Self {
            name: config.name.clone(),
            exchange,
            filter,
            router,
            operations: config.operations.iter().map(operation).collect::<Result<_>>()?,
            item_types: config.item_types.clone(),
        })
    }

    fn takes(&self, action: Action, kind: &str) -> bool {
        (self.operations.is_empty() || self.operations.contains(&action))
            && (self.item_types.is_empty() || self.item_types.iter().any(|own| own == kind))
    }

    /// The filter for an operation.
    pub(crate) fn filter(&self, action: Action) -> Filter {
        self.filter.unwrap_or_else(|| Filter::of(action))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(name: &str) -> ChannelConfig {
        ChannelConfig { name: name.to_owned(), ..ChannelConfig::default() }
    }

    #[test]
    fn the_first_channel_that_fits_is_taken() {
        let pictures = ChannelConfig {
            item_types: vec!["picture".to_owned()],
            operations: vec!["publish".to_owned()],
            filter: "default".to_owned(),
            exchange: "basic".to_owned(),
            ..config("pictures")
        };
        let channels = Channels::read(&[pictures]).unwrap();
        let check = |action, kind: &str, name: &str, filter: Filter| {
            let channel = channels.pick(action, &json!({"type": kind}));
            assert_eq!((channel.name.as_str(), channel.filter(action)), (name, filter));
        };
        check(Action::Publish, "picture", "pictures", Filter::Default);
        check(Action::Correct, "picture", "content", Filter::Corrected);
        check(Action::Publish, "text", "content", Filter::Content);
        check(Action::Takedown, "text", "content", Filter::Killed);
        check(Action::Resend, "text", "content", Filter::Resend);
    }

    #[test]
    fn names_that_nobody_has_registered_are_told() {
        for wrong in [
            ChannelConfig { exchange: "x".to_owned(), ..config("c") },
            ChannelConfig { filter: "x".to_owned(), ..config("c") },
            ChannelConfig { formatter: "x".to_owned(), ..config("c") },
            ChannelConfig { router: "x".to_owned(), ..config("c") },
            ChannelConfig { operations: vec!["x".to_owned()], ..config("c") },
        ] {
            let told = Channels::read(&[wrong]).err().unwrap().to_string();
            assert!(told.contains("'c'") && told.contains("'x'"), "{told}");
        }
    }
}
