//! Dateline by its HTTP interface for external workers.

use std::path::Path;

use bytes::Bytes;
use serde_json::{Value, json};

use super::peer::payload;
use crate::program::{Program, Running};
use crate::wire::{Site, Wire};

/// How clients get in.
pub(super) struct Door(Site);

/// See `peer::Client`.
pub(super) struct Client {
    wire: Wire,
    /// Bodies of the last request, made once: the client must not be what is measured.
    one: Bytes,
    many: (usize, Bytes),
}

pub(super) async fn start(binary: &Path, dir: &Path) -> Result<(Running, Door), String> {
    let program = Program::new(binary, dir.join("data"), dir.join("program.log"));
    let (running, url, _) = program.start()?;
    Ok((running, Door(Site::sign_in(&url).await?)))
}

impl Door {
    pub(super) async fn client(&self) -> Result<Client, String> {
        let wire = self.0.connect().await?;
        Ok(Client { wire, one: job().to_string().into(), many: (0, Bytes::new()) })
    }
}

fn job() -> Value {
    json!({"lane": "bench", "payload": payload()})
}

impl Client {
    pub(super) async fn put(&mut self, jobs: usize) -> Result<(), String> {
        if jobs > 1 && self.many.0 != jobs {
            let bodies: Vec<Value> = std::iter::repeat_with(job).take(jobs).collect();
            self.many = (jobs, Value::from(bodies).to_string().into());
        }
        let body = if jobs == 1 { self.one.clone() } else { self.many.1.clone() };
        self.wire.post("/api/jobs", "application/json", body).await.map(drop)
    }

    pub(super) async fn take(&mut self, max: usize) -> Result<usize, String> {
        let ask = format!(r#"{{"lane":"bench","max":{max},"lease_s":30,"wait_s":1}}"#);
        let leased = self.wire.post("/api/jobs/lease", "application/json", ask.into()).await?;
        let jobs = leased["jobs"].as_array().map_or(&[][..], Vec::as_slice);
        let [first, ..] = jobs else { return Ok(0) };
        if max == 1 {
            let id = first["_id"].as_str().ok_or("a job without an id")?;
            let body = json!({"lease": first["lease"]}).to_string();
            self.wire.post(&format!("/api/jobs/{id}/ack"), "application/json", body.into()).await?;
            return Ok(1);
        }
        let leases: Vec<Value> = jobs.iter().map(|job| json!({"lease": job["lease"]})).collect();
        let body = Value::from(leases).to_string();
        let acked = self.wire.post("/api/jobs/ack", "application/json", body.into()).await?;
        match acked["acked"].as_u64() {
            Some(acked) if acked == jobs.len() as u64 => Ok(jobs.len()),
            _ => Err(format!("of {} jobs were completed: {acked}", jobs.len())),
        }
    }
}
