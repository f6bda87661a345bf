//! Holds the program that came back against the books.

use std::collections::BTreeSet;

use serde_json::Value;

use super::book::{Book, Known};
use super::client::{Client, Lost, Reply};

/// What was found after a cut, besides what was promised.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    /// Requests without an answer that turned out to be done.
    pub(crate) unanswered: u64,
    /// Buffered and acknowledged, and gone.
    pub(crate) buffered_lost: u64,
}

/// Compares everything that may have changed; what is found becomes what is known. Adds what is wrong to `wrong`.
pub(crate) async fn check(
    client: &Client,
    books: &mut [Book],
    wrong: &mut Vec<String>,
) -> Result<Found, String> {
    let mut found = Found::default();
    for book in books.iter_mut() {
        wrong.append(&mut book.strange);
        arrays(client, book, wrong).await?;
        documents(client, book, &mut found, wrong).await?;
        buffered(client, book, &mut found, wrong).await?;
        jobs(client, book, wrong).await?;
        fixes(client, book, wrong).await?;
    }
    let verified = client.read("/api/verify").await?;
    if verified["differences"] != 0 {
        wrong.push(format!("verify: {verified}"));
    }
    Ok(found)
}

/// The stored content; `None` when there is none.
async fn content(client: &Client, name: &str) -> Result<Option<(u64, String)>, String> {
    match client.get(&format!("/api/cars/{name}")).await {
        Ok(Reply { status: 200, body }) => {
            let etag = body["_etag"].as_str().unwrap_or_default().to_owned();
            let n = body["n"].as_u64().ok_or_else(|| format!("{name} has no number: {body}"))?;
            Ok(Some((n, etag)))
        }
        Ok(Reply { status: 404, .. }) => Ok(None),
        Ok(Reply { status, body }) => Err(format!("{name}: {status} {body}")),
        Err(Lost) => Err(format!("{name}: no answer")),
    }
}

async fn arrays(client: &Client, book: &mut Book, wrong: &mut Vec<String>) -> Result<(), String> {
    let names = std::mem::take(&mut book.open_array);
    let mut there = 0;
    for name in &names {
        there += usize::from(content(client, name).await?.is_some());
    }
    if there != 0 && there != names.len() {
        wrong.push(format!("of the array {names:?} only {there} are there"));
    }
    Ok(())
}

async fn documents(
    client: &Client,
    book: &mut Book,
    found: &mut Found,
    wrong: &mut Vec<String>,
) -> Result<(), String> {
    for name in std::mem::take(&mut book.touched) {
        let stored = content(client, &name).await?;
        let n = stored.as_ref().map(|(n, _)| *n);
        let known = book.documents.get(&name).map(|known| known.may_be.clone()).unwrap_or_default();
        if !known.contains(&n) {
            wrong.push(format!("{name} is {n:?}, allowed was {known:?}"));
        }
        found.unanswered += u64::from(known.len() > 1 && known.last() == Some(&n));
        let etag = stored.map(|(_, etag)| etag).unwrap_or_default();
        book.documents.insert(name, Known { may_be: vec![n], etag });
    }
    Ok(())
}

/// Of those acknowledged a first part is there, and at least what a later answer made durable.
async fn buffered(
    client: &Client,
    book: &mut Book,
    found: &mut Found,
    wrong: &mut Vec<String>,
) -> Result<(), String> {
    let mut kept = 0;
    let mut ended = false;
    for name in &book.buffered {
        match content(client, name).await? {
            Some(_) if ended => wrong.push(format!("{name} is there, an earlier one is not")),
            Some(_) => kept += 1,
            None => ended = true,
        }
    }
    if kept < book.buffered_durable {
        wrong
            .push(format!("writer {}: {kept} buffered, {} were durable", book.writer, book.buffered_durable));
    }
    if let Some(open) = book.buffered_open.take()
        && content(client, &open).await?.is_some()
        && ended
    {
        wrong.push(format!("{open} is there, an earlier one is not"));
    }
    found.buffered_lost += (book.buffered.len() - kept) as u64;
    // What is there now stays; the next round begins anew.
    book.buffered.clear();
    book.buffered_durable = 0;
    Ok(())
}

async fn jobs(client: &Client, book: &mut Book, wrong: &mut Vec<String>) -> Result<(), String> {
    let mut settled = BTreeSet::new();
    for (id, n) in &book.jobs {
        let reply =
            client.get(&format!("/api/jobs/{id}")).await.map_err(|Lost| format!("job {id}: no answer"))?;
        if reply.status != 200 {
            wrong.push(format!("job {id} was accepted and is lost: {}", reply.body));
            continue;
        }
        let (state, completed) = (reply.body["state"].as_str().unwrap_or_default(), book.completed.get(id));
        // A done job has given its payload back.
        if state != "done" && reply.body["payload"]["n"] != *n {
            wrong.push(format!("job {id} is another one: {}", reply.body));
        }
        match (state, completed) {
            ("done", None) => wrong.push(format!("job {id} is done, nobody did it")),
            ("done", Some(_)) => drop(settled.insert(id.clone())),
            (_, Some(true)) => wrong.push(format!("job {id} was completed and is {state}")),
            _ => {}
        }
    }
    // A job that was seen done is not looked at in every round again.
    book.jobs.retain(|id, _| !settled.contains(id));
    Ok(())
}

async fn fixes(client: &Client, book: &mut Book, wrong: &mut Vec<String>) -> Result<(), String> {
    if book.fix_known == 0 {
        return Ok(());
    }
    let reply = client.get(&format!("/api/positions/{}", book.device())).await;
    let last = reply.map_err(|Lost| format!("{}: no answer", book.device()))?.body;
    let number = last["at"].as_str().and_then(Book::fix_number);
    if number.is_none_or(|number| number < book.fix_known || number > book.fix_sent) {
        wrong.push(format!(
            "{}: fix {} was acknowledged, the last one is {last}",
            book.device(),
            book.fix_known
        ));
    }
    Ok(())
}

/// Every document the log has gained after `since` was sent by somebody, and sequences rise; answers where it ends.
pub(crate) async fn log(
    client: &Client,
    books: &[Book],
    mut since: u64,
    wrong: &mut Vec<String>,
) -> Result<u64, String> {
    let sent = |name: &str| {
        let writer =
            name.get(1..).and_then(|rest| rest.split('-').next()).and_then(|digits| digits.parse().ok());
        let book = writer.and_then(|writer: usize| books.get(writer));
        // Buffered ones are not kept by name once they were looked at.
        book.is_some_and(|book| name.starts_with('b') || book.documents.contains_key(name))
    };
    let mut seen = BTreeSet::new();
    loop {
        let page = client.read(&format!("/api/changes?since={since}&limit=2000&collections=cars")).await?;
        for change in page["changes"].as_array().into_iter().flatten() {
            let (seq, name) =
                (change["seq"].as_u64().unwrap_or(0), change["_id"].as_str().unwrap_or_default());
            if !seen.insert(seq) || !sent(name) {
                wrong.push(format!("the log has what nobody sent, or twice: {change}"));
            }
        }
        let last = page["last_seq"].as_u64().filter(|&last| last > since);
        match last {
            Some(last) => since = last,
            None => return Ok(since),
        }
    }
}

/// A short word for a table.
pub(crate) fn verdict(wrong: &[String]) -> &'static str {
    if wrong.is_empty() { "ok" } else { "WRONG" }
}

/// The number of live documents a list tells.
pub(crate) fn total(list: &Value) -> Option<u64> {
    list["_meta"]["total"].as_u64()
}
