//! `dateline token`: API keys.

use clap::{Args as ClapArgs, Subcommand};
use dateline_engine::{DocId, Millis};
use hyper::Method;
use serde_json::{Value, json};

use super::outcome::{Exit, Failure};
use super::output::Output;
use super::place::{Place, PlaceArgs};
use crate::auth::keys;

const LISTED_MAX: usize = 100_000;

/// Arguments of `token`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key; it is printed once and stored nowhere
    Create {
        /// What the key is for
        name: String,
        /// Whose key it is; needed with --data
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// *, read, write, admin, RESOURCE:read, RESOURCE:write or RESOURCE:*; may be repeated
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<String>,
        /// Ends after so many days; without it the key has no end
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3660))]
        expires_days: Option<u64>,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// List keys, without their secrets
    List {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// End a key
    Revoke {
        /// Its id
        id: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Create { name, user, scopes, expires_days, place } => {
            let wanted = Wanted { name, user, scopes, expires_s: expires_days.map(|days| days * 86_400) };
            create(&place, &wanted, output)
        }
        Command::List { place } => list(&place, output),
        Command::Revoke { id, place } => revoke(&place, &id, output),
    }
}

struct Wanted {
    name: String,
    user: Option<String>,
    scopes: Vec<String>,
    expires_s: Option<u64>,
}

fn create(place: &PlaceArgs, wanted: &Wanted, output: &Output) -> Result<(), Failure> {
    if let Some(bad) = wanted.scopes.iter().find(|scope| !keys::is_scope(scope)) {
        return Err(Failure::usage(format!("'{bad}' is not a scope")));
    }
    let (id, text) = match place.open()? {
        Place::Offline(offline) => {
            let (store, auth) = (&offline.store, &offline.auth);
            let name =
                wanted.user.as_deref().ok_or_else(|| Failure::usage("say whose key it is, with --user"))?;
            let user = auth
                .users()
                .find(store, name)?
                .ok_or_else(|| Failure::new(Exit::NotFound, format!("there is no user '{name}'")))?;
            let expires = wanted.expires_s.map(|seconds| Millis::new(store.now().get() + seconds * 1000));
            let key = auth.keys().create(user.id(), &wanted.name, &wanted.scopes, expires)?;
            store.commit(key.transaction)?;
            (key.id.as_str().to_owned(), key.text)
        }
        Place::Server(client) => {
            let mut body = json!({"name": wanted.name, "scopes": wanted.scopes});
            if let Some(user) = &wanted.user {
                body["user"] = user.as_str().into();
            }
            if let Some(seconds) = wanted.expires_s {
                body["expires_in_s"] = seconds.into();
            }
            let made = client.call(Method::POST, "/api/tokens", Some(&body))?;
            let text = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
            (text("_id"), text("token"))
        }
    };
    output.talk(format!("key {id}; its secret is shown only now"));
    output.data(&text, &json!({"_id": id, "token": text, "name": wanted.name, "scopes": wanted.scopes}))
}

fn list(place: &PlaceArgs, output: &Output) -> Result<(), Failure> {
    let found: Vec<Value> = match place.open()? {
        Place::Offline(offline) => {
            let found = offline.auth.keys().list(&offline.store, None, LISTED_MAX)?;
            found.iter().map(keys::shown).collect::<dateline_engine::Result<_>>()?
        }
        Place::Server(client) => {
            let body = client.call(Method::GET, "/api/tokens", None)?;
            body.get("_items").and_then(Value::as_array).cloned().unwrap_or_default()
        }
    };
    for key in found {
        let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        let scopes: Vec<&str> = key
            .get("scopes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let (id, user, expires) = (text("_id"), text("user"), text("expires"));
        output
            .data(format!("{id} user {user} ends {expires} [{}] {}", scopes.join(" "), text("name")), &key)?;
    }
    Ok(())
}

fn revoke(place: &PlaceArgs, id: &str, output: &Output) -> Result<(), Failure> {
    match place.open()? {
        Place::Offline(offline) => {
            offline.store.commit(offline.auth.keys().revoke(&DocId::new(id)?)).map_err(
                |error| match error.kind() {
                    dateline_engine::ErrorKind::Conflict => {
                        Failure::new(Exit::NotFound, format!("there is no key '{id}'"))
                    }
                    _ => error.into(),
                },
            )?;
        }
        Place::Server(client) => {
            client.call(Method::DELETE, &format!("/api/tokens/{id}"), None)?;
        }
    }
    output.data(format!("revoked {id}"), &json!({"_id": id, "revoked": true}))
}
