//! Routes beside those of every resource.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use dateline_engine::{Condition, Document, Durability, ErrorKind, Transaction};
use dateline_formats::{Fields, Item, parse_time, wire_time};
use dateline_ingest::{Code, Service, routing};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::fetching::{Fetched, Fetcher, Trouble};
use super::{clock, object, of};
use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{json as text, patch};
use crate::http::{Access, Answer, Doc, ObjectBody, RawBody, Refusal, Routes};
use crate::ids;
use crate::macros::Call;
use crate::publishing::now;
use crate::queues::until_ended;
use crate::resources::answer::{self, As};
use crate::resources::target::Id;
use crate::resources::{Prefer, find, missing};

/// An ingested item that changes all the time.
const TRIES: usize = 5;
/// Longest wait for the end of a run.
const WAIT: std::time::Duration = std::time::Duration::from_secs(90);

/// Routes of ingest.
pub(crate) fn routes() -> Routes {
    let list = |summary| Doc::new(summary, "ingest_providers", Access::SignedIn).answer(200, "Named");
    Routes::new()
        .schema("Named", json!({"type": "object", "required": ["_items"]}))
        .schema("Fetch", json!({
            "type": "object", "required": ["desk"], "additionalProperties": false,
            "properties": {
                "desk": {"type": "string"}, "stage": {"type": "string"}, "state": {"type": "string"}, "macro": {"type": "string"},
            },
        }))
        .schema("RunNow", json!({"type": "object", "additionalProperties": false}))
        .schema("SchemeTest", json!({
            "type": "object", "required": ["scheme"],
            "properties": {"scheme": {"type": ["object", "string"]}, "now": {"type": "string"}},
        }))
        .schema("SchemeTested", json!({"type": "object", "required": ["rules"]}))
        .post(
            "/api/ingest_providers/{id}/ingest",
            run_now,
            Doc::new(
                "Ask a provider now and wait for the end; 202 when that takes too long",
                "ingest_providers",
                Access::Privilege("ingest_providers"),
            )
            .request("RunNow")
            .answer(200, "Job")
            .answer(202, "Job"),
        )
        .post(
            "/api/ingest/{id}/fetch",
            fetch,
            Doc::new("Make an item of the newsroom of an ingested one", "ingest", Access::Privilege("fetch"))
                .request("Fetch")
                .answer(201, "Document"),
        )
        .post(
            "/api/routing_schemes/test",
            test,
            Doc::new(
                "Which rules of a scheme are in their time",
                "routing_schemes",
                Access::Privilege("routing_schemes"),
            )
            .request("SchemeTest")
            .answer(200, "SchemeTested"),
        )
        .get("/api/feeding_services_allowed", services, list("How providers can be asked, with their settings"))
        .get("/api/feed_parsers_allowed", parsers, list("Formats that can be read"))
        .get("/api/ingest_rule_handlers", handlers, list("Handlers of routing rules"))
        .get("/api/ingest_errors", errors, list("Numbers of errors, for critical ones"))
}

fn told(status: StatusCode, body: &Value) -> Answer {
    let mut response = answer::json_bytes(body.to_string().into_bytes());
    *response.status_mut() = status;
    Ok(response)
}

/// The job of a run, and what became of it. While a run is on its way, that one is waited for.
async fn run_now(State(app): State<App>, Id(id): Id, headers: HeaderMap, RawBody(_): RawBody) -> Answer {
    let providers = app.resources().get("ingest_providers")?;
    let document = find(&app, &providers, &id)?.ok_or_else(|| missing(&providers, &id))?;
    let body = answer::body_of(&document)?;
    if body.get("is_closed") == Some(&Value::Bool(true)) {
        return Err(Problem::new(Slug::StateConflict, "the provider is closed").status(412).into());
    }
    let transaction = Transaction::new(Prefer::of(&headers).durability).enqueue(clock::job(&id));
    let receipt = app.commit(transaction).await?;
    let job = receipt.jobs.first().copied();
    let job = job.ok_or_else(|| Problem::new(Slug::Internal, "the commit made no job"))?;
    let (mut body, has_ended) = match until_ended(&app, job, WAIT).await.map_err(Refusal::into_problem) {
        Ok(shown) => (shown.job, shown.has_ended),
        // It was over before anybody looked.
        Err(problem) if problem.status_code() == 404 => {
            (json!({"_id": job.to_string(), "state": "done"}), true)
        }
        Err(problem) => return Err(problem.into()),
    };
    let state = super::state::read(&app, &id)?;
    for name in ["last_run", "last_error"] {
        body[name] = state.get(name).cloned().unwrap_or(Value::Null);
    }
    body["provider"] = id.into();
    told(if has_ended { StatusCode::OK } else { StatusCode::ACCEPTED }, &body)
}

