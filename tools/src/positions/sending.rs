//! Sends batches over some connections and keeps count.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

use super::recorded::Recorded;
use super::workload::Fleet;
use super::{Args, Fix, Format, packed};

/// Batches that wait for a connection.
const WAITING_MAX: usize = 64;
/// How often a refused batch is tried again before it counts as failed.
const TRIES_MAX: u32 = 20;

/// Who sends, where to, and in which form.
#[derive(Clone)]
pub(super) struct Sender {
    http: Http<HttpConnector, Full<Bytes>>,
    url: String,
    token: String,
    format: Format,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Report {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) requests: u64,
    /// Answers that asked to wait.
    pub(super) refused: u64,
    pub(super) failed: u64,
    /// Of the first failure.
    pub(super) first: String,
    bytes: u64,
    micros: Vec<u64>,
    elapsed: Duration,
}

impl Sender {
    pub(super) async fn connect(args: &Args) -> Result<Self, String> {
        let http = Http::builder(TokioExecutor::new()).build_http();
        let url = args.url.trim_end_matches('/').to_owned();
        let mut sender = Self { http, url, token: String::new(), format: args.format };
        sender.token = match (&args.token, &args.password) {
            (Some(token), _) => token.clone(),
            (None, Some(password)) => sender.sign_in(password).await?,
            (None, None) => return Err("give a --token or the --password of admin".to_owned()),
        };
        Ok(sender)
    }

