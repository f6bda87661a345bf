//! The one registry of routes: a handler and its description enter together.
//!
//! Invariant: what is served is what `/openapi.json` says, because both are made from this registry. A route without
//! a description, or without saying who may call it, does not compile.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter};
use serde_json::Value;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use super::doc::{Access, Doc};
use super::{frame, gate, openapi, problem};
use crate::app::App;

/// One described route.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) doc: Doc,
}

/// Routes in the making.
#[derive(Default)]
pub struct Routes {
    paths: BTreeMap<&'static str, MethodRouter<App>>,
    operations: Vec<Operation>,
    schemas: BTreeMap<&'static str, Value>,
}

impl Routes {
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds GET, which also answers HEAD. `path` is in axum's form: `/api/ads/{id}`, `/assets/{*path}`.
    #[must_use]
    pub fn get<H: Handler<T, App>, T: 'static>(self, path: &'static str, handler: H, doc: Doc) -> Self {
        self.on(MethodFilter::GET, Method::GET, path, handler, doc)
    }

    /// Adds POST.
    #[must_use]
    pub fn post<H: Handler<T, App>, T: 'static>(self, path: &'static str, handler: H, doc: Doc) -> Self {
        self.on(MethodFilter::POST, Method::POST, path, handler, doc)
    }

    /// Adds PUT.
    #[must_use]
    pub fn put<H: Handler<T, App>, T: 'static>(self, path: &'static str, handler: H, doc: Doc) -> Self {
        self.on(MethodFilter::PUT, Method::PUT, path, handler, doc)
    }

    /// Adds PATCH.
    #[must_use]
    pub fn patch<H: Handler<T, App>, T: 'static>(self, path: &'static str, handler: H, doc: Doc) -> Self {
        self.on(MethodFilter::PATCH, Method::PATCH, path, handler, doc)
    }

    /// Adds DELETE.
    #[must_use]
    pub fn delete<H: Handler<T, App>, T: 'static>(self, path: &'static str, handler: H, doc: Doc) -> Self {
        self.on(MethodFilter::DELETE, Method::DELETE, path, handler, doc)
    }

    /// Gives a JSON Schema its name in the document.
    ///
    /// # Panics
    /// When the name is taken: two schemas of one name are a defect of the program.
    #[must_use]
    pub fn schema(mut self, name: &'static str, schema: Value) -> Self {
        let earlier = self.schemas.insert(name, schema);
        assert!(earlier.is_none(), "schema {name} is defined twice");
        self
    }

    /// Adds the routes and schemas of another part.
    ///
    /// # Panics
    /// When both parts define a route or schema: a defect of the program.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        for (path, methods) in other.paths {
            let earlier = self.paths.remove(path).unwrap_or_default();
            self.paths.insert(path, earlier.merge(methods));
        }
        self.operations.extend(other.operations);
        other.schemas.into_iter().fold(self, |routes, (name, schema)| routes.schema(name, schema))
    }

    fn on<H: Handler<T, App>, T: 'static>(
        mut self,
        filter: MethodFilter,
        method: Method,
        path: &'static str,
        handler: H,
        doc: Doc,
    ) -> Self {
        let earlier = self.paths.remove(path).unwrap_or_default();
        self.paths.insert(path, earlier.on(filter, handler));
        self.operations.push(Operation { method, path, doc });
        self
    }

    /// The OpenAPI document of these routes.
    #[must_use]
    pub fn document(&self) -> Value {
        openapi::document(&self.operations, &self.schemas)
    }

    /// The router that serves them, with every check around them.
    pub fn build(self, app: &App) -> Router {
        app.set_document(self.document());
        let table = Arc::new(RouteTable::new(self.operations));
        let gate_state = gate::GateState { app: app.clone(), table };
        let compress = SizeAbove::new(4096)
            .and(NotForContentType::new("text/event-stream"))
            .and(NotForContentType::new("application/x-ndjson"))
            .and(NotForContentType::IMAGES);
        self.paths
            .into_iter()
            .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
            .method_not_allowed_fallback(problem::method_not_allowed)
            .route_layer(from_fn_with_state(gate_state, gate::gate))
            .fallback(problem::unknown_route)
            // The gate bounds bodies by route; axum's own bound would answer in another form.
            .layer(DefaultBodyLimit::disable())
            .layer(CompressionLayer::new().compress_when(compress))
            .layer(from_fn_with_state(app.clone(), frame::frame))
            .with_state(app.clone())
    }
}

/// One method of an address: who may call it, and its own bound of the body in bytes.
type Entry = (Method, Access, Option<u64>);

/// What the gate asks for each request.
pub(crate) struct RouteTable {
    by_path: HashMap<&'static str, Vec<Entry>>,
}

impl RouteTable {
    fn new(operations: Vec<Operation>) -> Self {
        let mut by_path: HashMap<_, Vec<_>> = HashMap::new();
        for Operation { method, path, doc } in operations {
            by_path.entry(path).or_default().push((method, doc.access, doc.body_bytes_max));
        }
        Self { by_path }
    }

    /// Who may call this route, and its own body bound.
    pub(crate) fn rule(&self, path: &str, method: &Method) -> Rule {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let Some(methods) = self.by_path.get(path) else { return Rule::None };
        match methods.iter().find(|(known, ..)| known == method) {
            Some(&(_, access, bytes_max)) => Rule::Of(access, bytes_max),
            None => Rule::OtherMethod,
        }
    }
}

/// What the registry says about an address and a method.
pub(crate) enum Rule {
    /// A route: who may call it, and its own bound of the body in bytes.
    Of(Access, Option<u64>),
    /// The address has routes, but none for this method.
    OtherMethod,
    /// Not in the registry.
    None,
}
