//! `POST /api/bulk`: many writes in one request, to any resources, one line of NDJSON each.
//!
//! ```text
//! {"op": "create",  "resource": "cars", "doc": {..}}                          an id in the document or in "_id"
//! {"op": "replace", "resource": "cars", "_id": "1", "if_match": "2.7", "doc": {..}}
//! {"op": "patch",   "resource": "cars", "_id": "1", "if_match": "2.7", "doc": {..}}
//! {"op": "delete",  "resource": "cars", "_id": "1", "if_match": "2.7"}
//! ```
//!
//! Each line is a request of its own and is answered by a line of its own, in the same order: lines about one
//! document take effect in their order, the others share commits. With `atomic=true` all lines are one transaction:
//! all are stored or none.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;
use bytes::Bytes;
use dateline_engine::{CollectionId, Document};
use futures_util::future::join_all;
use futures_util::stream;
use serde_json::{Map, Value};

use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Item, Mode, Params, Wording, json, render};
use crate::http::{Answer, RawBody};
use crate::resources::pending::{Checked, Pending, Writer, commit, id_of};
use crate::resources::{Prefer, Query, Resource, answer, idempotency, rules};

/// Bytes of one request at the most.
pub(crate) const BULK_BYTES_MAX: u64 = 32 << 20;
/// Lines of one request at the most.
const LINES_MAX: usize = 100_000;
/// Lines of one transaction at the most.
const ATOMIC_LINES_MAX: usize = 1_000;
/// Lines that are on their way at a time, so that they share commits.
const WINDOW_LINES_MAX: usize = 256;