/// `POST /api/ingest/{id}/fetch {"desk", "stage"?, "state"?, "macro"?}` -> 201 the new item.
///
/// # Errors
/// 404 for an unknown item, 400 for an unknown desk or macro, 412 for an item that was killed, 409 when the macro stops it, 422
/// and 502 when the macro fails.
async fn fetch(
    State(app): State<App>,
    principal: Principal,
    Id(id): Id,
    headers: HeaderMap,
    ObjectBody(asked): ObjectBody,
) -> Answer {
    let wanted = Item::from(&asked);
    let desk = wanted.text("desk").to_owned();
    if desk.is_empty() {
        return Err(Problem::new(Slug::ValidationFailed, "desk is required")
            .issue("desk", json!({"required": 1}))
            .into());
    }
    let macro_name = Some(wanted.text("macro").to_owned()).filter(|name| !name.is_empty());
    if let Some(reason) = macro_name.as_deref().and_then(|name| app.macros().check(name).err()) {
        return Err(Problem::new(Slug::ValidationFailed, reason.as_str()).issue("macro", reason).into());
    }
    let stage = Some(wanted.text("stage").to_owned()).filter(|stage| !stage.is_empty());
    let state = match wanted.text("state") {
        "" => "fetched".to_owned(),
        state @ ("fetched" | "routed") => state.to_owned(),
        state => {
            let problem = Problem::new(Slug::ValidationFailed, "an item is fetched or routed");
            return Err(problem.issue("state", format!("unallowed value {state}")).into());
        }
    };
    let fetching = Fetching {
        user: principal.user.as_str().to_owned(),
        id,
        desk,
        stage,
        state,
        durability: Prefer::of(&headers).durability,
    };
    let made = fetched(&app, fetching, macro_name.as_deref()).await?;
    let archive = app.resources().get("archive")?;
    let document = find(&app, &archive, &made)?.ok_or_else(|| missing(&archive, &made))?;
    answer::document(&archive.name, &document, As::Created, false, &[])
}

/// What somebody fetches.
#[derive(Clone)]
struct Fetching {
    user: String,
    /// The id of the ingested item.
    id: String,
    desk: String,
    stage: Option<String>,
    state: String,
    durability: Durability,
}

/// The ingested item as it was, and the new one that is made of it.
struct Making {
    document: Document,
    fields: Fields,
    fetched: Fetched,
    now: Timestamp,
}

/// Fetches an item and gives the id of the new one. While a macro is asked somebody may change the item: then again.
async fn fetched(app: &App, fetching: Fetching, macro_name: Option<&str>) -> Result<String, Refusal> {
    let call_id = ids::new_id(app.store().now())?;
    for attempt in 1..=TRIES {
        let (used, asked) = (app.clone(), fetching.clone());
        let mut making = app.scan(move |_| made(&used, &asked)).await?;
        if let Some(name) = macro_name {
            let item = &making.fetched.item;
            let (desk, stage) = (fetching.desk.as_str(), Some(making.fetched.stage.as_str()));
            let call = Call { item, desk, stage, cause: "fetch", id: call_id.as_str() };
            let outcome = app.macros().run(app, name, &call).await;
            let outcome = outcome.map_err(|trouble| trouble.into_problem("macro"))?;
            if let Some(reason) = outcome.onto(&mut making.fetched.item) {
                let detail = format!("the macro stopped the item: {reason}");
                return Err(Problem::new(Slug::StateConflict, detail).into());
            }
        }
        let id = making.fetched.id.clone();
        match app.commit(stored(app, &fetching, making)?).await {
            Err(error) if error.kind() == ErrorKind::Conflict && attempt < TRIES => {}
            done => return done.map(|_| id).map_err(|error| crate::resources::told(error).into()),
        }
    }
    Err(Problem::new(Slug::Conflict, "the item changes all the time").into())
}

