//! `POST /api/subscribers/{id}/destinations/{destination}/test`: one item to one destination, now.
//!
//! Nothing is stored and no number is used: the receiver gets number 0.

use std::sync::OnceLock;

use axum::extract::State;
use dateline_formats::{Context, Recipient};
use dateline_transmit::{Body, Config, Destination, Transmission, Transmitters};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::media;
use super::reach;
use super::rows::told;
use super::settling::{Trouble, shown};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Answer, ObjectBody};
use crate::media::Lending;
use crate::publishing::{destinations, exchange, items, related};
use crate::resources::Sight;
use crate::resources::target::Id;

/// Trials at a time: each holds a request while a receiver takes its time.
const TRIALS_MAX: usize = 4;

/// What trials share.
pub(crate) struct Trials {
    /// Made for the first one. Those of the lane belong to its own threads.
    transmitters: OnceLock<Transmitters>,
    permits: Semaphore,
}

impl Trials {
    pub(crate) fn new() -> Self {
        Self { transmitters: OnceLock::new(), permits: Semaphore::new(TRIALS_MAX) }
    }

    /// Reads certificates the first time, so this is for threads that may wait.
    fn transmitters(&self, app: &App) -> dateline_engine::Result<&Transmitters> {
        match self.transmitters.get() {
            Some(made) => Ok(made),
            None => {
                let made = reach::transmitters(app)?;
                Ok(self.transmitters.get_or_init(|| made))
            }
        }
    }
}

/// `{"article_id"? | "article"?}` -> `{"sent": true, "receipt"}` or `{"sent": false, "error"}`. Without an item a short
/// text is sent.
///
/// # Errors
/// 404 when there is no such destination, 400 when its format cannot carry the item, 429 while others are tried.
pub(super) async fn trial(
    State(app): State<App>,
    principal: Principal,
    Id(subscriber): Id,
    uri: axum::http::Uri,
    ObjectBody(asked): ObjectBody,
) -> Answer {
    Sight::of(&principal, Action::Update, "subscribers")?;
    let segment = uri.path().split('/').nth(5).unwrap_or_default();
    let destination = percent_decode_str(segment).decode_utf8_lossy().into_owned();
    let trials = app.publishing().trials();
    let Ok(_permit) = trials.permits.try_acquire() else {
        let detail = format!("{TRIALS_MAX} destinations are being tried; retry");
        return Err(Problem::new(Slug::RateLimited, detail).retry_after(1).into());
    };
    let used = app.clone();
    let transmission = app.scan(move |_| -> Result<_, Problem> {
        used.publishing().trials().transmitters(&used)?;
        transmission(&used, &subscriber, &destination, &asked)
    });
    let (transmission, trouble, item) = transmission.await?;
    if let Some(trouble) = trouble {
        return told(&json!({"sent": false, "error": trouble.message()}));
    }
    let lending = Lending::new(&app, Some(&item));
    let sent = trials.transmitters(&app)?.send(&transmission, &lending).await;
    told(&match sent {
        Ok(receipt) => json!({"sent": true, "receipt": shown(&receipt)}),
        Err(failure) => json!({"sent": false, "error": Trouble::of(&failure).message()}),
    })
}

fn transmission(
    app: &App,
    subscriber: &str,
    destination: &str,
    asked: &Map<String, Value>,
) -> Result<(Transmission, Option<Trouble>, Value), Problem> {
    let (store, collections) = (app.store(), app.publishing().collections());
    let gone = |what: &str| Problem::new(Slug::NotFound, format!("there is no {what}"));
    let document =
        items::find(store, collections.subscribers, subscriber)?.ok_or_else(|| gone("such subscriber"))?;
    let all = document.get("destinations").and_then(Value::as_array);
    let own = all.into_iter().flatten().find(|own| exchange::delivery_of(own) == destination);
    let own = own.ok_or_else(|| gone("such destination"))?;
    let item = match (asked.get("article"), asked.get("article_id").and_then(Value::as_str)) {
        (Some(article @ Value::Object(_)), _) => article.clone(),
        (_, Some(id)) => items::find(store, collections.archive, id)?.ok_or_else(|| gone("such item"))?,
        _ => sample(app),
    };
    let text = |key: &str| own.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let bad = |detail: String| Problem::new(Slug::BadRequest, detail);
    let name = text("format");
    let format = app.publishing().formats().find(&name);
    let format = format.ok_or_else(|| bad(format!("there is no format '{name}'")))?;
    let (site, related) = (app.publishing().site(store)?, related::of(app, &item)?);
    let config = own.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
    let recipient = Recipient { config, embeds: None };
    let now = items::now(store);
    let context = Context { now, sequence: 0, site: &site, related: &related, recipient: &recipient };
    let documents = format.format(&item, &context).map_err(|error| bad(error.to_string()))?;
    let first = documents.into_iter().next().ok_or_else(|| bad("the format gave nothing".to_owned()))?;
    let secret = destinations::with_secrets(store, collections.secrets, &document, own)?;
    let of_item = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or("test").to_owned();
    let transmission = Transmission {
        item_id: of_item("_id"),
        item_version: item.get("_current_version").and_then(Value::as_u64).unwrap_or(0),
        published_seq_num: 0,
        subscriber_id: subscriber.to_owned(),
        destination: Destination {
            name: text("name"),
            format: name,
            delivery_type: text("delivery_type"),
            config: Config::new(secret),
        },
        body: match String::from_utf8(first.bytes) {
            Ok(own) => Body::text(own),
            Err(bytes) => Body::Binary(bytes.into_bytes().into()),
        },
        is_in_package: false,
    };
    let trouble = media::missing(app, &transmission, &item)?;
    Ok((transmission, trouble, item))
}

fn sample(app: &App) -> Value {
    let now = crate::eve::date::format(app.store().now().get());
    json!({
        "_id": "test", "guid": "test", "type": "text", "headline": "Test", "slugline": "test", "pubstatus": "usable",
        "body_html": "<p>This is a test of the delivery.</p>", "firstcreated": now, "versioncreated": now,
        "_current_version": 1, "priority": 6, "urgency": 3, "source": "test", "language": "en",
    })
}
