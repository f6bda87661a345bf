//! `/api/ws`: the log and positions over a WebSocket (RFC 6455), for apps that do both on one connection.
//!
//! What a subscription is told is what `/api/stream` tells ([`super::telling`]); a socket adds that there can be many,
//! that the client says how much may be under way, and that a name keeps its place. No compression: the library has none.

mod closing;
mod command;
mod line;
mod rate;
mod session;
mod subscription;
mod words;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::UPGRADE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde_json::json;

use crate::app::App;
use crate::auth::tickets;
use crate::eve::problem::{Problem, Slug};
use crate::http::peer::Held;
use crate::http::{Access, Answer, Doc, Param, Routes};
use crate::streams::caller::Caller;
use crate::streams::connections::Kind;
use session::Session;

/// The subprotocol.
const PROTOCOL: &str = "dateline.v1.json";
/// Of a socket that says nothing this is most of what it takes up.
const READ_BUFFER_BYTES: usize = 4 << 10;
/// Bytes that are written together.
const WRITE_BUFFER_BYTES: usize = 16 << 10;

/// Routes of sockets.
pub(super) fn routes() -> Routes {
    const SOCKET: &[Param] = &[Param::new(
        "ticket",
        "string",
        "of POST /api/ws/tickets, where no header can be set; good once, for 30 s",
    )];
    Routes::new()
        .schema(
            "SocketTicket",
            json!({
                "type": "object", "required": ["ticket", "expires_in_s"],
                "properties": {"ticket": {"type": "string"}, "expires_in_s": {"type": "integer"}},
            }),
        )
        .get(
            "/api/ws",
            open,
            Doc::new("Subscriptions and positions over a WebSocket, dateline.v1.json", "log", Access::Ticket)
                .query(SOCKET)
                .empty(101)
                .empty(426),
        )
        .post(
            "/api/ws/tickets",
            ticket,
            Doc::new("A ticket for a socket", "log", Access::SignedIn).answer(201, "SocketTicket"),
        )
}

/// `GET /api/ws`.
async fn open(
    State(app): State<App>,
    caller: Caller,
    held: Option<Extension<Held>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let mut response = Problem::new(Slug::UpgradeRequired, rejection.body_text()).into_response();
            response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
            return Ok(response);
        }
    };
    if upgrade.requested_protocols().next().is_some()
        && !upgrade.requested_protocols().any(|protocol| protocol == PROTOCOL)
    {
        let detail = format!("Sec-WebSocket-Protocol: only {PROTOCOL} is spoken here");
        return Err(Problem::new(Slug::BadRequest, detail).into());
    }
    let seat = app.connections().take(Kind::Socket, &caller, "", app.store().now())?;
    let waited_for = app.sockets();
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(command::BYTES_MAX)
        .max_frame_size(command::BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _kept = (held, waited_for);
        Session::new(app, socket, caller, seat).run().await;
    }))
}

/// `POST /api/ws/tickets`.
async fn ticket(State(app): State<App>, caller: Caller) -> Answer {
    let now = app.store().now();
    let ticket = app.auth().tickets().issue(&caller.principal.user, &caller.credentials, now)?;
    let body = json!({"ticket": ticket, "expires_in_s": tickets::LIFE_MS / 1_000});
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}
