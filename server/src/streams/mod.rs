//! The log as clients read it: `/api/changes` in pages, `/api/stream` as server-sent events, `/api/ws` over a socket.
//!
//! All read the same feed through the same [`view::View`], which knows what the reader asked for and may see. A
//! reader is pulled, never pushed: it takes the next piece when its socket has room, so a slow one costs one cursor
//! and delays nobody. Those near the end of the log share what was read and encoded ([`records::Records`]). Positions
//! are `EPOCH-SEQ`; one of another history is answered with a reset (stream) or 410 (changes), never with a silent gap.
//!
//! A reader stays only as long as its token stands, and sees what its rights allow now, not what they allowed when it
//! came: [`reader::Reader`] asks again before anything is given out. Being open does not count as using a session.

mod caller;
mod changes;
mod connections;
mod feeds;
mod named;
mod notices;
mod part;
mod position;
mod presence;
mod reader;
mod records;
pub(crate) mod rights;
mod socket;
pub(crate) mod sse;
mod tailing;
mod telling;
#[cfg(test)]
mod tests;
mod topics;
mod view;
mod window;

use serde_json::json;

use crate::http::{Access, Doc, Param, Routes};

pub(crate) use caller::Caller;
pub(crate) use connections::{Connections, Kind, Seat};
pub(crate) use feeds::{Feeds, routes as feed_routes};
pub(crate) use named::{Holders, cursors_of};
pub(crate) use records::Records;
pub(crate) use tailing::heartbeat;

/// Routes of the log.
pub(crate) fn routes() -> Routes {
    const CHANGES: &[Param] = &[
        Param::new(
            "since",
            "string",
            "read after this: a log sequence (0 without it), EPOCH-SEQ, 'now' or 'earliest'",
        ),
        Param::new(
            "limit",
            "integer",
            "changes at the most, 1 to 10000, 1000 without it; fewer when they are large; groups stay whole",
        ),
        Param::new("collections", "string", "names by comma; all that may be read without it"),
        Param::new("where", "string", "Mongo-style condition on the document, in JSON"),
        Param::new("near", "string", "lon,lat,radius_m: only documents that lie in there; not their order"),
        Param::new("bbox", "string", "west,south,east,north in degrees, in the same way"),
        Param::new("include", "string", "'doc' for the documents, 'meta' (without it) for none"),
        Param::new("wait", "integer", "seconds to wait for a first change, 0 to 60"),
    ];
    const STREAM: &[Param] = &[
        Param::new(
            "topics",
            "string",
            "changes, changes:COLLECTION, matches, fences, notifications, queue; by comma",
        ),
        Param::new(
            "last_event_id",
            "string",
            "resume after this id, where the header Last-Event-ID cannot be set",
        ),
    ];
    Routes::new()
        .schema(
            "Changes",
            json!({
                "type": "object", "required": ["changes", "last_seq", "epoch", "floor"],
                "properties": {
                    "changes": {"type": "array", "items": {"type": "object"}},
                    "last_seq": {"type": "integer"}, "epoch": {"type": "integer"}, "floor": {"type": "integer"},
                },
            }),
        )
        .get(
            "/api/changes",
            changes::read,
            Doc::new("Read the log", "log", Access::SignedIn)
                .query(CHANGES)
                .answer(200, "Changes")
                .answer_as(200, "application/x-ndjson", None),
        )
        .get(
            "/api/stream",
            sse::stream,
            Doc::new("Follow the log as server-sent events", "log", Access::SignedIn)
                .query(STREAM)
                .answer_as(200, "text/event-stream", None),
        )
        .merge(socket::routes())
        .merge(named::routes())
        .merge(presence::routes())
}