fn made(app: &App, fetching: &Fetching) -> Result<Making, Problem> {
    let ingest = app.resources().get("ingest")?;
    let id = fetching.id.as_str();
    let document = find(app, &ingest, id)?.ok_or_else(|| missing(&ingest, id))?;
    let Some(fields) = object(app.store(), ingest.collection, id)? else {
        return Err(missing(&ingest, id));
    };
    if Item::from(&fields).text("state") != "ingested" {
        return Err(Problem::new(Slug::StateConflict, "Workflow transition is invalid.").status(412));
    }
    let now = now(app.store());
    let fetcher = Fetcher { app, user: &fetching.user, state: &fetching.state, now };
    let fetched = fetcher.fetch(document.id.as_str(), &fields, &fetching.desk, fetching.stage.as_deref());
    let fetched = fetched.map_err(|trouble| match trouble {
        Trouble::Because(reason) => {
            Problem::new(Slug::ValidationFailed, reason.as_str()).issue("desk", reason)
        }
        Trouble::Store(error) => error.into(),
    })?;
    Ok(Making { document, fields, fetched, now })
}

/// The new item, and that the old one was fetched.
fn stored(app: &App, fetching: &Fetching, making: Making) -> Result<Transaction, Problem> {
    let ingest = app.resources().get("ingest")?;
    let Making { document, mut fields, fetched, now } = making;
    let fetcher = Fetcher { app, user: &fetching.user, state: &fetching.state, now };
    let transaction = fetcher.add(Transaction::new(fetching.durability), fetched)?;
    fields.insert("archived".to_owned(), wire_time(now).into());
    let version = patch::version(&fields) + 1;
    patch::set_version(&mut fields, version);
    let (bytes, condition) = (text::encode(&fields), Condition::Revision(document.revision()));
    Ok(match document.expires {
        Some(end) => transaction.put_until(ingest.collection, document.id, condition, bytes, end),
        None => transaction.put(ingest.collection, document.id, condition, bytes),
    })
}

/// `POST /api/routing_schemes/test {"scheme": id or document, "now"?}` -> `{"rules": [{"name", "scheduled"}]}`.
async fn test(State(app): State<App>, ObjectBody(asked): ObjectBody) -> Answer {
    let mut scheme: Fields = match asked.get("scheme") {
        Some(Value::Object(scheme)) => scheme.clone(),
        Some(Value::String(id)) => {
            let schemes = app.resources().get("routing_schemes")?;
            object(app.store(), schemes.collection, id)?.ok_or_else(|| missing(&schemes, id))?
        }
        _ => {
            return Err(Problem::new(Slug::ValidationFailed, "scheme is required")
                .issue("scheme", json!({"required": 1}))
                .into());
        }
    };
    routing::check(&mut scheme)
        .map_err(|why| Problem::new(Slug::ValidationFailed, why.as_str()).issue("scheme", why))?;
    let at = match Item::from(&asked).text("now") {
        "" => now(app.store()),
        text => parse_time(text).ok_or_else(|| {
            Problem::new(Slug::ValidationFailed, "now is no time").issue("now", "must be a time")
        })?,
    };
    let names = Item::from(&scheme).objects("rules").map(|rule| rule.text("name").to_owned());
    let rules = names.zip(routing::scheduled(&scheme, at));
    let rules: Vec<Value> = rules.map(|(name, is_in)| json!({"name": name, "scheduled": is_in})).collect();
    told(StatusCode::OK, &json!({"rules": rules}))
}

async fn services() -> Answer {
    let all = Service::ALL.into_iter().map(|service| {
        let fields = service.settings().iter().map(|(id, label, kind, is_needed)| {
            json!({"id": id, "label": label, "type": kind, "required": is_needed})
        });
        json!({"feeding_service": service.key(), "label": service.label(), "fields": fields.collect::<Vec<_>>()})
    });
    told(StatusCode::OK, &json!({"_items": all.collect::<Vec<_>>()}))
}

async fn parsers(State(app): State<App>) -> Answer {
    let all =
        of(&app).parsers.iter().map(|parser| json!({"feed_parser": parser.key(), "label": parser.label()}));
    told(StatusCode::OK, &json!({"_items": all.collect::<Vec<_>>()}))
}

async fn handlers() -> Answer {
    let handler = json!({"_id": routing::HANDLER, "name": "Desk Fetch/Publish"});
    told(StatusCode::OK, &json!({"_items": [handler]}))
}

async fn errors() -> Answer {
    let all = Code::ALL.iter().map(|(code, text)| json!({"code": code.number(), "text": text}));
    told(StatusCode::OK, &json!({"_items": all.collect::<Vec<_>>()}))
}
