//! `POST /api/admin/backup`, its stream, and the list of what there is.

use std::collections::HashSet;
use std::path::PathBuf;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use dateline_engine::{BackupWriter, ErrorKind};
use serde_json::{Map, Value, json};

use super::{Turn, place, stream, told, told_taken};
use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::http::{Access, Answer, Doc, ObjectBody, Routes};

/// Names of a hundred thousand files.
const HAVE_BYTES_MAX: u64 = 8 << 20;

pub(crate) fn routes() -> Routes {
    let doc = |summary| Doc::new(summary, "operations", Access::Administrator);
    Routes::new()
        .post(
            "/api/admin/backup",
            create,
            doc("Back up into a directory of the server, below backup.dir").request("BackupRequest").answer(201, "Backup"),
        )
        .post(
            "/api/admin/backup/stream",
            send,
            doc("Back up as a tar archive; files that the receiver has are left out")
                .request("BackupStreamRequest")
                .body_max(HAVE_BYTES_MAX)
                .answer_as(200, "application/x-tar", None),
        )
        .get("/api/admin/backups", list, doc("Backups below backup.dir, and the one being made").answer(200, "Backups"))
        .schema(
            "BackupRequest",
            json!({
                "type": "object",
                "required": ["to"],
                "additionalProperties": false,
                "properties": {"to": {"type": "string", "description": "path below backup.dir; a backup already there gets another generation"}},
            }),
        )
        .schema(
            "BackupStreamRequest",
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {"have": {"type": "array", "items": {"type": "string"}, "description": "names of files the receiver has: NAME-SIZE-CRC32C"}},
            }),
        )
        .schema(
            "Backup",
            json!({
                "type": "object",
                "required": ["to", "generation", "created", "store", "seq", "files", "bytes"],
                "properties": {
                    "to": {"type": "string"},
                    "generation": {"type": "integer"},
                    "created": {"type": "string", "format": "date-time"},
                    "store": {"type": "string"},
                    "store_format": {"type": "integer"},
                    "epoch": {"type": "integer"},
                    "seq": {"type": "integer", "description": "last record of the log in it"},
                    "positions_seq": {"type": "integer"},
                    "log_floor": {"type": "integer", "description": "a restore goes back to the record after it at the most"},
                    "files": {"type": "integer"},
                    "bytes": {"type": "integer"},
                    "files_new": {"type": "integer", "description": "files that no earlier generation had"},
                    "bytes_new": {"type": "integer"},
                },
            }),
        )
        .schema(
            "Backups",
            json!({
                "type": "object",
                "required": ["_items", "running"],
                "properties": {
                    "_items": {"type": "array", "items": {"$ref": "#/components/schemas/Backup"}},
                    "running": {
                        "type": ["object", "null"],
                        "properties": {
                            "to": {"type": ["string", "null"], "description": "null for a stream"},
                            "part": {"enum": ["checkpoint", "read", "copy", "send"]},
                            "done": {"type": "integer", "description": "bytes"},
                            "total": {"type": "integer"},
                        },
                    },
                },
            }),
        )
}

async fn create(State(app): State<App>, ObjectBody(body): ObjectBody) -> Answer {
    only(&body, "to")?;
    let to = match body.get("to") {
        Some(Value::String(to)) => to.clone(),
        Some(_) => return Err(place::wrong("must be of string type").into()),
        None => return Err(place::wrong("required field").into()),
    };
    let dir = place::find(&root(&app)?, &to)?;
    let turn = turn(&app, Some(&to))?;
    let staging = app.checkpoint_dir();
    let taken = app.scan(move |store| {
        let writer = BackupWriter::take(&dir).map_err(|error| match error.kind() {
            // What is there is not a backup of ours.
            ErrorKind::Invalid | ErrorKind::Corrupt => Problem::new(Slug::Conflict, error.to_string()),
            _ => error.into(),
        })?;
        let watch = &mut |part, done, total| turn.at(part, done, total);
        let checkpoint = store.checkpoint(&staging, watch)?;
        Ok::<_, Problem>(writer.add(&checkpoint, watch)?)
    });
    let mut told = told_taken(&taken.await?);
    told["to"] = to.into();
    Ok((StatusCode::CREATED, axum::Json(told)).into_response())
}

async fn send(State(app): State<App>, ObjectBody(body): ObjectBody) -> Answer {
    only(&body, "have")?;
    let have: HashSet<String> = match body.get("have") {
        None => HashSet::new(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(_) => return Err(Problem::new(Slug::ValidationFailed, "have: must be of list type").into()),
    };
    let turn = turn(&app, None)?;
    let staging = app.checkpoint_dir();
    let checkpoint = app.scan(move |store| {
        let checkpoint = store.checkpoint(&staging, &mut |part, done, total| turn.at(part, done, total));
        checkpoint.map(|checkpoint| (checkpoint, turn))
    });
    let (checkpoint, turn) = checkpoint.await?;
    let body = stream::send(checkpoint, turn, move |name| !have.contains(name));
    Ok(([(CONTENT_TYPE, "application/x-tar")], body).into_response())
}

async fn list(State(app): State<App>) -> Answer {
    let running = app.backups().running();
    let root = app.config().backup.dir.clone();
    let items = app.scan(move |_| {
        let mut items = Vec::new();
        for (to, backup) in root.map_or_else(|| Ok(Vec::new()), |root| place::all(&root))? {
            for (generation, manifest) in backup.generations()? {
                let mut item = match manifest {
                    Ok(manifest) => told(&manifest),
                    Err(error) => json!({"generation": generation, "damaged": error.to_string()}),
                };
                item["to"] = to.clone().into();
                items.push(item);
            }
        }
        Ok::<_, dateline_engine::Error>(items)
    });
    Ok(axum::Json(json!({"_items": items.await?, "running": running})).into_response())
}

fn only(body: &Map<String, Value>, known: &str) -> Result<(), Problem> {
    match body.keys().find(|name| *name != known) {
        None => Ok(()),
        Some(other) => Err(Problem::new(Slug::ValidationFailed, format!("{other}: unknown field"))
            .issue(other, "unknown field")),
    }
}

fn root(app: &App) -> Result<PathBuf, Problem> {
    app.config().backup.dir.clone().ok_or_else(|| {
        Problem::new(
            Slug::StateConflict,
            "backup.dir is not configured; set it, or use 'dateline backup create --url', which takes the backup to the caller",
        )
    })
}

fn turn(app: &App, to: Option<&str>) -> Result<Turn, Problem> {
    let busy = || Problem::new(Slug::Overloaded, "a backup is being made already").retry_after(10);
    app.backups().begin(to).ok_or_else(busy)
}
