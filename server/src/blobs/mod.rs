//! Attachments over HTTP: bytes in and out as streams, uploads that go on after a broken connection.
//!
//! A blob is a document of `blobs` (name, type, length, SHA-256, owner) and, under the same id, a manifest of the
//! chunks the engine keeps. An upload is a document of `uploads` with a manifest that grows. A manifest that belongs to
//! neither, nor to a file of `media`, is left over from a request that broke off; [`sweep`] removes it, and then the chunks nobody names.

mod incoming;
mod manifests;
mod raw;
mod serve;
mod source;
mod sweep;
mod upload;

pub(crate) use incoming::{Incoming, Settled};
pub(crate) use manifests::Shelf;
pub(crate) use serve::{Served, disposition, serve};
pub(crate) use source::Source;
pub(crate) use sweep::run as sweep_until;

use serde_json::json;

use crate::http::{Access, Doc, Param, Routes};

const NAMES: &[Param] = &[Param::new("name", "string", "file name, offered again when the blob is read")];

/// The routes. Lists, documents and removal of blobs are those of every resource.
pub(crate) fn routes() -> Routes {
    let doc = |summary| Doc::new(summary, "blobs", Access::SignedIn);
    Routes::new()
        .schema("Bytes", json!({"type": "string", "format": "binary"}))
        .schema("NewUpload", json!({
            "type": "object",
            "properties": {"name": {"type": "string"}, "media_type": {"type": "string"}},
        }))
        .schema("Finish", json!({
            "type": "object",
            "properties": {"sha256": {"type": "string", "description": "64 hexadecimal digits to hold the bytes against"}},
        }))
        .post(
            "/api/blobs",
            upload::whole,
            doc("Store the body; Content-Type is kept, Content-Digest (sha-256) is held against it")
                .query(NAMES)
                .request_as("application/octet-stream", "Bytes")
                .answer(201, "Document")
                .body_max(0),
        )
        .get(
            "/api/blobs/{id}/raw",
            raw::get,
            doc("The bytes; takes Range and If-Range")
                .answer_as(200, "application/octet-stream", Some("Bytes"))
                .answer_as(206, "application/octet-stream", Some("Bytes"))
                .empty(304)
                .empty(416),
        )
        .post(
            "/api/uploads",
            upload::begin,
            doc("Begin an upload in pieces; it ends 24 hours after its last piece")
                .request("NewUpload")
                .answer(201, "Document"),
        )
        .patch(
            "/api/uploads/{id}",
            upload::append,
            doc("Add the body at Upload-Offset; 409 names the offset that is expected")
                .request_as("application/offset+octet-stream", "Bytes")
                .empty(204)
                .body_max(0),
        )
        .post(
            "/api/uploads/{id}/finish",
            upload::finish,
            doc("Make it a blob under the same id").request("Finish").answer(201, "Document"),
        )
}
