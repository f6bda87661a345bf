//! `GET /api/verify`: the comparison, asked for by an administrator.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::response::IntoResponse;
use serde_json::json;

use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Answer, Doc, Routes};

pub(crate) fn routes() -> Routes {
    let doc = Doc::new("Compare log, documents, search and geo", "operations", Access::Administrator);
    Routes::new().get("/api/verify", verify, doc.answer(200, "Verification")).schema(
        "Verification",
        json!({
            "type": "object",
            "required": ["ok", "seq", "differences", "parts"],
            "properties": {
                "ok": {"type": "boolean"},
                "seq": {"type": "integer", "description": "the log sequence it is about"},
                "differences": {"type": "integer"},
                "parts": {
                    "type": "object",
                    "description": "by name: checked, differences, the first of them, and notes",
                    "additionalProperties": {"type": "object"},
                },
            },
        }),
    )
}

/// It reads everything there is, so one of a process is enough.
static IS_RUNNING: AtomicBool = AtomicBool::new(false);

struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        (!IS_RUNNING.swap(true, Ordering::AcqRel)).then_some(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        IS_RUNNING.store(false, Ordering::Release);
    }
}

async fn verify(State(app): State<App>) -> Answer {
    let Some(turn) = Turn::take() else {
        return Err(Problem::new(Slug::Overloaded, "a verification is running already")
            .retry_after(10)
            .into());
    };
    let verified = app.clone();
    let report = app
        .scan(move |_| {
            let report = super::check(&verified, &mut |_, _, _| {});
            drop(turn);
            report
        })
        .await?;
    Ok(axum::Json(report.to_json()).into_response())
}
