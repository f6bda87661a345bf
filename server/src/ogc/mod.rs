//! Places for programs that speak OGC API - Features (OGC 17-069r4): maps, desktop GIS, GDAL.
//!
//! A collection here is a resource whose documents have places; devices are shown where they are now. What may be read
//! is what may be read under `/api`, by the same credentials. Read only.

mod base;
mod catalog;
mod feature;
mod items;
mod query;

use serde_json::json;

use crate::http::{Access, Doc, Param, Routes};
use crate::places::{BBOX, geojson};

/// Routes below `/ogc`.
pub(crate) fn routes() -> Routes {
    const ITEMS: &[Param] = &[
        BBOX,
        Param::new(
            "datetime",
            "string",
            "a time, or two with '/' between and '..' for open: of the last change, or of a device's fix",
        ),
        Param::new("limit", "integer", "features on a page, 1 to 500, 100 without it"),
        Param::new("cursor", "string", "opaque token of the next page; follow the link of relation next"),
        Param::new("f", "string", "json: the only form there is"),
    ];
    let public = |summary| Doc::new(summary, "ogc", Access::Public);
    let doc = |summary| Doc::new(summary, "ogc", Access::SignedIn);
    Routes::new()
        .schema(
            "OgcLinks",
            json!({
                "type": "object", "required": ["links"],
                "properties": {"links": {"type": "array", "items": {
                    "type": "object", "required": ["href", "rel"],
                    "properties": {
                        "href": {"type": "string"}, "rel": {"type": "string"}, "type": {"type": "string"},
                        "title": {"type": "string"},
                    },
                }}},
            }),
        )
        .schema(
            "OgcConformance",
            json!({
                "type": "object", "required": ["conformsTo"],
                "properties": {"conformsTo": {"type": "array", "items": {"type": "string"}}},
            }),
        )
        .get("/ogc", catalog::landing, public("Landing page of OGC API - Features").answer(200, "OgcLinks"))
        .get(
            "/ogc/conformance",
            catalog::conformance,
            public("What is conformed to").answer(200, "OgcConformance"),
        )
        .get("/ogc/collections", catalog::collections, doc("Collections of features").answer(200, "OgcLinks"))
        .get(
            "/ogc/collections/{collection}",
            catalog::collection,
            doc("One collection").answer(200, "OgcLinks"),
        )
        .get(
            "/ogc/collections/{collection}/items",
            items::items,
            doc("Features of a collection; any other parameter is a member and the value it must have")
                .query(ITEMS)
                .answer_as(200, geojson::MEDIA_TYPE, None),
        )
        .get(
            "/ogc/collections/{collection}/items/{item}",
            items::item,
            doc("One feature").answer_as(200, geojson::MEDIA_TYPE, None),
        )
}
