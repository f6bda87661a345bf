//! Routes beside those of every resource.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use dateline_engine::{Condition, Durability, Transaction};
use dateline_formats::{Fields, Item, parse_time, wire_time};
use dateline_ingest::{Code, Service, routing};
use serde_json::{Value, json};

use super::fetching::{Fetcher, Trouble};
use super::{clock, object, of};
use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{json as text, patch};
use crate::http::{Access, Answer, Doc, ObjectBody, RawBody, Refusal, Routes};
use crate::publishing::now;
use crate::queues::until_ended;
use crate::resources::answer::{self, As};
use crate::resources::target::Id;
use crate::resources::{Prefer, find, missing};

/// Longest wait for the end of a run.
const WAIT: std::time::Duration = std::time::Duration::from_secs(90);

/// Routes of ingest.
pub(crate) fn routes() -> Routes {
    let list = |summary| Doc::new(summary, "ingest_providers", Access::SignedIn).answer(200, "Named");
    Routes::new()
        .schema("Named", json!({"type": "object", "required": ["_items"]}))
        .schema("Fetch", json!({
            "type": "object", "required": ["desk"], "additionalProperties": false,
            "properties": {"desk": {"type": "string"}, "stage": {"type": "string"}, "state": {"type": "string"}},
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

/// `POST /api/ingest/{id}/fetch {"desk", "stage"?, "state"?}` -> 201 the new item.
///
/// # Errors
/// 404 for an unknown item, 400 for an unknown desk, 412 for an item that was killed.
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
    if wanted.has("macro") {
        let problem = Problem::new(Slug::ValidationFailed, "macros are not supported");
        return Err(problem.issue("macro", "unallowed").into());
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
    let (used, durability) = (app.clone(), Prefer::of(&headers).durability);
    let made = app.scan(move |_| {
        fetched(&used, principal.user.as_str(), &id, &desk, stage.as_deref(), &state, durability)
    });
    let made = made.await?;
    let archive = app.resources().get("archive")?;
    let document = find(&app, &archive, &made)?.ok_or_else(|| missing(&archive, &made))?;
    answer::document(&archive.name, &document, As::Created, false, &[])
}

fn fetched(
    app: &App,
    user: &str,
    id: &str,
    desk: &str,
    stage: Option<&str>,
    state: &str,
    durability: Durability,
) -> Result<String, Problem> {
    let ingest = app.resources().get("ingest")?;
    let document = find(app, &ingest, id)?.ok_or_else(|| missing(&ingest, id))?;
    let Some(mut fields) = object(app.store(), ingest.collection, id)? else {
        return Err(missing(&ingest, id));
    };
    if Item::from(&fields).text("state") != "ingested" {
        return Err(Problem::new(Slug::StateConflict, "Workflow transition is invalid.").status(412));
    }
    let now = now(app.store());
    let fetcher = Fetcher { app, user, state, now };
    let made = fetcher.fetch(document.id.as_str(), &fields, desk, stage, &mut |_| {});
    let made = made.map_err(|trouble| match trouble {
        Trouble::Because(reason) => {
            Problem::new(Slug::ValidationFailed, reason.as_str()).issue("desk", reason)
        }
        Trouble::Store(error) => error.into(),
    })?;
    let id = made.id.clone();
    let transaction = fetcher.add(Transaction::new(durability), made)?;
    fields.insert("archived".to_owned(), wire_time(now).into());
    let version = patch::version(&fields) + 1;
    patch::set_version(&mut fields, version);
    let (bytes, condition) = (text::encode(&fields), Condition::Revision(document.revision()));
    let transaction = match document.expires {
        Some(end) => transaction.put_until(ingest.collection, document.id.clone(), condition, bytes, end),
        None => transaction.put(ingest.collection, document.id.clone(), condition, bytes),
    };
    app.store().commit(transaction).map_err(crate::resources::told)?;
    Ok(id)
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