pub(crate) async fn bulk(
    State(app): State<App>,
    principal: Principal,
    Query(params): Query,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Answer {
    let is_atomic = flag(&params, "atomic")?;
    let lines = lines(&body)?;
    let run = Run { app, principal, prefer: Prefer::of(&headers), headers, lines, at: 0 };
    let out = if is_atomic { Body::from(run.together().await?) } else { Body::from_stream(run.answers()) };
    let mut response = Response::new(out);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

fn flag(params: &Params, name: &str) -> Result<bool, Problem> {
    match params.get(name) {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::query(name, "expected true or false")),
    }
}

fn lines(body: &Bytes) -> Result<Vec<Bytes>, Problem> {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines: Vec<Bytes> = lines.filter(|line| !line.is_empty()).map(|line| body.slice_ref(line)).collect();
    match lines.len() {
        0 => Err(Problem::new(Slug::BadRequest, "the body holds no line")),
        count if count > LINES_MAX => {
            let detail = format!("a request holds at most {LINES_MAX} lines, this one {count}");
            Err(Problem::new(Slug::BodyTooLarge, detail))
        }
        _ => Ok(lines),
    }
}

/// One request at work.
struct Run {
    app: App,
    principal: Principal,
    prefer: Prefer,
    headers: HeaderMap,
    lines: Vec<Bytes>,
    /// The first line that has not been taken.
    at: usize,
}

impl Run {
    /// The answers, some lines at a time. Who goes away before the end leaves the rest undone.
    fn answers(self) -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut run| async move {
            let window = run.window();
            if window.is_empty() {
                return None;
            }
            let mut out = Vec::with_capacity(window.len() * 256);
            let work = window.iter().map(|(index, line)| run.answer(*index, line));
            join_all(work).await.iter().for_each(|answer| out.extend_from_slice(answer));
            Some((Ok(out.into()), run))
        })
    }

    /// The next lines that may be on their way together: none names a document that another names, and the
    /// definition of a collection stands alone.
    fn window(&mut self) -> Vec<(usize, Result<Line, Problem>)> {
        let mut window = Vec::new();
        let mut named = HashSet::new();
        while let Some(text) = self.lines.get(self.at) {
            let line = Line::parse(text, self.app.config().limits.body_bytes_max);
            let stands_alone = line.as_ref().is_ok_and(|line| line.resource == "collections");
            let name = line.as_ref().ok().and_then(Line::name);
            let waits = stands_alone || name.as_ref().is_some_and(|name| named.contains(name));
            if waits && !window.is_empty() {
                break;
            }
            named.extend(name);
            window.push((self.at, line));
            self.at += 1;
            if stands_alone || window.len() >= WINDOW_LINES_MAX {
                break;
            }
        }
        window
    }

    async fn answer(&self, index: usize, line: &Result<Line, Problem>) -> Vec<u8> {
        let done = match line {
            Ok(line) => self.write(index, line).await,
            Err(problem) => Err(problem.clone()),
        };
        done.unwrap_or_else(|problem| told(index, &problem))
    }

    async fn write(&self, index: usize, line: &Line) -> Result<Vec<u8>, Problem> {
        let resource = self.app.resources().get(&line.resource)?;
        let once = match idempotency::key(&self.headers)? {
            Some(key) => {
                let key = format!("{key}/{index}");
                let body = Value::Object(line.document.clone());
                Some(idempotency::bound(&key, &self.principal, &Method::POST, &line.target(), &body))
            }
            None => None,
        };
        if let Some(remembered) =
            once.as_ref().map(|once| self.app.store().recall(once)).transpose()?.flatten()
        {
            let written = idempotency::first_answer(&self.app, &[resource.collection], remembered.seq)?;
            return rendered(index, line.op, &resource, written.first());
        }
        let _turn = rules::turn(&self.app, &resource, line.op == Op::Create).await;
        let pending = self
            .pending(line, &resource)
            .await?
            .map_err(|issues| Problem::validation(&issues, Wording::Codes))?;
        let written = commit(&self.app, vec![pending], self.prefer, once).await?;
        rendered(index, line.op, &resource, written.first())
    }

    async fn pending(&self, line: &Line, resource: &Arc<Resource>) -> Result<Checked, Problem> {
        let writer = Writer { app: &self.app, principal: &self.principal, resource };
        let (document, if_match) = (line.document.clone(), line.if_match.as_deref());
        match (line.op, line.id.as_deref()) {
            (Op::Create, None) => writer.create(document).await,
            (Op::Create, Some(id)) => writer.create_as(id_of(id)?, document).await,
            (_, None) => {
                Err(Problem::new(Slug::BadRequest, "'_id' is missing").issue("_id", "required field"))
            }
            (Op::Replace, Some(id)) => writer.change(id, if_match, document, Mode::Replace).await,
            (Op::Patch, Some(id)) => writer.change(id, if_match, document, Mode::Patch).await,
            (Op::Delete, Some(id)) => writer.remove(id, if_match).await.map(Ok),
        }
    }

    /// All lines in one transaction.
    async fn together(self) -> Result<Vec<u8>, Problem> {
        if self.lines.len() > ATOMIC_LINES_MAX {
            let detail = format!("one transaction takes at most {ATOMIC_LINES_MAX} lines");
            return Err(Problem::new(Slug::BodyTooLarge, detail));
        }
        let once = match idempotency::key(&self.headers)? {
            Some(key) => {
                let body = Value::Array(self.lines.iter().map(|line| text_of(line)).collect());
                Some(idempotency::bound(&key, &self.principal, &Method::POST, "bulk", &body))
            }
            None => None,
        };
        let lines = self.checked()?;
        let resources = lines.iter().map(|line| self.app.resources().get(&line.resource));
        let resources: Vec<Arc<Resource>> = resources.collect::<Result<_, _>>()?;
        let own: Vec<CollectionId> = resources.iter().map(|resource| resource.collection).collect();
        let earlier = once.as_ref().map(|once| self.app.store().recall(once)).transpose()?.flatten();
        let written = match earlier {
            Some(remembered) => idempotency::first_answer(&self.app, &own, remembered.seq)?,
            None => {
                // In the order of their names, so that two such requests never wait for each other.
                let shared = resources.iter().filter_map(|own| Some((rules::shared_turn(&own.name)?, own)));
                let mut turns = Vec::new();
                for resource in shared.collect::<BTreeMap<_, _>>().into_values() {
                    turns.extend(rules::turn(&self.app, resource, false).await);
                }
                let pending = self.all_pending(&lines, &resources).await?;
                commit(&self.app, pending, self.prefer, once).await?
            }
        };
        let mut out = Vec::with_capacity(lines.len() * 256);
        for (index, (line, resource)) in lines.iter().zip(&resources).enumerate() {
            out.extend(rendered(index, line.op, resource, written.get(index))?);
        }
        Ok(out)
    }

    /// Lines that one transaction can hold.
    fn checked(&self) -> Result<Vec<Line>, Problem> {
        let (mut lines, mut named, mut failed) = (Vec::new(), HashSet::new(), Vec::new());
        let mut changes_user = false;
        for (index, text) in self.lines.iter().enumerate() {
            let line = Line::parse(text, self.app.config().limits.body_bytes_max).and_then(|line| {
                let twice = line.name().is_some_and(|name| !named.insert(name));
                // A rule about all users is held against the store, which does not know of the lines before.
                let changed_before = changes_user;
                changes_user |= line.resource == "users";
                match line.resource.as_str() {
                    _ if twice => {
                        Err(Problem::new(Slug::BadRequest, "an earlier line names the same document"))
                    }
                    "collections" => Err(Problem::new(Slug::BadRequest, "a collection is defined alone")),
                    "users" if changed_before => {
                        Err(Problem::new(Slug::BadRequest, "one transaction takes one user"))
                    }
                    _ => Ok(line),
                }
            });
            match line {
                Ok(line) => lines.push(line),
                Err(problem) => failed.push((index, problem)),
            }
        }
        if failed.is_empty() { Ok(lines) } else { Err(none_stored(&failed)) }
    }

    async fn all_pending(
        &self,
        lines: &[Line],
        resources: &[Arc<Resource>],
    ) -> Result<Vec<Pending>, Problem> {
        let (mut pending, mut failed) = (Vec::with_capacity(lines.len()), Vec::new());
        for (index, (line, resource)) in lines.iter().zip(resources).enumerate() {
            match self.pending(line, resource).await {
                Ok(Ok(write)) => pending.push(write),
                Ok(Err(issues)) => failed.push((index, Problem::validation(&issues, Wording::Codes))),
                Err(problem) => failed.push((index, problem)),
            }
        }
        if failed.is_empty() { Ok(pending) } else { Err(none_stored(&failed)) }
    }
}

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Create,
    Replace,
    Patch,
    Delete,
}

