//! The content API: items as subscribers read them for themselves, by a token of their own.
//!
//! **In.** [`store`] makes the item of a publish, [`lineage`] its place in the chain of its updates; both go into the
//! commit of the deliveries. [`expiry`] takes out what is old. **Out.** [`access`] says who asks, [`allowance`] how
//! often; [`asked`] checks what is asked for; [`reading`], [`versions`] and [`assets`] find it, [`shown`] leaves out
//! what is not the subscriber's, and [`audit`] writes down what it got. [`newsroom`] looks at the same items from
//! inside.

mod access;
mod allowance;
mod asked;
mod assets;
mod audit;
mod expiry;
mod fields;
mod lineage;
mod listing;
mod newsroom;
mod reading;
mod shown;
mod store;
mod versions;

use serde_json::json;

pub(super) use allowance::{Allowances, Rate};
pub(crate) use expiry::{EXPIRY_LANE, RemoveExpired};
pub(super) use store::{Stored, stored};
pub(super) use versions::VERSIONS_MAX;

use crate::http::{Access, Doc, Param, Routes};

const LIST: &[Param] = &[
    Param::new("start_date", "string", "YYYY-MM-DD; seven days before the end without it"),
    Param::new("end_date", "string", "YYYY-MM-DD, the whole day; today without it"),
    Param::new("q", "string", "full-text query"),
    Param::new("default_operator", "string", "what a blank between two words of q means: AND, or OR"),
    Param::new("service", "string", "a code, or a list of them in JSON"),
    Param::new("subject", "string", "a code, or a list of them in JSON"),
    Param::new("genre", "string", "a code, or a list of them in JSON"),
    Param::new("urgency", "string", "a number, or a list of them in JSON"),
    Param::new("priority", "string", "a number, or a list of them in JSON"),
    Param::new("type", "string", "a type, or a list of them in JSON"),
    Param::new("version", "string", "the number of the last version, or a list of them in JSON"),
    Param::new("item_source", "string", "a source, or a list of them in JSON"),
    Param::new("related_to", "string", "guid of an item that is referred to, or a list of them in JSON"),
    Param::new("related_source", "string", "source of one, or a list of them in JSON"),
    Param::new("where", "string", "Mongo-style condition in JSON"),
    Param::new("filter", "string", "Mongo-style condition in JSON, or a list of them"),
    Param::new("sort", "string", "fields by comma, '-' before a descending one; -versioncreated without it"),
    Param::new("page", "integer", "from 1"),
    Param::new("max_results", "integer", "items on a page, 0 to 500, 25 without it"),
];
const FIELDS: &[Param] = &[
    Param::new("include_fields", "string", "members to show, by comma"),
    Param::new("exclude_fields", "string", "members to leave out, by comma"),
];

const VERSION: &[Param] = &[Param::new("version", "string", "the item as it was in this version")];
const NEWSROOM: &[Param] = &[
    Param::new("subscribers", "string", "a subscriber, or a list of them in JSON"),
    Param::new("aggregations", "string", "0: nothing is counted by value"),
];

/// Routes of the content API, and of the tokens for it.
pub(super) fn routes() -> Routes {
    // The token is of a subscriber, not of a user: the handlers ask for it themselves.
    let doc = |summary| Doc::new(summary, "content API", Access::Public).query(FIELDS);
    let inside = |summary| Doc::new(summary, "content API", Access::Privilege("search_capi")).query(FIELDS);
    let tokens = |summary| Doc::new(summary, "subscribers", Access::Privilege("subscribers"));
    Routes::new()
        .schema("ContentItem", json!({"type": "object", "required": ["uri"]}))
        .schema("ContentList", json!({
            "type": "object", "required": ["_items", "_meta", "_links"],
            "properties": {"_items": {"type": "array", "items": {"$ref": "#/components/schemas/ContentItem"}}},
        }))
        .schema("NewToken", json!({
            "type": "object", "required": ["subscriber"],
            "properties": {"subscriber": {"type": "string"}, "expiry_days": {"type": "integer", "minimum": 1}},
        }))
        .schema("SubscriberToken", json!({"type": "object", "required": ["_id", "subscriber"]}))
        .get(
            "/contentapi/items",
            reading::all_items,
            doc("Items of a subscriber").query(LIST).answer(200, "ContentList"),
        )
        .get(
            "/contentapi/items/{id}",
            reading::one_item,
            doc("One item").query(VERSION).answer(200, "ContentItem"),
        )
        .get(
            "/contentapi/items/{id}/versions",
            reading::versions_of_item,
            doc("Versions of an item, oldest first").answer(200, "ContentList"),
        )
        .get(
            "/contentapi/packages",
            reading::all_packages,
            doc("Packages of a subscriber").query(LIST).answer(200, "ContentList"),
        )
        .get(
            "/contentapi/packages/{id}",
            reading::one_package,
            doc("One package").query(VERSION).answer(200, "ContentItem"),
        )
        .get(
            "/contentapi/packages/{id}/versions",
            reading::versions_of_package,
            doc("Versions of a package, oldest first").answer(200, "ContentList"),
        )
        .get(
            "/contentapi/assets/{id}",
            assets::asset,
            Doc::new("A file of an item of the subscriber; takes Range and If-Range", "content API", Access::Public)
                .answer_as(200, "application/octet-stream", Some("Bytes"))
                .answer_as(206, "application/octet-stream", Some("Bytes"))
                .empty(304)
                .empty(416),
        )
        .get(
            "/contentapi/search",
            reading::search,
            doc("Items and packages of a subscriber").query(LIST).answer(200, "ContentList"),
        )
        .get(
            "/api/search_capi",
            newsroom::search,
            inside("Items of all subscribers, as the newsroom names things")
                .query(LIST)
                .query(NEWSROOM)
                .answer(200, "ContentList"),
        )
        .get(
            "/api/search_capi/{id}",
            newsroom::one,
            inside("One of them").query(VERSION).answer(200, "ContentItem"),
        )
        .post(
            "/api/subscriber_token",
            access::create,
            tokens("A token for the content API, shown this once").request("NewToken").answer(201, "SubscriberToken"),
        )
        .delete("/api/subscriber_token/{id}", access::revoke, tokens("End a token").empty(204))
        .delete(
            "/api/subscribers/{id}/tokens",
            access::revoke_all,
            Doc::new("End all tokens of a subscriber", "subscribers", Access::Administrator).empty(204),
        )
}
