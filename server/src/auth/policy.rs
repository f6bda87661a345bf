//! The one place that says yes: who may do what with which resource.
//!
//! A rule names what each action on a resource needs. Resources without a rule of their own are those that users
//! define: every signed-in user reads them, and writing needs the privilege of the resource's name, as in Eve.
//! Collections of secrets are nobody's.

use axum::http::Method;
use serde_json::json;

use super::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::http::Access;

/// What somebody wants to do with documents of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See them: also in lists, searches, versions, counts, streams and explanations.
    Read,
    /// Make a new one.
    Create,
    /// Change one.
    Update,
    /// Remove one.
    Delete,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Any document of the resource.
    All,
    /// Only documents that belong to the caller.
    Own,
}

/// What an action needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need<'a> {
    SignedIn,
    Privilege(&'a str),
    /// The privilege for everything, nothing for what is one's own.
    OwnOr(&'a str),
    Administrator,
    Nobody,
}

use Need::{Administrator, Nobody, OwnOr, SignedIn};

/// Needs of reading, creating, and changing (update, delete).
type Rule = (&'static str, Need<'static>, Need<'static>, Need<'static>);

const fn privilege(name: &'static str) -> Need<'static> {
    Need::Privilege(name)
}

const RULES: &[Rule] = &[
    ("ads", SignedIn, SignedIn, OwnOr("ads")),
    ("adlists", OwnOr("adlists"), SignedIn, OwnOr("adlists")),
    ("api_audit", privilege("api_audit"), Nobody, Nobody),
    ("api_keys", Nobody, Nobody, Nobody),
    ("archive", SignedIn, privilege("archive"), privilege("archive")),
    ("archive_history", SignedIn, Nobody, Nobody),
    ("audit", Administrator, Nobody, Nobody),
    ("auth", Nobody, Nobody, Nobody),
    ("blob_manifests", Nobody, Nobody, Nobody),
    ("blobs", OwnOr("blobs"), SignedIn, OwnOr("blobs")),
    ("collections", SignedIn, Administrator, Administrator),
    ("content_filters", SignedIn, privilege("content_filters"), privilege("content_filters")),
    ("content_types", SignedIn, privilege("content_type"), privilege("content_type")),
    ("credentials", Nobody, Nobody, Nobody),
    ("desks", SignedIn, privilege("desks"), privilege("desks")),
    ("devices", OwnOr("devices"), SignedIn, OwnOr("devices")),
    ("feeds", OwnOr("feeds"), SignedIn, OwnOr("feeds")),
    ("fence_events", OwnOr("fences"), Nobody, Nobody),
    ("fences", SignedIn, privilege("fences"), privilege("fences")),
    ("filter_conditions", SignedIn, privilege("content_filters"), privilege("content_filters")),
    ("formatted_items", privilege("publish_queue"), Nobody, Nobody),
    ("ingest", SignedIn, Nobody, Nobody),
    ("ingest_providers", SignedIn, privilege("ingest_providers"), privilege("ingest_providers")),
    ("ingest_secrets", Nobody, Nobody, Nobody),
    ("ingest_states", SignedIn, Nobody, Nobody),
    (
        "internal_destinations",
        SignedIn,
        privilege("internal_destinations"),
        privilege("internal_destinations"),
    ),
    ("items", Administrator, Nobody, Nobody),
    ("jobs", privilege("jobs"), privilege("jobs"), privilege("jobs")),
    ("legal_archive", privilege("legal_archive"), Nobody, Nobody),
    ("legal_archive_history", privilege("legal_archive"), Nobody, Nobody),
    ("legal_publish_queue", privilege("legal_archive"), Nobody, Nobody),
    ("matches", OwnOr("matches"), Nobody, Nobody),
    ("media", OwnOr("media"), Nobody, Nobody),
    ("media_references", privilege("media"), Nobody, Nobody),
    ("media_secrets", Nobody, Nobody, Nobody),
    ("positions", OwnOr("positions"), SignedIn, OwnOr("positions")),
    ("products", SignedIn, privilege("products"), privilege("products")),
    ("publish_queue", privilege("publish_queue"), privilege("publish_queue"), privilege("publish_queue")),
    ("published", SignedIn, Nobody, Nobody),
    ("queues", privilege("queues"), privilege("queues"), privilege("queues")),
    // A role is privileges: who writes one could give themselves any.
    ("roles", SignedIn, Administrator, Administrator),
    ("routing_schemes", SignedIn, privilege("routing_schemes"), privilege("routing_schemes")),
    ("rule_sets", SignedIn, privilege("rule_sets"), privilege("rule_sets")),
    ("schedules", privilege("schedules"), privilege("schedules"), privilege("schedules")),
    ("sequences", Administrator, Nobody, Nobody),
    ("sessions", OwnOr("users"), Nobody, OwnOr("users")),
    ("stages", SignedIn, privilege("desks"), privilege("desks")),
    ("subscriber_secrets", Nobody, Nobody, Nobody),
    ("subscriber_tokens", Nobody, Nobody, Nobody),
    ("subscribers", privilege("subscribers"), privilege("subscribers"), privilege("subscribers")),
    // Files come by their own addresses, never as documents.
    ("upload", OwnOr("upload"), Nobody, OwnOr("upload")),
    ("uploads", OwnOr("blobs"), SignedIn, OwnOr("blobs")),
    ("users", SignedIn, privilege("users"), OwnOr("users")),
    ("validators", SignedIn, Administrator, Administrator),
    ("vocabularies", SignedIn, privilege("vocabularies"), privilege("vocabularies")),
];

/// Collections that no route, list, stream or export ever reads out.
#[must_use]
pub fn is_secret(collection: &str) -> bool {
    matches!(
        collection,
        "api_keys"
            | "auth"
            | "blob_manifests"
            | "credentials"
            | "ingest_secrets"
            | "media_secrets"
            | "subscriber_secrets"
            | "subscriber_tokens"
    )
}

/// Whether `principal` may do `action` with documents of `resource`.
///
/// # Errors
/// 403 with the privilege that is missing.
pub fn decide(principal: &Principal, action: Action, resource: &str) -> Result<Verdict, Problem> {
    let writes = action != Action::Read;
    if !principal.scopes.allow(resource, writes) {
        return Err(denied(&format!("scope {resource}:{}", if writes { "write" } else { "read" })));
    }
    match need(action, resource) {
        SignedIn => Ok(Verdict::All),
        Need::Privilege(name) if principal.holds(name) => Ok(Verdict::All),
        OwnOr(name) if principal.holds(name) => Ok(Verdict::All),
        OwnOr(_) => Ok(Verdict::Own),
        Administrator if principal.is_administrator() => Ok(Verdict::All),
        Need::Privilege(name) => Err(denied(&format!("privilege {name}"))),
        Administrator => Err(denied("user_type administrator")),
        Nobody => Err(denied("an internal purpose")),
    }
}

fn need(action: Action, resource: &str) -> Need<'_> {
    let Some((_, read, create, change)) = RULES.iter().find(|rule| rule.0 == resource) else {
        return if action == Action::Read { SignedIn } else { Need::Privilege(resource) };
    };
    match action {
        Action::Read => *read,
        Action::Create => *create,
        Action::Update | Action::Delete => *change,
    }
}

/// The rule of a route, before its handler runs. What a handler does with a resource it asks [`decide`].
pub(crate) fn enter(principal: &Principal, access: Access, method: &Method) -> Result<(), Problem> {
    if !method.is_safe() && !principal.scopes.allow_some_write() {
        return Err(denied("a scope that writes"));
    }
    match access {
        Access::Public | Access::SignedIn | Access::Ticket => Ok(()),
        Access::Privilege(name) if !principal.holds(name) => Err(denied(&format!("privilege {name}"))),
        Access::Privilege(name) if !principal.scopes.allow(name, !method.is_safe()) => {
            Err(denied(&format!("scope {name}")))
        }
        Access::Privilege(_) => Ok(()),
        Access::Administrator if principal.is_administrator() => Ok(()),
        Access::Administrator => Err(denied("user_type administrator")),
    }
}

/// 401.
pub(crate) fn not_signed_in(detail: &str) -> Problem {
    Problem::new(Slug::Unauthorized, detail).issue("auth", 1)
}

fn denied(needed: &str) -> Problem {
    Problem::new(Slug::Forbidden, format!("this needs {needed}"))
        .message("Insufficient privileges for the requested operation.")
        .with("needed", json!(needed))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dateline_engine::DocId;

    use super::super::{Carried, Scopes, UserType};
    use super::*;

    fn principal(user_type: UserType, privileges: &[&str], scopes: Scopes) -> Principal {
        Principal {
            user: DocId::new("u").unwrap(),
            username: "u".into(),
            user_type,
            role: None,
            privileges: Arc::new(privileges.iter().map(|&name| name.to_owned()).collect()),
            scopes,
            carried: Carried::Session(DocId::new("s").unwrap()),
        }
    }

    #[test]
    fn rules_are_sorted_and_distinct() {
        assert!(RULES.windows(2).all(|pair| pair[0].0 != pair[1].0));
        for secret in RULES.iter().filter(|rule| rule.1 == Nobody) {
            assert!(is_secret(secret.0), "{}", secret.0);
        }
    }

    #[test]
    fn every_rule_for_each_kind_of_caller() {
        use Action::{Create, Delete, Read, Update};
        let admin = principal(UserType::Administrator, &[], Scopes::All);
        let plain = principal(UserType::User, &[], Scopes::All);
        let editor = principal(UserType::User, &["archive", "cars"], Scopes::All);
        let check = |who: &Principal, action, resource: &str, expected: Option<Verdict>| {
            assert_eq!(decide(who, action, resource).ok(), expected, "{action:?} {resource}");
        };
        for (resource, ..) in RULES.iter().filter(|rule| is_secret(rule.0)) {
            for action in [Read, Create, Update, Delete] {
                check(&admin, action, resource, None);
            }
        }
        check(&admin, Create, "collections", Some(Verdict::All));
        check(&plain, Create, "collections", None);
        let keeper = principal(UserType::User, &["roles"], Scopes::All);
        check(&keeper, Read, "roles", Some(Verdict::All));
        for action in [Create, Update, Delete] {
            check(&keeper, action, "roles", None);
            check(&admin, action, "roles", Some(Verdict::All));
        }
        check(&plain, Read, "cars", Some(Verdict::All));
        check(&plain, Create, "cars", None);
        check(&editor, Create, "cars", Some(Verdict::All));
        check(&plain, Update, "archive", None);
        check(&editor, Update, "archive", Some(Verdict::All));
        check(&plain, Update, "ads", Some(Verdict::Own));
        check(&plain, Read, "matches", Some(Verdict::Own));
        check(&admin, Read, "matches", Some(Verdict::All));
        check(&admin, Create, "matches", None);
        check(&plain, Read, "subscribers", None);
    }

    #[test]
    fn scopes_narrow_and_never_widen() {
        use Action::{Create, Read};
        let with = |user_type, scopes: &[&str]| {
            principal(user_type, &[], Scopes::Listed(scopes.iter().map(|&scope| scope.to_owned()).collect()))
        };
        let check = |scopes: &[&str], action, resource: &str, allowed: bool| {
            let admin = with(UserType::Administrator, scopes);
            assert_eq!(decide(&admin, action, resource).is_ok(), allowed, "{scopes:?} {action:?} {resource}");
        };
        check(&["*"], Create, "ads", true);
        check(&["read"], Read, "ads", true);
        check(&["read"], Create, "ads", false);
        check(&["write"], Read, "ads", false);
        check(&["ads:write"], Create, "ads", true);
        check(&["ads:write"], Create, "fences", false);
        check(&["ads:read", "fences:*"], Create, "fences", true);
        check(&[], Read, "ads", false);
        check(&["write"], Create, "collections", false);
        check(&["admin"], Create, "collections", true);
        assert!(decide(&with(UserType::User, &["*", "admin"]), Create, "collections").is_err());
        assert!(
            enter(&with(UserType::Administrator, &["ads:read"]), Access::SignedIn, &Method::POST).is_err()
        );
        assert!(
            enter(&with(UserType::Administrator, &["read"]), Access::Administrator, &Method::GET).is_err()
        );
    }
}
