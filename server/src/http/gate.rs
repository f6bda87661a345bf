//! Before the handler: host, origin, credentials, access, and the bound of the body, in this order.
//!
//! Runs after routing, so it knows the rule of the route; deny by default: a route without a rule is nobody's.
//! Nothing of the body is read before the caller is known to be allowed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_LENGTH, UPGRADE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};

use super::doc::Access;
use super::origin;
use super::peer::{Connected, Peer};
use super::problem::Refusal;
use super::routes::{RouteTable, Rule};
use crate::app::App;
use crate::auth::credentials::{Carrier, Credentials};
use crate::auth::{Principal, policy};
use crate::eve::problem::{Problem, Slug};

#[derive(Clone)]
pub(crate) struct GateState {
    pub(crate) app: App,
    pub(crate) table: Arc<RouteTable>,
}

pub(crate) async fn gate(State(state): State<GateState>, mut request: Request, next: Next) -> Response {
    match admit(&state, &mut request) {
        Ok(bytes_max) => next.run(bounded(request, bytes_max)).await,
        Err(refusal) => {
            discard(request.into_body()).await;
            refusal.into_response()
        }
    }
}

/// Reads on for a moment after a refusal: most clients read the answer only when they have sent all, and would see
/// a reset connection instead (RFC 9112 9.6).
async fn discard(mut body: Body) {
    const BYTES_MAX: usize = 8 << 20;
    const TIME_MAX: Duration = Duration::from_secs(1);
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, |data| data.len());
            if bytes > BYTES_MAX {
                return;
            }
        }
    };
    // Whoever sends more, or slower, than this gets the reset.
    let _ = tokio::time::timeout(TIME_MAX, reading).await;
}

/// Decides, and leaves the principal in the request. Returns the bound of the body in bytes.
fn admit(state: &GateState, request: &mut Request) -> Result<Option<u64>, Refusal> {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let (access, own_bytes_max) = match state.table.rule(path, request.method()) {
        Rule::Of(access, own_bytes_max) => (access, own_bytes_max),
        // The router has no handler for it either and answers 405.
        Rule::OtherMethod => return Ok(Some(0)),
        Rule::None => return Err(Problem::new(Slug::Forbidden, "this route has no rule").into()),
    };
    let app = &state.app;
    let identity = identify(app, request, access);
    match (access, identity) {
        (Access::Public, Ok(Some(found))) => sign(request, found),
        // A page that anyone may see does not fail for a stale cookie; a forged change does.
        (Access::Public, _) => refuse_cross_site_change(request)?,
        (_, Err(refusal)) => return Err(refusal),
        (_, Ok(None)) => {
            return Err(policy::not_signed_in("sign in with POST /api/auth and send the token").into());
        }
        (access, Ok(Some(found))) => {
            policy::enter(&found.0, access, request.method())?;
            sign(request, found);
        }
    }
    let bytes_max = match own_bytes_max {
        None => Some(app.config().limits.body_bytes_max),
        Some(0) => None,
        Some(own) => Some(own),
    };
    check_length(request, bytes_max)?;
    Ok(bytes_max)
}

fn sign(request: &mut Request, (principal, credentials): (Principal, Credentials)) {
    request.extensions_mut().insert(principal);
    request.extensions_mut().insert(credentials);
}

type Identity = Option<(Principal, Credentials)>;

fn identify(app: &App, request: &Request, access: Access) -> Result<Identity, Refusal> {
    let headers = request.headers();
    let peer = Peer::of(headers, request.extensions().get::<Connected>(), app.config().behind_proxy);
    let ticket = if access == Access::Ticket { ticket(request) } else { None };
    let credentials = match ticket {
        Some(ticket) => {
            let redeemed = app.auth().tickets().redeem(&ticket, app.store().now());
            redeemed.ok_or_else(|| policy::not_signed_in("the ticket is unknown, used or too old"))?
        }
        None => match Credentials::of(headers, peer.tls) {
            Some(credentials) => {
                if credentials.carrier == Carrier::Cookie {
                    check_cookie_rules(app, request)?;
                }
                credentials
            }
            None => return Ok(None),
        },
    };
    match app.auth().identify(app.store(), &credentials)? {
        Some(found) => {
            if let Some(refresh) = found.refresh {
                app.refresh(refresh);
            }
            Ok(Some((found.principal, credentials)))
        }
        None if access == Access::Public => Ok(None),
        None => Err(policy::not_signed_in("the token is unknown or has expired").into()),
    }
}

/// A ticket stands before the cookie, which browsers send by themselves: whoever has one was let in for it.
fn ticket(request: &Request) -> Option<String> {
    let query = request.uri().query()?;
    let mut members = form_urlencoded::parse(query.as_bytes());
    members.find(|(name, _)| name == "ticket").map(|(_, ticket)| ticket.into_owned())
}

fn check_cookie_rules(app: &App, request: &Request) -> Result<(), Problem> {
    let (headers, uri) = (request.headers(), request.uri());
    if !origin::is_our_host(headers, uri, &app.config().hosts) {
        let detail = "this name is not served here; add it to 'hosts' in the configuration";
        return Err(Problem::new(Slug::Misdirected, detail));
    }
    let changes = !request.method().is_safe() || headers.contains_key(UPGRADE);
    if changes && !origin::is_same_origin(headers, uri) {
        let detail = "a request signed by the cookie must prove that it comes from this origin";
        return Err(Problem::new(Slug::CrossOrigin, detail));
    }
    Ok(())
}

fn refuse_cross_site_change(request: &Request) -> Result<(), Problem> {
    if !request.method().is_safe() && origin::is_cross_site(request.headers()) {
        return Err(Problem::new(Slug::CrossOrigin, "another site caused this request"));
    }
    Ok(())
}

fn check_length(request: &Request, bytes_max: Option<u64>) -> Result<(), Problem> {
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    match (announced, bytes_max) {
        (Some(announced), Some(max)) if announced > max => {
            let detail = format!("the body has {announced} bytes, at most {max} are taken here");
            Err(Problem::new(Slug::BodyTooLarge, detail).with("bytes_max", max))
        }
        _ => Ok(()),
    }
}

fn bounded(request: Request, bytes_max: Option<u64>) -> Request {
    match bytes_max.map(usize::try_from) {
        Some(Ok(max)) => request.map(|body| Body::new(Limited::new(body, max))),
        _ => request,
    }
}
