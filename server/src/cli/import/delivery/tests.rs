//! Against a server that behaves like the real one as far as arrays go: all or nothing, ids once.

use std::sync::Mutex;

use super::*;

/// Refuses documents with `bad`, or arrays longer than `array_max`; answers `moods` first.
struct Double {
    stored: Mutex<HashMap<String, Value>>,
    requests: Mutex<Vec<(Method, String)>>,
    moods: Mutex<Vec<Result<u16, ()>>>,
    names_issues: bool,
    array_max: usize,
}

impl Double {
    fn new() -> Self {
        let (stored, requests, moods) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { stored, requests, moods, names_issues: true, array_max: 1000 }
    }

    fn create(&self, documents: Vec<Value>) -> (u16, Value) {
        if documents.len() > self.array_max {
            return (413, json!({"detail": "too large"}));
        }
        let is_bad = |document: &Value| document.get("bad").is_some();
        if documents.iter().any(is_bad) {
            let told = |document: &Value| match is_bad(document) {
                true => json!({"_status": "ERR", "_issues": {"bad": "unknown field"}}),
                false => json!({"_status": "OK"}),
            };
            let body = match (self.names_issues, documents.len()) {
                (true, 2..) => json!({"_items": documents.iter().map(told).collect::<Value>()}),
                (true, _) => json!({"detail": "invalid", "_issues": {"bad": "unknown field"}}),
                (false, _) => json!({"detail": "some document is bad"}),
            };
            return (400, body);
        }
        let mut stored = self.stored.lock().unwrap();
        let ids: Vec<String> = documents.iter().map(|d| d["_id"].as_str().unwrap().to_owned()).collect();
        let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
        if distinct.len() < ids.len() || ids.iter().any(|id| stored.contains_key(id)) {
            return (409, json!({"detail": "a document with this _id exists already"}));
        }
        stored.extend(ids.into_iter().zip(documents));
        (201, json!({}))
    }

    fn list(&self, path: &str) -> (u16, Value) {
        let stored = self.stored.lock().unwrap();
        let found = stored.iter().filter(|(id, _)| path.contains(&format!("%22{id}%22")));
        (200, json!({"_items": found.map(|(_, document)| document.clone()).collect::<Value>()}))
    }
}

