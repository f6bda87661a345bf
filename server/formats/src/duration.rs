//! Lengths of sound and moving pictures.

use crate::item::Item;

/// Whole seconds of `filemeta.duration`, which is `H:M:S`, with or without a fraction, or a number of seconds. None when
/// it is missing, unreadable or zero.
pub(crate) fn seconds(filemeta: Item<'_>) -> Option<u64> {
    let text = filemeta.scalar("duration");
    let whole = text.split('.').next()?;
    let mut total = 0_u64;
    let parts: Vec<&str> = whole.split(':').collect();
    if parts.len() > 3 {
        return None;
    }
    for part in parts {
        total = total.checked_mul(60)?.checked_add(part.trim().parse().ok()?)?;
    }
    Some(total).filter(|&seconds| seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_tools_write() {
        for (duration, expected) in [
            (json!("0:01:03.880000"), Some(63)),
            (json!("1:00:00"), Some(3600)),
            (json!("02:05"), Some(125)),
            (json!(12.7), Some(12)),
            (json!("0:00:00.4"), None),
            (json!("long"), None),
            (json!("1:2:3:4"), None),
            (json!("99999999999999999999"), None),
        ] {
            let metadata = json!({ "duration": duration });
            assert_eq!(seconds(Item::of(&metadata).unwrap()), expected, "{metadata}");
        }
    }
}
