//! The one error body, and the closed catalogue of what can go wrong.
//!
//! A body serves two conventions at once: RFC 9457 (`type`, `title`, `status`, `detail`, `instance`) and Eve's
//! (`_status`, `_message`, `_issues`, `_error`). `type` is the slug of the catalogue, stable for ever, with a page of
//! its own; a client may switch on it, and on the status, but never on the texts.

use serde_json::{Map, Value, json};

use super::issue::{Issues, Wording};

macro_rules! catalogue {
    ($($name:ident $slug:literal $status:literal $title:literal $text:literal)*) => {
        /// What went wrong. Closed: a new kind of trouble is a new line of the catalogue with a page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Slug {
            $(#[doc = $title] $name,)*
        }

        impl Slug {
            /// Every slug, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name: `type` of the body and last part of the page's address.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The usual HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// A short title, the same for each occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The text of the page: what it means and what to do.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

catalogue! {
    BadRequest "bad-request" 400 "Bad request"
        "The request cannot be understood as it is. The detail names the part that is wrong."
    MalformedJson "malformed-json" 400 "Malformed JSON"
        "The body is not JSON in UTF-8. The detail gives line and column of the first byte that does not fit."
    JsonTooComplex "json-too-complex" 400 "JSON too complex"
        "The body nests deeper than 64 levels, holds too many values, or has a member name that is too long."
    ValidationFailed "validation-failed" 400 "Validation failed"
        "The document breaks rules of its resource. _issues names each field with the rule it breaks; nothing was stored."
    InvalidQuery "invalid-query" 400 "Invalid query"
        "A parameter of the query string cannot be read. The detail names the parameter, and for where the operator and field."
    InvalidCursor "invalid-cursor" 400 "Invalid cursor"
        "The cursor is damaged, from another server, or was given for another query. Start the list again without it."
    InvalidId "invalid-id" 400 "Invalid id"
        "An id has 1 to 200 bytes of UTF-8 and no NUL."
    Unauthorized "unauthorized" 401 "Not signed in"
        "The request has no credentials, or they are wrong or have expired. Sign in with POST /api/auth and send the token."
    Forbidden "forbidden" 403 "Not allowed"
        "The credentials are good but do not allow this. Ask an administrator for the privilege that the detail names."
    CrossOrigin "cross-origin" 403 "Cross-origin request refused"
        "A request that changes state and is signed by a cookie must come from this origin. Use a bearer token instead."
    Locked "locked" 403 "Locked"
        "Another user or session holds the lock of this item. Wait until it is released, or take it over if you may."
    NotFound "not-found" 404 "Not found"
        "There is no such document, or you may not know of it."
    UnknownResource "unknown-resource" 404 "Unknown resource"
        "No resource or route has this address. GET /api/ lists the resources; POST /api/collections defines a new one."
    MethodNotAllowed "method-not-allowed" 405 "Method not allowed"
        "The address exists but does not take this method. The Allow header lists those it takes."
    NotAcceptable "not-acceptable" 406 "Not acceptable"
        "None of the media types in Accept can be produced here."
    RequestTimeout "request-timeout" 408 "Request timeout"
        "The request did not arrive in time. Send it again on a new connection."
    Conflict "conflict" 409 "Conflict"
        "The request does not fit the present state. Read the document again, then decide."
    UniqueConflict "unique-conflict" 409 "Value already in use"
        "Another document of the resource has the same value of a unique key. The detail and `key` name the key."
    StateConflict "state-conflict" 409 "Wrong state"
        "The document's state does not allow this step. The detail names the state and the step."
    InUse "in-use" 409 "Still referenced"
        "Other documents refer to this one. Change or remove them first."
    LeaseLost "lease-lost" 409 "Lease lost"
        "The lease ended and the job went to another worker. Drop the work; its result will come from there."
    IdempotencyInProgress "idempotency-in-progress" 409 "Same request in progress"
        "A request with this Idempotency-Key is still running. Ask again shortly to receive its answer."
    Gone "gone" 410 "No longer kept"
        "The asked part of the log or history has been trimmed. `floor` is the oldest position that can still be read."
    PreconditionFailed "precondition-failed" 412 "Precondition failed"
        "The document is not at the version that If-Match names, or exists although If-None-Match: * was sent. Read it again and retry."
    BodyTooLarge "body-too-large" 413 "Body too large"
        "The body is larger than this address takes. The detail gives the bound."
    UriTooLong "uri-too-long" 414 "Address too long"
        "The request line is longer than 8 KiB."
    UnsupportedMediaType "unsupported-media-type" 415 "Unsupported media type"
        "The Content-Type or Content-Encoding of the body is not taken here."
    RangeNotSatisfiable "range-not-satisfiable" 416 "Range not satisfiable"
        "The asked range lies outside the content. Content-Range gives the size."
    Misdirected "misdirected-request" 421 "Wrong host"
        "The Host header names a host that this server does not serve."
    Unprocessable "unprocessable" 422 "Cannot be processed"
        "The request is well formed but says something impossible. The detail and _issues say what."
    PlanOverBudget "plan-over-budget" 422 "List looks at too many documents"
        "No index serves the list, and looking through the documents would take too long. `index` names the fields of one that would; declare it with PATCH /api/collections/{name}."
    InvalidGeometry "invalid-geometry" 422 "Invalid geometry"
        "A coordinate is outside longitude -180..180 or latitude -90..90, a ring is open, or the shape is not GeoJSON."
    IdempotencyMismatch "idempotency-mismatch" 422 "Idempotency key used for another request"
        "This Idempotency-Key was sent before with another method, address or body. Use a new key for a new request."
    UpgradeRequired "upgrade-required" 426 "Upgrade required"
        "This address speaks WebSocket only. Send Connection: Upgrade, Upgrade: websocket and Sec-WebSocket-Version: 13 over HTTP/1.1."
    PreconditionRequired "precondition-required" 428 "If-Match required"
        "A change must say which version it changes. Send If-Match with the document's _etag."
    RateLimited "rate-limited" 429 "Too many requests"
        "Slow down and retry after the seconds that Retry-After gives."
    HeadersTooLarge "headers-too-large" 431 "Header fields too large"
        "The header fields exceed 16 KiB or 100 lines."
    Internal "internal" 500 "Internal error"
        "The server met a state it does not know. Nothing was stored by this request. The log has the reason under the instance."
    Corrupt "corrupt" 500 "Stored data is damaged"
        "A stored block or checksum is wrong, so this was not answered. Other data is not concerned. The log names file, key and offset; a backup has it."
    NotSupported "not-supported" 501 "Not supported"
        "The request is understood but this server does not do it."
    UpstreamFailed "upstream-failed" 502 "Upstream failed"
        "Another server that was needed for this request did not answer properly."
    Overloaded "overloaded" 503 "Overloaded"
        "The intake is full. Nothing was stored; retry after the seconds that Retry-After gives."
    ReadOnly "read-only" 503 "Read-only"
        "Writing has stopped: the disk is nearly full, or the server is closing. Reading goes on."
    EngineStopped "engine-stopped" 503 "Engine stopped"
        "A write or sync failed and the engine takes no more writes until it is restarted. The detail gives the first failure."
    SearchBehind "search-behind" 504 "Search is behind"
        "Search had not yet seen the position of min_seq when the wait ended. Retry; the write itself is safe."
}

impl Slug {
    /// The slug of a name, as in the address of its page.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|slug| slug.as_str() == name)
    }

    /// The slug that fits a bare status, for errors made by the HTTP library.
    pub fn from_status(status: u16) -> Self {
        match status {
            400 => Self::BadRequest,
            404 => Self::UnknownResource,
            500 => Self::Internal,
            503 => Self::Overloaded,
            other => match Self::ALL.iter().copied().find(|slug| slug.status() == other) {
                Some(slug) => slug,
                None if other < 500 => Self::BadRequest,
                None => Self::Internal,
            },
        }
    }
}

/// One error, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Parts>);

/// Boxed, so that a `Result` with a problem in it stays small.
#[derive(Debug, Clone, PartialEq)]
struct Parts {
    slug: Slug,
    status: u16,
    detail: String,
    message: Option<String>,
    issues: Map<String, Value>,
    instance: Option<String>,
    retry_after_s: Option<u32>,
    members: Map<String, Value>,
}

impl Problem {
    /// A problem with the usual status of its slug; `detail` is a sentence about this occurrence.
    pub fn new(slug: Slug, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            slug,
            status: slug.status(),
            detail: detail.into(),
            message: None,
            issues: Map::new(),
            instance: None,
            retry_after_s: None,
            members: Map::new(),
        }))
    }

    /// A document that broke the rules of its resource: 400 with `_issues`, in Eve's words.
    pub fn validation(issues: &Issues, wording: Wording) -> Self {
        Self::new(Slug::ValidationFailed, "Insertion failure: 1 document(s) contain(s) error(s)")
            .issues(issues.to_json(wording))
    }

    /// An array POST of which some documents broke the rules: `_items` tells of each, `_issues` by index of the bad ones.
    pub fn validations(documents: &[Issues], wording: Wording) -> Self {
        let bad = documents.iter().filter(|issues| !issues.is_empty()).count();
        let told = documents.iter().map(|issues| match issues.is_empty() {
            true => json!({"_status": "OK"}),
            false => json!({"_status": "ERR", "_issues": issues.to_json(wording)}),
        });
        let by_index = documents.iter().enumerate().filter(|(_, issues)| !issues.is_empty());
        let by_index =
            by_index.map(|(index, issues)| (index.to_string(), Value::Object(issues.to_json(wording))));
        Self::new(Slug::ValidationFailed, format!("Insertion failure: {bad} document(s) contain(s) error(s)"))
            .issues(by_index.collect())
            .with("_items", told.collect::<Value>())
    }

    /// A parameter of the query string that cannot be read.
    pub fn query(parameter: &str, reason: impl std::fmt::Display) -> Self {
        Self::new(Slug::InvalidQuery, format!("{parameter}: {reason}"))
            .with("parameter", parameter)
            .issue(parameter, reason.to_string())
    }

    /// Another status than the usual one, where the dialect wants it.
    pub fn status(mut self, status: u16) -> Self {
        self.0.status = status;
        self
    }

    /// Another `_message` than the detail; Eve clients expect some exact texts, and some empty ones.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// Replaces `_issues`.
    pub fn issues(mut self, issues: Map<String, Value>) -> Self {
        self.0.issues = issues;
        self
    }

    /// Adds one entry to `_issues`.
    pub fn issue(mut self, field: impl Into<String>, issue: impl Into<Value>) -> Self {
        self.0.issues.insert(field.into(), issue.into());
        self
    }

    /// Names this occurrence, by the request's id.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.0.instance = Some(instance.into());
        self
    }

    /// Seconds after which a retry makes sense: header `Retry-After` and member `retry_after`.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Adds a member of its own, such as `floor` or `key`. The fixed members cannot be replaced by it.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.into(), value.into());
        self
    }

    /// The slug.
    pub fn slug(&self) -> Slug {
        self.0.slug
    }

    /// The HTTP status to answer with.
    pub fn status_code(&self) -> u16 {
        self.0.status
    }

    /// The sentence about this occurrence.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Seconds for the header `Retry-After`.
    pub fn retry_after_s(&self) -> Option<u32> {
        self.0.retry_after_s
    }

    /// The body as a value.
    pub fn to_json(&self) -> Value {
        let message = self.0.message.as_deref().unwrap_or(&self.0.detail);
        let mut body = Map::new();
        body.insert("type".into(), self.0.slug.as_str().into());
        body.insert("title".into(), self.0.slug.title().into());
        body.insert("status".into(), self.0.status.into());
        body.insert("detail".into(), self.0.detail.as_str().into());
        if let Some(instance) = &self.0.instance {
            body.insert("instance".into(), instance.as_str().into());
        }
        body.insert("_status".into(), "ERR".into());
        body.insert("_message".into(), message.into());
        body.insert("_issues".into(), Value::Object(self.0.issues.clone()));
        body.insert("_error".into(), json!({"code": self.0.status, "message": message}));
        if let Some(seconds) = self.0.retry_after_s {
            body.insert("retry_after".into(), seconds.into());
        }
        for (name, value) in &self.0.members {
            body.entry(name.as_str()).or_insert_with(|| value.clone());
        }
        Value::Object(body)
    }

    /// The body as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.0.status, self.0.slug.as_str(), self.0.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_catalogue_is_well_formed() {
        let names: BTreeSet<_> = Slug::ALL.iter().map(|slug| slug.as_str()).collect();
        assert_eq!(names.len(), Slug::ALL.len(), "slugs are distinct");
        for slug in Slug::ALL.iter().copied() {
            assert!(slug.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{slug:?}");
            assert!((400..600).contains(&slug.status()), "{slug:?}");
            assert!(slug.explanation().ends_with('.'), "{slug:?}");
            assert_eq!(Slug::from_name(slug.as_str()), Some(slug));
            assert!(Slug::from_status(slug.status()).status() == slug.status());
        }
        assert_eq!(Slug::from_status(418), Slug::BadRequest);
        assert_eq!(Slug::from_status(599), Slug::Internal);
    }

    #[test]
    fn an_array_is_told_document_by_document() {
        use super::super::issue::Issue;
        let mut bad = Issues::new();
        bad.add(&["a"], Issue::Required);
        let body = Problem::validations(&[Issues::new(), bad], Wording::Codes).to_json();
        assert_eq!(body["_issues"], json!({"1": {"a": {"required": 1}}}));
        assert_eq!(
            body["_items"],
            json!([{"_status": "OK"}, {"_status": "ERR", "_issues": {"a": {"required": 1}}}])
        );
        assert_eq!(
            body["_error"],
            json!({"code": 400, "message": "Insertion failure: 1 document(s) contain(s) error(s)"})
        );
    }

    #[test]
    fn one_body_for_both_conventions() {
        let problem = Problem::new(Slug::Gone, "the log begins at 7")
            .instance("r1")
            .retry_after(2)
            .with("floor", 7)
            .with("status", 1)
            .issue("since", "too old")
            .message("old");
        assert_eq!(
            problem.to_json(),
            json!({
                "type": "gone", "title": "No longer kept", "status": 410, "detail": "the log begins at 7", "instance": "r1",
                "_status": "ERR", "_message": "old", "_issues": {"since": "too old"}, "_error": {"code": 410, "message": "old"},
                "retry_after": 2, "floor": 7,
            })
        );
        assert_eq!(serde_json::from_slice::<Value>(&problem.to_bytes()).unwrap(), problem.to_json());
    }
}