impl Wire for std::sync::Arc<Double> {
    fn send(
        &self,
        method: Method,
        path: &str,
        _: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Reply, Failure> {
        self.requests.lock().unwrap().push((method.clone(), path.to_owned()));
        let mood = self.moods.lock().unwrap().pop();
        let (status, body) = match mood {
            Some(Err(())) => return Err(Failure::new(Exit::Unavailable, "connection reset")),
            Some(Ok(status)) => (status, json!({"detail": "in a mood", "retry_after": 0})),
            None => match (method, body) {
                (Method::POST, Some(body)) => self.create(serde_json::from_slice(&body).unwrap()),
                _ => self.list(path),
            },
        };
        Ok(Reply { status, body: body.to_string().into() })
    }
}

fn item(line: u64, document: Value) -> Item {
    let Value::Object(document) = document else { panic!("not a document") };
    let id = document.get("_id").and_then(Value::as_str).map(str::to_owned);
    let text = Value::Object(document.clone()).to_string();
    Item { line, row: document.clone(), document, id, id_is_digest: false, text }
}

fn deliver(server: &std::sync::Arc<Double>, items: Vec<Item>) -> Result<Done, Failure> {
    let stop = AtomicBool::new(false);
    let wire = Box::new(std::sync::Arc::clone(server));
    let delivery = Delivery { wire, collection: "cars", stop: &stop };
    delivery.deliver(Batch { items, ..Batch::default() })
}

fn lines(done: &Done) -> Vec<u64> {
    done.rejects.iter().map(|reject| reject.line).collect()
}

fn numbered(count: u64, bad: &[u64]) -> Vec<Item> {
    let document = |line: u64| match bad.contains(&line) {
        true => json!({"_id": format!("d{line}"), "bad": 1}),
        false => json!({"_id": format!("d{line}"), "n": line}),
    };
    (1..=count).map(|line| item(line, document(line))).collect()
}

#[test]
fn only_bad_rows_are_rejected_with_their_issues() {
    let server = std::sync::Arc::new(Double::new());
    let done = deliver(&server, numbered(20, &[3, 20])).unwrap();
    assert_eq!((done.imported, lines(&done)), (18, vec![3, 20]));
    assert_eq!(Value::Object(done.rejects[0].issues.clone()), json!({"bad": "unknown field"}));
    assert_eq!(server.requests.lock().unwrap().len(), 2);
    let alone = deliver(&server, numbered(1, &[1])).unwrap();
    assert_eq!((alone.imported, lines(&alone)), (0, vec![1]));
}

#[test]
fn halves_find_bad_rows_that_nobody_names() {
    let server = std::sync::Arc::new(Double { names_issues: false, ..Double::new() });
    let done = deliver(&server, numbered(33, &[1, 17, 18])).unwrap();
    assert_eq!((done.imported, lines(&done)), (30, vec![1, 17, 18]));
    assert!(done.rejects[0].reason.contains("some document is bad"));
    let narrow = std::sync::Arc::new(Double { array_max: 3, ..Double::new() });
    assert_eq!(deliver(&narrow, numbered(20, &[])).unwrap().imported, 20);
}

#[test]
fn rows_sent_again_are_imported_once() {
    let server = std::sync::Arc::new(Double::new());
    deliver(&server, numbered(300, &[])).unwrap();
    let before = server.requests.lock().unwrap().len();
    let done = deliver(&server, numbered(400, &[])).unwrap();
    assert_eq!((done.imported, lines(&done)), (400, vec![]));
    assert_eq!(server.stored.lock().unwrap().len(), 400);
    let requests = server.requests.lock().unwrap();
    assert!(requests.len() - before < 10, "{}", requests.len() - before);
    assert!(requests.iter().all(|(_, path)| path.len() < 8 << 10));
}

#[test]
fn another_content_under_the_same_id_is_rejected() {
    let server = std::sync::Arc::new(Double::new());
    let document = |n: u64| json!({"_id": "a", "n": n});
    deliver(&server, vec![item(1, document(1))]).unwrap();
    let done = deliver(&server, vec![item(1, document(1)), item(2, document(2))]).unwrap();
    assert_eq!((done.imported, lines(&done)), (1, vec![2]));
    let digest = Item { id_is_digest: true, ..item(2, document(2)) };
    assert_eq!(deliver(&server, vec![digest]).unwrap().imported, 1);
    // Twice in one file: the first one counts.
    let done =
        deliver(&server, vec![item(1, json!({"_id": "b", "n": 1})), item(2, json!({"_id": "b", "n": 2}))]);
    assert_eq!(lines(&done.unwrap()), [2]);
}

#[test]
fn an_overloaded_server_is_waited_for_and_a_forbidding_one_is_not() {
    let server = std::sync::Arc::new(Double::new());
    *server.moods.lock().unwrap() = vec![Ok(429)];
    assert_eq!(deliver(&server, numbered(2, &[])).unwrap().imported, 2);
    *server.moods.lock().unwrap() = vec![Ok(403)];
    let failure = deliver(&server, numbered(2, &[])).unwrap_err();
    assert!(failure.exit == Exit::Error && failure.message.contains("in a mood"));
    *server.moods.lock().unwrap() = vec![Ok(404)];
    assert_eq!(deliver(&server, numbered(2, &[])).unwrap_err().exit, Exit::NotFound);
}

#[test]
fn nobody_waits_after_a_stop() {
    let server = std::sync::Arc::new(Double::new());
    *server.moods.lock().unwrap() = vec![Err(())];
    let stop = AtomicBool::new(true);
    let wire = Box::new(std::sync::Arc::clone(&server));
    let delivery = Delivery { wire, collection: "cars", stop: &stop };
    let failure = delivery.deliver(Batch { items: numbered(1, &[]), ..Batch::default() }).unwrap_err();
    assert_eq!(failure.exit, Exit::Unavailable);
}
