//! Subjects, services, genres, companies and signals: names with codes of a scheme.

use crate::context::{Site, translated};
use crate::item::{Fields, Item};
use serde_json::{Value, json};

/// `{code, name, scheme}` for each entry, without what is empty.
pub(super) fn of(item: Item<'_>, field: &str, site: &Site) -> Vec<Value> {
    let language = site.language_of(item);
    let concepts = item.objects(field).map(|concept| {
        let mut out = Fields::new();
        put(&mut out, "code", &concept.first_scalar(["qcode", "code"]));
        put(&mut out, "name", translated(concept, "name", language));
        put(&mut out, "scheme", concept.text("scheme"));
        Value::Object(out)
    });
    concepts.collect()
}

fn put(out: &mut Fields, field: &str, text: &str) {
    if !text.is_empty() {
        out.insert(field.to_owned(), text.into());
    }
}

/// Companies with the names they are traded under.
pub(super) fn organisations(item: Item<'_>) -> Vec<Value> {
    if item.has("company_codes") {
        let companies = item.objects("company_codes").map(|company| {
            json!({
                "name": company.text("name"),
                "rel": "Securities Identifier",
                "symbols": [{"ticker": company.scalar("qcode"), "exchange": company.text("security_exchange")}],
            })
        });
        return companies.collect();
    }
    match item.scalar("company") {
        company if company.is_empty() => Vec::new(),
        company => vec![json!({ "name": company })],
    }
}

const SIGNALS: &str = "http://cv.iptc.org/newscodes/signal/";

/// Signals to the recipient's systems.
pub(super) fn signals(item: Item<'_>) -> Vec<Value> {
    let legal = item
        .flag("marked_for_legal")
        .then(|| json!({"name": "Content Warning", "code": "cwarn", "scheme": SIGNALS}));
    let own = item.objects("signal").map(|signal| {
        let qcode = signal.scalar("qcode");
        let (scheme, code) = match qcode.split_once(':') {
            Some(("sig", code)) => (SIGNALS, code),
            Some((prefix, code)) => (prefix, code),
            None => (signal.text("scheme"), qcode.as_str()),
        };
        json!({"name": signal.text("name"), "code": code, "scheme": scheme})
    });
    legal.into_iter().chain(own).collect()
}