impl Op {
    const ALL: [(&'static str, Self); 4] = [
        ("create", Self::Create),
        ("replace", Self::Replace),
        ("patch", Self::Patch),
        ("delete", Self::Delete),
    ];
}

#[derive(Clone, Debug, PartialEq)]
struct Line {
    op: Op,
    resource: String,
    id: Option<String>,
    if_match: Option<String>,
    document: Map<String, Value>,
}

impl Line {
    fn parse(text: &[u8], bytes_max: u64) -> Result<Self, Problem> {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let mut members = match json::parse(text, &json::Limits::BODY.with_bytes(bytes_max))? {
            Value::Object(members) => members,
            other => {
                let detail = format!("expected an object, found {}", json::name(&other));
                return Err(Problem::new(Slug::BadRequest, detail));
            }
        };
        let op = take_text(&mut members, "op")?.ok_or_else(|| missing("op"))?;
        let Some((_, op)) = Op::ALL.into_iter().find(|(name, _)| *name == op) else {
            let detail = format!("op '{op}' is none of create, replace, patch, delete");
            return Err(Problem::new(Slug::BadRequest, detail).issue("op", "unallowed value"));
        };
        let document = match members.shift_remove("doc") {
            Some(Value::Object(document)) if op != Op::Delete => document,
            None if op == Op::Delete => Map::new(),
            None => return Err(missing("doc")),
            Some(_) => {
                let what = if op == Op::Delete { "delete takes no document" } else { "must be of dict type" };
                return Err(Problem::new(Slug::BadRequest, format!("doc: {what}")).issue("doc", what));
            }
        };
        let line = Self {
            op,
            resource: take_text(&mut members, "resource")?.ok_or_else(|| missing("resource"))?,
            id: take_text(&mut members, "_id")?,
            if_match: take_text(&mut members, "if_match")?,
            document,
        };
        match members.keys().next() {
            Some(name) => Err(Problem::new(Slug::BadRequest, format!("unknown member '{name}'"))
                .issue(name, "unknown field")),
            None => Ok(line),
        }
    }

