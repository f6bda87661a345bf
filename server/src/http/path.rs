//! Around the router: one spelling for each address on the way in, the whole `Allow` on the way out.

use axum::Router;
use axum::body::Body;
use axum::http::uri::PathAndQuery;
use axum::http::{Request, Uri};
use axum::response::Response;
use hyper::body::Incoming;
use tower::ServiceExt;
use tower::util::{MapRequest, MapResponse};

use super::problem;

/// The service a connection talks to.
pub(crate) type Front =
    MapResponse<MapRequest<Router, fn(Request<Incoming>) -> Request<Body>>, fn(Response) -> Response>;

/// Puts both rules around a router.
pub(crate) fn front(router: Router) -> Front {
    fn adapt(request: Request<Incoming>) -> Request<Body> {
        let mut request = request.map(Body::new);
        if let Some(uri) = without_trailing_slash(request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    }
    ServiceExt::<Request<Body>>::map_request(router, adapt as fn(Request<Incoming>) -> Request<Body>)
        .map_response(problem::complete_allow as fn(Response) -> Response)
}

/// Eve's clients write `/api/ads/` and `/api/ads` for the same thing. `None` when nothing is to be done.
fn without_trailing_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let bare = path.trim_end_matches('/');
    if bare.len() == path.len() || path == "/" {
        return None;
    }
    let bare = if bare.is_empty() { "/" } else { bare };
    let text = uri.query().map_or_else(|| bare.to_owned(), |query| format!("{bare}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_slashes_go() {
        let check = |from: &str, to: Option<&str>| {
            let uri: Uri = from.parse().unwrap();
            assert_eq!(without_trailing_slash(&uri).map(|uri| uri.to_string()).as_deref(), to, "{from}");
        };
        check("/", None);
        check("/api/ads", None);
        check("/api/ads/", Some("/api/ads"));
        check("/api/ads//?a=/", Some("/api/ads?a=/"));
        check("//", Some("/"));
        check("/api/ads/%2F", None);
    }
}
