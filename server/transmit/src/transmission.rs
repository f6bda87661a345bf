//! What is sent, and to whom.

use crate::body::Body;
use crate::config::Config;
use crate::digest;

/// One row of the publish queue with its bytes.
///
/// The identity of a row ([`Transmission::id`]) is a function of subscriber, destination, item, version and sequence
/// number. An attempt that is repeated has the same one, so a receiver can drop repeats; a version that is sent again on
/// purpose is a new row with a new sequence number, and arrives.
#[derive(Debug, Clone)]
pub struct Transmission {
    /// Id of the item.
    pub item_id: String,
    /// Version of the item that was published.
    pub item_version: u64,
    /// The number of this row in the subscriber's sequence.
    pub published_seq_num: u64,
    /// Id of the subscriber.
    pub subscriber_id: String,
    /// Where it goes, as it was configured when the row was made.
    pub destination: Destination,
    /// The formatted item.
    pub body: Body,
    /// Whether the item is sent as a part of a package too.
    pub is_in_package: bool,
}

/// A destination of a subscriber.
#[derive(Debug, Clone)]
pub struct Destination {
    /// What people call it.
    pub name: String,
    /// Id of the format the body is in.
    pub format: String,
    /// Key of the transmitter: `http_push`, `ftp`, `File`, `email`, `amazon_sqs_fifo`, `ODBC`. Exact, as it is stored.
    pub delivery_type: String,
    /// The settings of the transmitter.
    pub config: Config,
}

impl Transmission {
    /// The same for every attempt at this row, another for every other row: 35 characters of `[a-z0-9_]`.
    pub fn id(&self) -> String {
        let version = self.item_version.to_string();
        let sequence = self.published_seq_num.to_string();
        let destination = &self.destination;
        digest::identity(&[
            &self.subscriber_id,
            &destination.name,
            &destination.delivery_type,
            &self.item_id,
            &version,
            &sequence,
        ])
    }

    /// Whether its destination is to get the media of the item too.
    pub fn wants_media(&self) -> bool {
        let Destination { delivery_type, config, .. } = &self.destination;
        match delivery_type.as_str() {
            "http_push" => config.text("assets_url").is_some(),
            "ftp" => config.is_on("push_associated", false),
            "email" => config.is_on("attach_media", false),
            _ => false,
        }
    }
}