    async fn sign_in(&self, password: &str) -> Result<String, String> {
        let credentials = json!({"username": "admin", "password": password}).to_string();
        let (status, body) = self.post("/api/auth", "application/json", credentials.into()).await?;
        let token = body.get("token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| format!("sign-in: {status} {body}"))
    }

    async fn post(&self, path: &str, media_type: &str, body: Bytes) -> Result<(u16, Value), String> {
        let mut request = Request::post(format!("{}{path}", self.url)).header("content-type", media_type);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let response = self.http.request(request).await.map_err(|error| format!("{}: {error}", self.url))?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// Sends a made-up fleet.
    pub(super) async fn drive(&self, mut fleet: Fleet, args: &Args) -> Result<Report, String> {
        let (count, rate) = (usize::try_from(args.batch).unwrap_or(500), args.rate);
        let (began, began_ms) = (Instant::now(), now_ms());
        let (batches, sent) = self.start(args.connections);
        let mut fixes = 0_u64;
        while began.elapsed() < Duration::from_secs(args.seconds) {
            if let Some(rate) = rate {
                let due = began + Duration::from_secs_f64(fixes as f64 / rate as f64);
                tokio::time::sleep_until(due.into()).await;
            }
            fixes += count as u64;
            // A thread that is busy making fixes must not keep answers from being read.
            let batch = tokio::task::block_in_place(|| fleet.batch(count, began_ms));
            if batches.send(batch).await.is_err() {
                break;
            }
        }
        drop(batches);
        finish(sent, began).await
    }

    /// Plays what was recorded.
    pub(super) async fn play(&self, recorded: Recorded, args: &Args) -> Result<Report, String> {
        if !(args.speed > 0.0 && args.speed.is_finite()) {
            return Err(format!("--speed {} is not above 0", args.speed));
        }
        let count = usize::try_from(args.batch).unwrap_or(500);
        let (began, began_ms) = (Instant::now(), now_ms());
        let first_ms = recorded.first_ms();
        let (batches, sent) = self.start(args.connections);
        for (after_ms, mut batch) in recorded.batches(count) {
            let due = began + Duration::from_secs_f64(after_ms as f64 / 1_000.0 / args.speed);
            tokio::time::sleep_until(due.into()).await;
            if !args.keep_times {
                let moved = |at_ms: u64| began_ms + ((at_ms - first_ms) as f64 / args.speed) as u64;
                batch.iter_mut().for_each(|fix| fix.at_ms = moved(fix.at_ms));
            }
            if batches.send(batch).await.is_err() {
                break;
            }
        }
        drop(batches);
        finish(sent, began).await
    }

    /// Connections that send what they are given.
    fn start(&self, connections: usize) -> (mpsc::Sender<Vec<Fix>>, Vec<tokio::task::JoinHandle<Report>>) {
        let (batches, taken) = mpsc::channel::<Vec<Fix>>(WAITING_MAX);
        let taken = Arc::new(Mutex::new(taken));
        let connection = |_| {
            let (sender, taken) = (self.clone(), Arc::clone(&taken));
            tokio::spawn(async move {
                let mut report = Report::default();
                loop {
                    let batch = taken.lock().await.recv().await;
                    let Some(batch) = batch else { return report };
                    sender.send(&batch, &mut report).await;
                }
            })
        };
        (batches, (0..connections.max(1)).map(connection).collect())
    }

    async fn send(&self, batch: &[Fix], report: &mut Report) {
        let (media_type, body) = self.format.write(batch);
        for _ in 0..TRIES_MAX {
            let asked = Instant::now();
            let outcome = self.post("/api/positions", media_type, body.clone()).await;
            match outcome {
                Ok((202, answer)) => {
                    let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
                    report.accepted += number("accepted");
                    let rejected = answer.get("rejected").and_then(Value::as_array).map_or(0, Vec::len);
                    report.rejected += rejected as u64;
                    report.requests += 1;
                    report.bytes += body.len() as u64;
                    report.micros.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
                    return;
                }
                Ok((429 | 503, _)) => {
                    report.refused += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Ok((status, answer)) => return report.fail(&format!("{status} {answer}")),
                Err(reason) => return report.fail(&reason),
            }
        }
        report.fail("refused too often");
    }
}

async fn finish(sent: Vec<tokio::task::JoinHandle<Report>>, began: Instant) -> Result<Report, String> {
    let mut whole = Report::default();
    for connection in sent {
        let mut part = connection.await.map_err(|error| error.to_string())?;
        whole.accepted += part.accepted;
        whole.rejected += part.rejected;
        whole.requests += part.requests;
        whole.refused += part.refused;
        whole.failed += part.failed;
        whole.bytes += part.bytes;
        whole.micros.append(&mut part.micros);
        if whole.first.is_empty() {
            whole.first = part.first;
        }
    }
    whole.elapsed = began.elapsed();
    whole.micros.sort_unstable();
    Ok(whole)
}

impl Report {
    fn fail(&mut self, reason: &str) {
        self.failed += 1;
        if self.first.is_empty() {
            reason.clone_into(&mut self.first);
        }
    }

    fn quantile_ms(&self, share: f64) -> f64 {
        let place = ((self.micros.len() as f64 * share) as usize).min(self.micros.len().saturating_sub(1));
        self.micros.get(place).map_or(0.0, |micros| *micros as f64 / 1_000.0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64().max(1e-3);
        let (accepted, requests) = (self.accepted as f64, self.requests.max(1) as f64);
        writeln!(f, "accepted   {} ({:.0} a second over {seconds:.1} s)", self.accepted, accepted / seconds)?;
        writeln!(f, "rejected   {}", self.rejected)?;
        writeln!(f, "requests   {} of {:.0} bytes", self.requests, self.bytes as f64 / requests)?;
        writeln!(f, "told to wait {} times, failed {}", self.refused, self.failed)?;
        let times = [0.5, 0.99, 1.0].map(|share| self.quantile_ms(share));
        write!(f, "answers    {:.2} ms median, {:.2} ms p99, {:.2} ms slowest", times[0], times[1], times[2])
    }
}

impl Format {
    fn write(self, batch: &[Fix]) -> (&'static str, Bytes) {
        if self == Self::Packed {
            return ("application/vnd.dateline.positions", packed::encode(batch).into());
        }
        let mut text = String::with_capacity(batch.len() * 120);
        for (index, fix) in batch.iter().enumerate() {
            let before = match (self, index) {
                (Self::Json, 0) => "[",
                (Self::Json, _) => ",",
                _ => "",
            };
            let at =
                jiff::Timestamp::from_millisecond(i64::try_from(fix.at_ms).unwrap_or(0)).unwrap_or_default();
            let device = Value::from(fix.device.as_str());
            let _ = write!(
                text,
                "{before}{{\"device\":{device},\"lon\":{},\"lat\":{},\"at\":\"{at}\"",
                fix.lon, fix.lat
            );
            for (name, number) in [("speed", fix.speed), ("heading", fix.heading)] {
                if let Some(number) = number {
                    let _ = write!(text, ",\"{name}\":{number}");
                }
            }
            text.push('}');
            if self == Self::Ndjson {
                text.push('\n');
            }
        }
        if self == Self::Json {
            text.push(']');
            return ("application/json", text.into());
        }
        ("application/x-ndjson", text.into())
    }
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}
