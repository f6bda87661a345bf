//! A program with subscribers who get everything.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::receiver::Receiver;
use crate::program::{Program, Running};
use crate::wire::{Site, Wire};

/// Connections that publish at once.
const WRITERS: usize = 16;
/// A lane that does not empty is a fault.
const DRAIN_MAX: Duration = Duration::from_secs(300);

/// Who gets items.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) subscribers: usize,
    /// Of each subscriber.
    pub(super) destinations: usize,
    /// Subscribers beside those, who get urgent items only, at one destination: half refuse connections, half never answer.
    pub(super) dead: usize,
}

/// A running program.
pub(super) struct Newsroom {
    site: Site,
    _running: Running,
}

impl Newsroom {
    pub(super) async fn open(
        binary: &Path,
        dir: &Path,
        receiver: &Receiver,
        shape: Shape,
    ) -> Result<Self, String> {
        let mut program = Program::new(binary, dir.join("data"), dir.join("program.log"));
        program.settings.push("egress.allow=127.0.0.1".to_owned());
        let (running, url, _) = program.start()?;
        let site = Site::sign_in(&url).await?;
        let mut wire = site.connect().await?;
        let product = make(&mut wire, "products", &json!({"name": "all", "codes": "all"})).await?;
        let urgent = urgent(&mut wire).await?;
        for number in 0..shape.subscribers + shape.dead {
            let is_dead = number >= shape.subscribers;
            let count = if is_dead { 1 } else { shape.destinations };
            let destinations: Vec<Value> = (0..count)
                .map(|own| {
                    let path = format!("/{number}/{own}");
                    let url = match is_dead {
                        false => receiver.url(&path),
                        true if number % 2 == 0 => receiver.silent(&path),
                        true => receiver.refusing(&path),
                    };
                    json!({"name": own.to_string(), "format": "ninjs", "delivery_type": "http_push",
                        "config": {"resource_url": url}})
                })
                .collect();
            let subscriber = json!({
                "name": format!("subscriber {number}"), "is_active": true, "products": [if is_dead { &urgent } else { &product["_id"] }],
                "subscriber_type": "all", "destinations": destinations,
            });
            make(&mut wire, "subscribers", &subscriber).await?;
        }
        Ok(Self { site, _running: running })
    }

    pub(super) async fn connect(&self) -> Result<Wire, String> {
        self.site.connect().await
    }

    pub(super) async fn pause(&self, lane: &str) -> Result<(), String> {
        self.order(lane, "pause").await
    }

    pub(super) async fn resume(&self, lane: &str) -> Result<(), String> {
        self.order(lane, "resume").await
    }

    async fn order(&self, lane: &str, order: &str) -> Result<(), String> {
        let path = format!("/api/queues/{lane}/{order}");
        self.connect().await?.post(&path, "application/json", "{}".into()).await.map(drop)
    }

    /// Waits until nothing of a lane is to be done, or is being done.
    pub(super) async fn drained(&self, lane: &str, look: Duration) -> Result<(), String> {
        let mut wire = self.connect().await?;
        let work = async {
            loop {
                let told = wire.get(&format!("/api/queues/{lane}")).await?;
                if ["ready", "leased", "delayed", "retrying"].iter().all(|state| told[state] == json!(0)) {
                    return Ok(());
                }
                tokio::time::sleep(look).await;
            }
        };
        tokio::time::timeout(DRAIN_MAX, work).await.map_err(|_| format!("lane {lane} does not empty"))?
    }

    /// Writes and publishes items over several connections.
    pub(super) async fn publish_many(&self, items: usize) -> Result<(), String> {
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let mut wire = self.connect().await?;
            writers.push(tokio::spawn(async move {
                for number in (writer..items).step_by(WRITERS) {
                    let item = made(&mut wire, number, 3).await?;
                    published(&mut wire, &item).await?;
                }
                Ok::<_, String>(())
            }));
        }
        for writer in writers {
            writer.await.map_err(|e| e.to_string())??;
        }
        Ok(())
    }
}

/// The id of a product of urgent items.
async fn urgent(wire: &mut Wire) -> Result<Value, String> {
    let condition = json!({"name": "urgent", "field": "urgency", "operator": "eq", "value": "1"});
    let condition = make(wire, "filter_conditions", &condition).await?;
    let filter = json!({"name": "urgent", "content_filter": [{"expression": {"fc": [condition["_id"]]}}]});
    let filter = make(wire, "content_filters", &filter).await?;
    let product = json!({
        "name": "urgent", "codes": "urgent",
        "content_filter": {"filter_id": filter["_id"], "filter_type": "permitting"},
    });
    Ok(make(wire, "products", &product).await?["_id"].take())
}

/// A story of about 2 KB on a desk.
pub(super) async fn made(wire: &mut Wire, number: usize, urgency: u8) -> Result<Value, String> {
    let body =
        "<p>The bridge over the river is open again after two years of work and many words.</p>".repeat(20);
    let item = json!({
        "type": "text", "headline": format!("Bridge {number} opens"), "slugline": format!("bridge-{number}"),
        "abstract": "It opens.", "state": "in_progress", "body_html": body, "urgency": urgency, "priority": 3,
        "anpa_category": [{"qcode": "a", "name": "National"}],
        "subject": [{"qcode": "04000000", "name": "economy"}],
    });
    make(wire, "archive", &item).await
}

/// Publishes it.
pub(super) async fn published(wire: &mut Wire, item: &Value) -> Result<(), String> {
    let text = |name: &str| item[name].as_str().ok_or_else(|| format!("an item without {name}: {item}"));
    let path = format!("/api/archive/publish/{}", text("_id")?);
    wire.patch(&path, text("_etag")?, &json!({})).await.map(drop)
}

async fn make(wire: &mut Wire, resource: &str, body: &Value) -> Result<Value, String> {
    wire.post(&format!("/api/{resource}"), "application/json", body.to_string().into()).await
}