    /// The document it is about, if it says so.
    fn name(&self) -> Option<(String, String)> {
        let inside = || self.document.get("_id").and_then(Value::as_str);
        let id = self.id.as_deref().or_else(inside)?;
        Some((self.resource.clone(), id.to_owned()))
    }

    /// What an idempotency key is bound to, beside the document.
    fn target(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{}/{}/{:?}/{}", self.resource, part(&self.id), self.op, part(&self.if_match))
    }
}

fn take_text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Problem> {
    match members.shift_remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => {
            let issue = "must be of string type";
            Err(Problem::new(Slug::BadRequest, format!("{name} {issue}")).issue(name, issue))
        }
    }
}

fn missing(name: &str) -> Problem {
    Problem::new(Slug::BadRequest, format!("'{name}' is missing")).issue(name, "required field")
}

fn text_of(line: &[u8]) -> Value {
    String::from_utf8_lossy(line).into_owned().into()
}

fn rendered(
    index: usize,
    op: Op,
    resource: &Resource,
    document: Option<&Document>,
) -> Result<Vec<u8>, Problem> {
    let document = document.ok_or_else(|| Problem::new(Slug::Internal, "the write left no document"))?;
    let status = match op {
        Op::Create => 201,
        Op::Replace | Op::Patch => 200,
        Op::Delete => 204,
    };
    let extras = [("index", Value::from(index)), ("status", Value::from(status))];
    let tag = answer::tag(document);
    let item = Item::written(answer::meta(document, &tag), &resource.name).with(&extras);
    let version = match document.deleted {
        true => None,
        false => answer::body_of(document)?.get("_version").and_then(Value::as_u64),
    };
    let mut out = Vec::with_capacity(256);
    render::minimal(&mut out, version, &item);
    out.push(b'\n');
    Ok(out)
}

fn told(index: usize, problem: &Problem) -> Vec<u8> {
    let problem = problem.clone().with("index", index).to_json();
    format!("{problem}\n").into_bytes()
}

/// The first failure names the status; `_issues` tells of each by its line.
fn none_stored(failed: &[(usize, Problem)]) -> Problem {
    let Some((index, first)) = failed.first() else {
        return Problem::new(Slug::Internal, "nothing failed");
    };
    let detail = format!("line {index}: {}; no line was stored", first.detail());
    let issues = failed.iter().map(|(index, problem)| {
        let body = problem.to_json();
        let issues =
            body.get("_issues").filter(|issues| issues.as_object().is_some_and(|map| !map.is_empty()));
        (index.to_string(), issues.cloned().unwrap_or_else(|| problem.detail().into()))
    });
    Problem::new(first.slug(), detail).status(first.status_code()).issues(issues.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_what_is_wrong_with_them() {
        let check = |text: &str, field: &str| {
            let problem = Line::parse(text.as_bytes(), 1 << 20).unwrap_err().to_json();
            assert!(problem.pointer(&format!("/_issues/{field}")).is_some(), "{text}: {problem}");
        };
        check(r#"{"resource": "a", "doc": {}}"#, "op");
        check(r#"{"op": "upsert", "resource": "a", "doc": {}}"#, "op");
        check(r#"{"op": "create", "doc": {}}"#, "resource");
        check(r#"{"op": "create", "resource": 1, "doc": {}}"#, "resource");
        check(r#"{"op": "create", "resource": "a"}"#, "doc");
        check(r#"{"op": "delete", "resource": "a", "_id": "1", "doc": {}}"#, "doc");
        check(r#"{"op": "create", "resource": "a", "doc": {}, "if-match": "x"}"#, "if-match");
        for text in ["[]", "1", "{", "\u{1}"] {
            assert!(Line::parse(text.as_bytes(), 1 << 20).is_err(), "{text}");
        }
        let line =
            Line::parse(br#"{"op": "create", "resource": "a", "doc": {"_id": "7"}}"#, 1 << 20).unwrap();
        assert_eq!(line.name(), Some(("a".to_owned(), "7".to_owned())));
    }
}
