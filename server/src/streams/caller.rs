//! Who opens a connection that stays, as far as it is asked about again while it is open.

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use crate::app::App;
use crate::auth::Principal;
use crate::auth::credentials::Credentials;
use crate::http::{Peer, Refusal};

/// Characters of `User-Agent` that are kept.
const AGENT_CHARS_MAX: usize = 200;

/// See the module. As an extractor it fails with 401 where nobody is signed in.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) credentials: Credentials,
    pub(crate) peer: Peer,
    pub(crate) agent: Box<str>,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let principal = <Principal as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        let credentials = Credentials::from_request_parts(parts, app).await?;
        // An error of `Peer` cannot be made.
        let Ok(peer) = Peer::from_request_parts(parts, app).await;
        let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let agent = agent.chars().take(AGENT_CHARS_MAX).collect();
        Ok(Self { principal, credentials, peer, agent })
    }
}
