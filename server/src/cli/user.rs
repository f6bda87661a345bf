//! `dateline user`: who may sign in.

use std::io::Read;

use clap::{Args as ClapArgs, Subcommand};
use dateline_engine::{Durability, Transaction};
use hyper::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::outcome::{Exit, Failure};
use super::output::Output;
use super::place::{Offline, Place, PlaceArgs};
use crate::auth::{password, users};
use crate::ids;

const LISTED_MAX: usize = 100_000;

/// Arguments of `user`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add a user; without a given password one is made and printed
    Add {
        /// Name to sign in with
        name: String,
        /// Make an administrator
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// List users
    List {
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Set a user's password and end the user's sessions
    Passwd {
        /// Name of the user
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Remove a user with the user's sessions and keys
    Remove {
        /// Name of the user
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// Where a password comes from; never from the command line, which others can see.
#[derive(ClapArgs)]
struct PasswordArgs {
    /// Read the password from standard input, without the line's end; else from DATELINE_PASSWORD, else made up
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordArgs {
    /// The password, and whether it was made up and must be shown.
    fn take(&self) -> Result<(String, bool), Failure> {
        if self.password_stdin {
            let mut text = String::new();
            std::io::stdin().lock().take(4096).read_to_string(&mut text)?;
            return Ok((text.trim_end_matches(['\r', '\n']).to_owned(), false));
        }
        match std::env::var("DATELINE_PASSWORD") {
            Ok(text) => Ok((text, false)),
            Err(_) => Ok((ids::hex(&ids::random::<12>()?), true)),
        }
    }
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Add { name, admin, password, place } => add(&place, &name, admin, &password, output),
        Command::List { place } => list(&place, output),
        Command::Passwd { name, password, place } => set_password(&place, &name, &password, output),
        Command::Remove { name, place } => remove(&place, &name, output),
    }
}

fn add(
    place: &PlaceArgs,
    name: &str,
    admin: bool,
    password: &PasswordArgs,
    output: &Output,
) -> Result<(), Failure> {
    if !users::is_username(name) {
        return Err(Failure::usage(format!("'{name}' cannot be a user name: 1 to 100 bytes without spaces")));
    }
    let (text, made_up) = password.take()?;
    let user_type = if admin { "administrator" } else { "user" };
    let id = match place.open()? {
        Place::Offline(offline) => add_offline(&offline, name, user_type, &text)?,
        Place::Server(client) => {
            // The server calls a taken name invalid, as Eve does; a script wants to know it as a conflict.
            match on_server(&client, name) {
                Ok(_) => return Err(exists(name)),
                Err(failure) if failure.exit == Exit::NotFound => {}
                Err(failure) => return Err(failure),
            }
            let body = json!({"username": name, "password": text, "user_type": user_type});
            let saved = client.call(Method::POST, "/api/users", Some(&body))?;
            saved.get("_id").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
    };
    told(output, &id, name, user_type, made_up.then_some(text.as_str()))
}

fn add_offline(offline: &Offline, name: &str, user_type: &str, text: &str) -> Result<String, Failure> {
    let (store, auth) = (&offline.store, &offline.auth);
    if auth.users().find(store, name)?.is_some() {
        return Err(exists(name));
    }
    auth.check_new_password(text)?;
    let hash = password::hash(text)?;
    let id = ids::new_id(store.now())?;
    let fields = users::body(name, user_type);
    store.commit(auth.users().create(Transaction::new(Durability::Sync), &id, &fields, Some(&hash)))?;
    Ok(id.as_str().to_owned())
}

fn told(
    output: &Output,
    id: &str,
    name: &str,
    user_type: &str,
    made_up: Option<&str>,
) -> Result<(), Failure> {
    let mut value = json!({"_id": id, "username": name, "user_type": user_type});
    let mut text = format!("{id} {name} {user_type}");
    if let Some(password) = made_up {
        value["password"] = password.into();
        text = format!("{text}\npassword {password}");
    }
    output.data(text, &value)
}

fn list(place: &PlaceArgs, output: &Output) -> Result<(), Failure> {
    let found: Vec<Value> = match place.open()? {
        Place::Offline(offline) => {
            let users = offline.auth.users().list(&offline.store, LISTED_MAX)?;
            users
                .iter()
                .map(|user| {
                    let mut fields = user.fields.clone();
                    fields.insert("_id".into(), user.id().as_str().into());
                    Value::Object(fields)
                })
                .collect()
        }
        Place::Server(client) => pages(&client, "/api/users")?,
    };
    for user in found {
        let text = |name: &str| user.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let enabled = if user.get("is_enabled") == Some(&Value::Bool(false)) { " disabled" } else { "" };
        output.data(format!("{} {} {}{enabled}", text("_id"), text("username"), text("user_type")), &user)?;
    }
    Ok(())
}

/// Every item of a list, page by page.
fn pages(client: &Client, path: &str) -> Result<Vec<Value>, Failure> {
    let mut items = Vec::new();
    for page in 1.. {
        let body = client.call(Method::GET, &format!("{path}?max_results=500&page={page}"), None)?;
        let found = body.get("_items").and_then(Value::as_array).cloned().unwrap_or_default();
        let last = found.len() < 500;
        items.extend(found);
        if last || items.len() >= LISTED_MAX {
            break;
        }
    }
    Ok(items)
}

fn set_password(
    place: &PlaceArgs,
    name: &str,
    password: &PasswordArgs,
    output: &Output,
) -> Result<(), Failure> {
    let (text, made_up) = password.take()?;
    let (id, user_type) = match place.open()? {
        Place::Offline(offline) => {
            let (store, auth) = (&offline.store, &offline.auth);
            let user = auth.users().find(store, name)?.ok_or_else(|| no_user(name))?;
            auth.check_new_password(&text)?;
            let hash = password::hash(&text)?;
            let tx = Transaction::new(Durability::Sync);
            let tx = auth.users().set_password(tx, user.id(), user.username(), Some(&hash));
            let sessions = auth.sessions().of_user(store, user.id())?;
            store.commit(auth.sessions().end_all(tx, &sessions))?;
            (user.id().as_str().to_owned(), user.user_type().to_owned())
        }
        Place::Server(client) => {
            let user = on_server(&client, name)?;
            let body = json!({"password": text});
            client.change(Method::PATCH, &format!("/api/users/{}", user.id), &user.etag, Some(&body))?;
            (user.id, user.user_type)
        }
    };
    told(output, &id, name, &user_type, made_up.then_some(text.as_str()))
}

fn remove(place: &PlaceArgs, name: &str, output: &Output) -> Result<(), Failure> {
    let id = match place.open()? {
        Place::Offline(offline) => {
            let (store, auth) = (&offline.store, &offline.auth);
            let user = auth.users().find(store, name)?.ok_or_else(|| no_user(name))?;
            let tx = auth.users().remove(Transaction::new(Durability::Sync), user.id());
            let tx = auth.sessions().end_all(tx, &auth.sessions().of_user(store, user.id())?);
            let keys = auth.keys().list(store, Some(user.id()), LISTED_MAX)?;
            store.commit(auth.keys().end_all(tx, &keys))?;
            user.id().as_str().to_owned()
        }
        Place::Server(client) => {
            let user = on_server(&client, name)?;
            client.change(Method::DELETE, &format!("/api/users/{}", user.id), &user.etag, None)?;
            user.id
        }
    };
    output.data(format!("removed {id} {name}"), &json!({"_id": id, "username": name, "removed": true}))
}

fn exists(name: &str) -> Failure {
    Failure::new(Exit::Conflict, format!("user '{name}' exists already"))
}

fn no_user(name: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("there is no user '{name}'"))
}

struct ServerUser {
    id: String,
    etag: String,
    user_type: String,
}

fn on_server(client: &Client, name: &str) -> Result<ServerUser, Failure> {
    let query = json!({"username": name}).to_string();
    let found =
        client.call(Method::GET, &format!("/api/users?max_results=1&where={}", percent(&query)), None)?;
    let user = found.pointer("/_items/0").ok_or_else(|| no_user(name))?;
    let text = |field: &str| user.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
    Ok(ServerUser { id: text("_id"), etag: text("_etag"), user_type: text("user_type") })
}

/// Everything but letters and digits, as a query wants it.
fn percent(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
