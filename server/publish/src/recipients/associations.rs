//! Which associated items a recipient may have: those that would reach it by themselves, and those it has already.

use serde_json::Value;

use super::before::Before;
use super::{Recipient, Request};
use crate::filter::{ItemFault, Percolator, Question, TargetMedia};

pub(super) fn add(
    percolator: &Percolator,
    request: Request<'_>,
    before: &Before<'_>,
    recipients: &mut [Recipient],
) -> Result<(), ItemFault> {
    let associated = request.item.get("associations").and_then(Value::as_object);
    let Some(associated) = associated.filter(|_| !recipients.is_empty()) else {
        return Ok(());
    };
    for recipient in recipients.iter_mut() {
        let earlier = before.associations(&recipient.subscriber);
        recipient.associations.extend(earlier.into_iter().flatten().cloned());
    }
    for association in associated.values() {
        let Some(id) = association.get("_id").and_then(Value::as_str) else {
            continue;
        };
        let answer = percolator.recipients(Question {
            item: association,
            now: request.now,
            media: TargetMedia::of_item(association),
            content_api: request.content_api,
        })?;
        for recipient in recipients.iter_mut() {
            let place = answer.taken.binary_search_by(|taken| taken.subscriber.cmp(&recipient.subscriber));
            if place.is_ok() {
                recipient.associations.insert(id.to_owned());
            }
        }
    }
    Ok(())
}
