//! API keys: documents of `api_keys` with the hash of a key, its user, its scopes and its end.

use dateline_engine::{
    CollectionId, Condition, DocId, Document, Durability, Error, Millis, Result, Store, Transaction,
};
use serde_json::{Value, json};

use super::token;

/// Where keys are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    pub(crate) collection: CollectionId,
}

/// A good key.
pub(crate) struct Key {
    pub(crate) id: DocId,
    pub(crate) user: DocId,
    pub(crate) scopes: Vec<String>,
}

/// A key about to be stored; the text is shown once and then nowhere to be found.
pub(crate) struct NewKey {
    pub(crate) id: DocId,
    pub(crate) text: String,
    pub(crate) transaction: Transaction,
}

impl Keys {
    /// The key of a text, if it is alive.
    pub(crate) fn find(&self, store: &Store, text: &str) -> Result<Option<Key>> {
        let Some((id, digest)) = token::key_of(text) else { return Ok(None) };
        let Some(document) = store.get(self.collection, id.as_str())? else { return Ok(None) };
        let fields = parse(&document)?;
        let known = fields.get("key_sha256").and_then(Value::as_str).unwrap_or("");
        if !token::same_digest(known, &digest) {
            return Ok(None);
        }
        let user = DocId::new(fields.get("user").and_then(Value::as_str).unwrap_or(""))?;
        let scopes = fields.get("scopes").and_then(Value::as_array).into_iter().flatten();
        let scopes = scopes.filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Some(Key { id, user, scopes }))
    }

    /// A new key for a user.
    pub(crate) fn create(
        &self,
        user: &DocId,
        name: &str,
        scopes: &[String],
        expires: Option<Millis>,
    ) -> Result<NewKey> {
        let fresh = token::new_key()?;
        let body = json!({"user": user.as_str(), "name": name, "scopes": scopes, "key_sha256": fresh.digest});
        let body = body.to_string().into_bytes();
        let (id, tx) = (fresh.id.clone(), Transaction::new(Durability::Sync));
        let transaction = match expires {
            Some(end) => tx.put_until(self.collection, id, Condition::Absent, body, end),
            None => tx.put(self.collection, id, Condition::Absent, body),
        };
        Ok(NewKey { id: fresh.id, text: fresh.text, transaction })
    }

    /// Keys of one user, or of all.
    pub(crate) fn list(&self, store: &Store, user: Option<&DocId>, limit: usize) -> Result<Vec<Document>> {
        if let Some(user) = user {
            let ids = store.lookup(self.collection, "user", &[Value::from(user.as_str())])?;
            let found = ids.iter().take(limit).map(|id| store.get(self.collection, id.as_str()));
            return Ok(found.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect());
        }
        let mut documents = Vec::new();
        store.snapshot()?.scan(self.collection, None, false, |document| {
            documents.push(document.clone());
            if documents.len() < limit {
                std::ops::ControlFlow::Continue(())
            } else {
                std::ops::ControlFlow::Break(())
            }
        })?;
        Ok(documents)
    }

    /// Ends a key.
    pub(crate) fn revoke(&self, id: &DocId) -> Transaction {
        Transaction::new(Durability::Sync).delete(self.collection, id.clone(), Condition::Present)
    }

    /// Adds the writes that end keys.
    pub(crate) fn end_all(&self, tx: Transaction, keys: &[Document]) -> Transaction {
        keys.iter().fold(tx, |tx, key| tx.delete(self.collection, key.id.clone(), Condition::Always))
    }
}

/// A key as it may be shown: without its hash.
pub(crate) fn shown(document: &Document) -> Result<Value> {
    let mut fields = parse(document)?;
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("key_sha256");
        fields.insert("_id".into(), document.id.as_str().into());
        fields.insert("_created".into(), crate::eve::date::format(document.created.get()).into());
        fields
            .insert("expires".into(), document.expires.map(|end| crate::eve::date::format(end.get())).into());
    }
    Ok(fields)
}

/// Whether a text can be a scope.
pub(crate) fn is_scope(text: &str) -> bool {
    match text.split_once(':') {
        None => matches!(text, "*" | "read" | "write" | "admin"),
        Some((resource, what)) => {
            let named = !resource.is_empty()
                && resource.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            named && matches!(what, "read" | "write" | "*")
        }
    }
}

fn parse(document: &Document) -> Result<Value> {
    serde_json::from_slice(&document.body)
        .map_err(|error| Error::corrupt(format!("api_keys/{}: {error}", document.id)))
}
