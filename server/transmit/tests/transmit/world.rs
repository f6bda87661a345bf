//! A site and its rows.

use dateline_transmit::egress::{Allowance, Egress, Policy};
use dateline_transmit::{
    Body, Code, Destination, Failure, MediaProvider, NoMedia, Receipt, Site, Transmission, Transmitters,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the clock of every test says, in seconds since 1970.
pub(crate) const NOW: i64 = 1_769_740_856;

/// A site that may reach these addresses and nothing else that is not public.
pub(crate) fn site(allow: &[SocketAddr]) -> Site {
    guarded(Policy {
        allow: allow.iter().copied().map(Allowance::of).collect(),
        own: Vec::new(),
        file_roots: Vec::new(),
    })
}

pub(crate) fn site_with_root(root: PathBuf) -> Site {
    guarded(Policy { allow: Vec::new(), own: Vec::new(), file_roots: vec![root] })
}

pub(crate) fn guarded(policy: Policy) -> Site {
    Site {
        egress: Egress::new(policy),
        authorities_pem: None,
        mail: None,
        odbc: BTreeMap::new(),
        http_answer_max: Duration::from_secs(1),
        ftp_max: Duration::from_secs(20),
        clock: Arc::new(|| jiff::Timestamp::from_second(NOW).unwrap()),
    }
}

/// Version 2 of an item, with sequence number 7.
pub(crate) fn transmission(delivery_type: &str, config: Value, body: &str) -> Transmission {
    Transmission {
        item_id: "urn:newsml:example:2026:item".to_owned(),
        item_version: 2,
        published_seq_num: 7,
        subscriber_id: "subscriber".to_owned(),
        destination: Destination {
            name: "destination".to_owned(),
            format: "ninjs".to_owned(),
            delivery_type: delivery_type.to_owned(),
            config: config.into(),
        },
        body: Body::text(body),
        is_in_package: false,
    }
}

pub(crate) async fn send(site: &Site, transmission: &Transmission) -> Result<Receipt, Failure> {
    send_with(site, transmission, &NoMedia).await
}

pub(crate) async fn send_with(
    site: &Site,
    transmission: &Transmission,
    media: &dyn MediaProvider,
) -> Result<Receipt, Failure> {
    Transmitters::standard(site).unwrap().send(transmission, media).await
}

/// A failure of this code, told apart by whether another attempt can help.
#[track_caller]
pub(crate) fn check(result: Result<Receipt, Failure>, code: Code, is_retryable: bool) -> Failure {
    let failure = result.expect_err("it was sent");
    assert_eq!((failure.code, failure.is_retryable()), (code, is_retryable), "{failure:?}");
    failure
}

/// A refusal of the guard: no word for everybody, a reason for operators.
#[track_caller]
pub(crate) fn check_denied(result: Result<Receipt, Failure>, code: Code, reason: &str) {
    let failure = check(result, code, false);
    assert_eq!(failure.message, "destination not allowed");
    let said = failure.reason.unwrap();
    assert!(said.contains(reason), "{said:?} does not say {reason:?}");
}
