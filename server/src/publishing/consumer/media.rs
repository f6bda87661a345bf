//! Media beside an item: lent to transmitters, or the destination that wants them is told why not.

use dateline_engine::Result;
use dateline_transmit::Transmission;
use serde_json::Value;

use super::settling::Trouble;
use crate::app::App;
use crate::media;

/// Why a transmission cannot be sent: its destination wants media, and one of the item is not in the store.
pub(super) fn missing(app: &App, transmission: &Transmission, item: &Value) -> Result<Option<Trouble>> {
    if !transmission.wants_media() {
        return Ok(None);
    }
    let reason = media::cannot_lend(app, item)?;
    Ok(reason.map(|reason| {
        let text = format!(
            "the destination wants the media of the item (assets_url, push_associated, attach_media): {reason}"
        );
        Trouble::lasting(&text)
    }))
}

#[cfg(test)]
mod tests {
    use dateline_transmit::{Body, Destination};
    use serde_json::json;

    use super::*;

    #[test]
    fn who_wants_media_that_are_not_here_is_told() {
        let app = App::builder().open().unwrap();
        let check = |delivery_type: &str, config: Value, item: Value, is_missing: bool| {
            let transmission = Transmission {
                item_id: "i".to_owned(),
                item_version: 1,
                published_seq_num: 1,
                subscriber_id: "s".to_owned(),
                destination: Destination {
                    name: "d".to_owned(),
                    format: "ninjs".to_owned(),
                    delivery_type: delivery_type.to_owned(),
                    config: config.into(),
                },
                body: Body::text("{}".to_owned()),
                is_in_package: false,
            };
            let told = missing(&app, &transmission, &item).unwrap().is_some();
            assert_eq!(told, is_missing, "{delivery_type} {item}");
        };
        let picture = json!({"renditions": {"original": {"href": "h"}}});
        let unknown = json!({"renditions": {"original": {"href": "h", "media": "nobody knows"}}});
        let story = json!({"associations": {"featuremedia": picture, "gone": null}});
        for item in [picture, unknown, story, json!({"attachments": [{"attachment": "a"}]})] {
            check("http_push", json!({"assets_url": "http://h/a"}), item.clone(), true);
            check("ftp", json!({"push_associated": true}), item.clone(), true);
            check("email", json!({"attach_media": true}), item.clone(), true);
            check("http_push", json!({"resource_url": "http://h/i"}), item.clone(), false);
            check("File", json!({"assets_url": "http://h/a"}), item, false);
        }
        for item in
            [json!({}), json!({"renditions": {"original": null}, "attachments": [], "associations": null})]
        {
            check("http_push", json!({"assets_url": "http://h/a"}), item, false);
        }
    }
}
