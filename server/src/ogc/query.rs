//! The parameters of a page of features, in the words of a list.

use serde_json::{Map, Value, json};

use crate::eve::problem::Problem;
use crate::eve::{Params, date};
use crate::resources::Resource;

/// Features on a page without `limit`, and at the most.
const LIMIT_USUAL: u64 = 100;
const LIMIT_MAX: u64 = 500;
/// Members that every document has besides its own.
const SYSTEM: [&str; 3] = ["_id", "_created", "_updated"];
/// Members of a device's last fix.
const OF_DEVICES: [&str; 6] = ["device", "at", "speed", "heading", "accuracy", "fields"];

/// The same question as parameters of `GET /api/{resource}`, or of positions for devices.
///
/// # Errors
/// 400 naming the parameter, also for one that is no member (OGC 17-069r4, 7.15).
pub(super) fn translated(resource: &Resource, params: &Params) -> Result<Params, Problem> {
    let mut pairs = Vec::new();
    let mut conditions = Vec::new();
    for (name, value) in params.iter().filter(|(_, value)| !value.is_empty()) {
        match name {
            "limit" => {}
            "cursor" => pairs.push(("cursor".to_owned(), value.to_owned())),
            "bbox" => pairs.push(("bbox".to_owned(), flat(value)?)),
            "datetime" => conditions.push(within_time(time_member(resource), value)?),
            "f" if matches!(value, "json" | "geojson") => {}
            "f" => return Err(Problem::query("f", "only json can be had")),
            member if is_member(resource, member) => conditions.push(equals(member, value)),
            other => {
                return Err(Problem::query(
                    other,
                    format!("is no parameter or member of '{}'", resource.name),
                ));
            }
        }
    }
    if !conditions.is_empty() {
        pairs.push(("where".to_owned(), json!({"$and": conditions}).to_string()));
    }
    // More than there can be is no error (OGC 17-069r4, 7.15.2).
    let limit = params.number("limit", LIMIT_USUAL, 1, LIMIT_MAX)?;
    pairs.push(("max_results".to_owned(), limit.to_string()));
    Ok(Params::new(pairs))
}

/// Six numbers are a box with heights, which nothing here has.
fn flat(text: &str) -> Result<String, Problem> {
    let numbers: Vec<&str> = text.split(',').map(str::trim).collect();
    match numbers.as_slice() {
        [west, south, _, east, north, _] => Ok([*west, *south, *east, *north].join(",")),
        [_, _, _, _] => Ok(text.to_owned()),
        _ => Err(Problem::query("bbox", "expected four numbers, or six with heights")),
    }
}

fn time_member(resource: &Resource) -> &'static str {
    if resource.name == "devices" { "at" } else { "_updated" }
}

fn within_time(member: &str, text: &str) -> Result<Value, Problem> {
    let refused =
        || Problem::query("datetime", "expected an RFC 3339 time, or two with '/' between, '..' for open");
    let time = |text: &str| match text.trim() {
        "" | ".." => Ok(None),
        text if date::parse_time(text).is_some() => Ok(Some(text.to_owned())),
        _ => Err(refused()),
    };
    let mut bounds = Map::new();
    match text.split_once('/') {
        None => {
            let at = time(text)?.ok_or_else(refused)?;
            bounds.insert("$eq".to_owned(), at.into());
        }
        Some((from, to)) => {
            let (from, to) = (time(from)?, time(to)?);
            bounds.extend(from.map(|from| ("$gte".to_owned(), from.into())));
            bounds.extend(to.map(|to| ("$lte".to_owned(), to.into())));
        }
    }
    Ok(match bounds.is_empty() {
        true => json!({}),
        false => json!({member: bounds}),
    })
}

fn is_member(resource: &Resource, name: &str) -> bool {
    if name.starts_with('$') || matches!(name, "crs" | "bbox-crs" | "filter" | "filter-lang" | "filter-crs") {
        return false;
    }
    if resource.name == "devices" {
        return OF_DEVICES.contains(&name.split('.').next().unwrap_or(name));
    }
    let root = name.split('.').next().unwrap_or(name);
    SYSTEM.contains(&root) || resource.schema.knows(root) || resource.schema.names().next().is_none()
}

/// A text in an address may mean a number or a truth as well.
fn equals(member: &str, text: &str) -> Value {
    let mut values = vec![json!(text)];
    values.extend(
        serde_json::from_str::<Value>(text).ok().filter(|value| value.is_number() || value.is_boolean()),
    );
    json!({member: {"$in": values}})
}
