//! `/livez` and `/readyz`: whether the process turns, and whether it can serve.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use dateline_engine::Tail;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::http::{Access, Answer, Doc, Param, Routes};

/// A follower that is further behind than this many records is not ready.
const LAG_MAX: u64 = 1_000_000;

/// Where a follower stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowerState {
    /// It is exact up to and including here.
    pub at: Tail,
    /// Why it has stopped, if it has.
    pub failed: Option<String>,
    /// Whether it also follows the positions lane.
    pub positions: bool,
}

impl FollowerState {
    /// Of a follower that has ended with its app.
    pub(crate) fn gone() -> Self {
        Self { at: Tail::default(), failed: Some("it has ended".to_owned()), positions: false }
    }

    /// Records between the follower and the tail.
    #[must_use]
    pub fn lag(&self, tail: Tail) -> u64 {
        let changes = tail.seq.get().saturating_sub(self.at.seq.get());
        let positions = tail.positions.get().saturating_sub(self.at.positions.get());
        changes + if self.positions { positions } else { 0 }
    }
}

#[derive(Deserialize)]
struct Verbose {
    verbose: Option<String>,
}

pub(crate) fn routes() -> Routes {
    const VERBOSE: &[Param] = &[Param::new("verbose", "string", "each check by name, and the followers")];
    let doc = |summary| Doc::new(summary, "operations", Access::Public);
    Routes::new()
        .get("/livez", live, doc("Whether the process turns").answer(200, "Health"))
        .get(
            "/readyz",
            ready,
            doc("Whether it can serve").query(VERBOSE).answer(200, "Health").answer(503, "Health"),
        )
        .schema(
            "Health",
            json!({
                "type": "object",
                "required": ["status"],
                "properties": {
                    "status": {
                        "enum": ["ok", "read-only", "damaged", "failed"],
                        "description": "with status 200: read-only, the disk is nearly full; damaged, some stored bytes cannot be read"
                    },
                    "seq": {"type": "integer", "description": "last durable sequence of the log"},
                    "epoch": {"type": "integer"},
                    "followers": {"type": "object", "description": "by name: seq, and lag in records"},
                    "checks": {"type": "object", "description": "by name: ok, and detail"}
                }
            }),
        )
}

async fn live() -> axum::Json<Value> {
    axum::Json(json!({"status": "ok"}))
}

async fn ready(State(app): State<App>, Query(query): Query<Verbose>) -> Answer {
    let tail = app.store().watermark().durable();
    let followers = app.followers();
    let checks = checks(&app, tail, &followers);
    let failed = |wanted: &str| checks.iter().any(|(name, result)| result.is_err() && name == wanted);
    let ok = checks.iter().all(|(name, result)| result.is_ok() || name == "disk" || name == "damage");
    // With little room it still serves reads, deletes and acks; taken out of service it could not make room. With
    // a damaged block it serves everything else.
    let status = match (ok, failed("disk"), failed("damage")) {
        (false, ..) => "failed",
        (true, true, _) => "read-only",
        (true, false, true) => "damaged",
        (true, false, false) => "ok",
    };
    let mut body = json!({"status": status});
    if query.verbose.is_some_and(|value| !matches!(value.as_str(), "0" | "false")) {
        body["seq"] = tail.seq.get().into();
        body["epoch"] = app.store().epoch().get().into();
        body["followers"] = followers
            .iter()
            .map(|(name, state)| {
                let mut told = json!({"seq": state.at.seq.get(), "lag": state.lag(tail)});
                if state.positions {
                    told["positions_seq"] = state.at.positions.get().into();
                }
                (name.clone(), told)
            })
            .collect::<Map<_, _>>()
            .into();
        body["checks"] = checks
            .into_iter()
            .map(|(name, result)| {
                (name, json!({"ok": result.is_ok(), "detail": result.unwrap_or_else(|text| text)}))
            })
            .collect::<Map<_, _>>()
            .into();
    }
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, axum::Json(body)).into_response())
}

type Checks = Vec<(String, Result<String, String>)>;

fn checks(app: &App, tail: Tail, followers: &[(String, FollowerState)]) -> Checks {
    let health = app.store().health();
    let engine = health.poisoned.map_or(Ok("takes writes".to_owned()), Err);
    let serving = if *app.draining().borrow() { Err("stopping".to_owned()) } else { Ok("yes".to_owned()) };
    let mut checks = vec![
        ("engine".to_owned(), engine),
        ("intake".to_owned(), Ok(format!("{} waiting", health.waiting))),
        ("serving".to_owned(), serving),
        ("damage".to_owned(), app.scrub().check(&health.damaged)),
    ];
    if let Some(room) = health.room {
        let detail = format!("{} MiB free, {} in reserve", room.free_bytes >> 20, room.reserve_bytes >> 20);
        checks.push(("disk".to_owned(), if room.is_short() { Err(detail) } else { Ok(detail) }));
    }
    for (name, state) in followers {
        let lag = state.lag(tail);
        let result = match &state.failed {
            Some(reason) => Err(format!("stopped: {reason}")),
            None if lag > LAG_MAX => Err(format!("{lag} records behind")),
            None => Ok(format!("{lag} records behind")),
        };
        checks.push((format!("follower {name}"), result));
    }
    checks
}
