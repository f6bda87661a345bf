//! What a route says about itself: the part of the OpenAPI document that belongs to it.

/// Who may call a route. Checked before the handler runs; finer rules are the handler's, by `auth::policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without credentials.
    Public,
    /// Anyone with good credentials.
    SignedIn,
    /// Anyone with good credentials, or with a ticket in the query string (`POST /api/ws/tickets`).
    Ticket,
    /// Holders of the named privilege; administrators hold all.
    Privilege(&'static str),
    /// Administrators.
    Administrator,
}

/// One parameter of the query string.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// JSON Schema type: `string`, `integer`, `number` or `boolean`.
    pub kind: &'static str,
    /// What it does, with its unit.
    pub text: &'static str,
}

impl Param {
    /// A parameter.
    #[must_use]
    pub const fn new(name: &'static str, kind: &'static str, text: &'static str) -> Self {
        Self { name, kind, text }
    }
}

/// One possible answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) media_type: &'static str,
    pub(crate) schema: Option<&'static str>,
}

/// The description of one operation, built up where the route is registered.
///
/// Schemas are names of `#/components/schemas`; each must be given by [`Routes::schema`](super::Routes::schema).
#[derive(Clone, Debug)]
pub struct Doc {
    pub(crate) summary: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) access: Access,
    pub(crate) query: Vec<&'static [Param]>,
    pub(crate) request: Option<(&'static str, &'static str)>,
    pub(crate) replies: Vec<Reply>,
    pub(crate) body_bytes_max: Option<u64>,
}

impl Doc {
    /// A description with the group it is listed under and who may call it.
    #[must_use]
    pub const fn new(summary: &'static str, tag: &'static str, access: Access) -> Self {
        Self {
            summary,
            tag,
            access,
            query: Vec::new(),
            request: None,
            replies: Vec::new(),
            body_bytes_max: None,
        }
    }

    /// Parameters of the query string, besides those given before.
    #[must_use]
    pub fn query(mut self, params: &'static [Param]) -> Self {
        self.query.push(params);
        self
    }

    /// A JSON body of this schema.
    #[must_use]
    pub const fn request(self, schema: &'static str) -> Self {
        self.request_as("application/json", schema)
    }

    /// A body of another media type.
    #[must_use]
    pub const fn request_as(mut self, media_type: &'static str, schema: &'static str) -> Self {
        self.request = Some((media_type, schema));
        self
    }

    /// A body larger than the configured bound, up to this many bytes; 0 means without bound.
    #[must_use]
    pub const fn body_max(mut self, bytes: u64) -> Self {
        self.body_bytes_max = Some(bytes);
        self
    }

    /// An answer with a JSON body of this schema.
    #[must_use]
    pub fn answer(self, status: u16, schema: &'static str) -> Self {
        self.answer_as(status, "application/json", Some(schema))
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(self, status: u16) -> Self {
        self.answer_as(status, "", None)
    }

    /// An answer of another media type.
    #[must_use]
    pub fn answer_as(mut self, status: u16, media_type: &'static str, schema: Option<&'static str>) -> Self {
        self.replies.push(Reply { status, media_type, schema });
        self
    }
}
