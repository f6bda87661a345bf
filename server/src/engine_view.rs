//! `GET /api/admin/engine`: what the storage below has done and holds, for administrators.
//!
//! The same reading feeds `/metrics`.

use axum::extract::State;
use axum::response::IntoResponse;
use dateline_engine::{Error, Statistics};
use serde_json::{Value, json};

use crate::app::App;
use crate::http::{Access, Answer, Doc, Routes};

pub(crate) fn routes() -> Routes {
    let doc = Doc::new("Levels, stalls, caches and column families", "operations", Access::Administrator);
    Routes::new().get("/api/admin/engine", engine, doc.answer(200, "Engine")).schema(
        "Engine",
        json!({
            "type": "object",
            "required": ["seq", "epoch", "families", "written", "space", "syncs", "compaction", "stalls", "cache", "memory"],
            "properties": {
                "seq": {"type": "integer", "description": "last durable sequence of the log"},
                "epoch": {"type": "integer"},
                "poisoned": {"type": ["string", "null"], "description": "why writes are refused"},
                "waiting": {"type": "integer", "description": "requests waiting for the writer"},
                "commits": {"type": "object", "description": "groups, changes, bytes, syncs since the opening"},
                "families": {
                    "type": "array",
                    "description": "column families: name, keys, levels (level, files, bytes), blob_bytes, memtable_bytes, debt_bytes",
                    "items": {"type": "object"},
                },
                "written": {"type": "object", "description": "bytes since the opening, and amplification: flushed and compacted bytes for each byte of a batch"},
                "space": {"type": "object", "description": "bytes on disk, and amplification: for each live byte"},
                "syncs": {"type": "object", "description": "fsyncs by kind, and durable: how long a group took, in microseconds"},
                "compaction": {"type": "object", "description": "debt_bytes, running, flushing, read_bytes"},
                "stalls": {"type": "object", "description": "us held back, stopped now, delayed_bytes_per_s now"},
                "cache": {"type": "object", "description": "capacity_bytes, hits and misses"},
                "filters": {"type": "object", "description": "useful, positive, true_positive"},
                "damaged_families": {"type": "array", "items": {"type": "string"}, "description": "column families that are merged no more, because bytes of theirs cannot be read"},
                "scrub": {"type": "object", "description": "the search for damage: the pass under way and the last one that ended (began, ended, keys, bytes, damaged, damage: the first 20 places), or null"},
                "memory": {"type": "object", "description": "bytes by owner; the cache includes the memtables"},
            },
        }),
    )
}

async fn engine(State(app): State<App>) -> Answer {
    let read = app.clone();
    // Sizes are read under locks of the storage, and from its list of files.
    let body = app.scan(move |_| view(&read)).await?;
    Ok(axum::Json(body).into_response())
}

fn view(app: &App) -> Result<Value, Error> {
    let store = app.store();
    let (statistics, health) = (store.statistics()?, store.health());
    let mut body = told(&statistics)?;
    body["seq"] = store.watermark().durable().seq.get().into();
    body["epoch"] = store.epoch().get().into();
    body["poisoned"] = health.poisoned.into();
    body["waiting"] = health.waiting.into();
    body["damaged_families"] = json!(health.damaged);
    body["scrub"] = app.scrub().told();
    let commits = health.commits;
    body["commits"] = json!({
        "groups": commits.groups, "changes": commits.changes, "bytes": commits.bytes, "syncs": commits.syncs,
    });
    Ok(body)
}

/// The reading with the ratios that are made of it.
fn told(statistics: &Statistics) -> Result<Value, Error> {
    let mut body = serde_json::to_value(statistics)
        .map_err(|error| Error::internal(format!("statistics as JSON: {error}")))?;
    body["written"]["amplification"] = json!(statistics.written.amplification());
    body["space"]["amplification"] = json!(statistics.space.amplification());
    body["cache"]["hit_ratio"] = json!(statistics.cache.hit_ratio());
    body["syncs"]["total"] = statistics.syncs.total().into();
    Ok(body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Running, bearer};

    #[tokio::test]
    async fn administrators_see_the_engine() {
        let server = Running::start().await;
        server.add_user("root", "correct horse battery", "administrator").await;
        server.add_user("plain", "correct horse battery", "user").await;
        assert_eq!(server.get("/api/admin/engine", &[]).await.status, 401);
        let plain = bearer(&server.sign_in("plain", "correct horse battery").await["token"]);
        assert_eq!(server.get("/api/admin/engine", &[("authorization", &plain)]).await.status, 403);
        let root = bearer(&server.sign_in("root", "correct horse battery").await["token"]);
        let seen = server.get("/api/admin/engine", &[("authorization", &root)]).await;
        assert_eq!(seen.status, 200, "{:?}", seen.body);
        let body = seen.json();
        let families = body["families"].as_array().unwrap();
        assert!(families.iter().any(|family| family["name"] == "heads" && family["levels"].is_array()));
        assert!(body["written"]["batch_bytes"].as_u64() > Some(0), "{body}");
        assert!(body["written"]["amplification"].is_number(), "{body}");
        assert!(body["syncs"]["durable"]["count"].as_u64() > Some(0), "{body}");
        assert_eq!(body["cache"]["capacity_bytes"], 8 << 20);
        assert_eq!((&body["poisoned"], &body["stalls"]["stopped"]), (&json!(null), &json!(false)));
    }
}
