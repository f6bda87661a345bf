//! Resident memory follows the configuration, not the data.

use serde_json::{Value, json};

use crate::client::Client;
use crate::plan::seed;
use crate::program::Server;

const CACHE: usize = 16 << 20;
const MEMTABLES: usize = 16 << 20;
/// What may still come and go beside the caches: pages of the allocator, the index's writer, answers under way.
const SLACK_MIB: u64 = 64;
const DOCUMENT: usize = 8 << 10;
const BATCH: usize = 100;

/// Text that does not compress to nothing.
fn text(rng: &mut fastrand::Rng) -> String {
    std::iter::repeat_with(|| rng.alphanumeric()).take(DOCUMENT).collect()
}

/// Stores documents until there are as many bytes, and reads each of them.
async fn fill(admin: &Client, rng: &mut fastrand::Rng, from: usize, bytes: usize) -> usize {
    let to = bytes / DOCUMENT;
    for first in (from..to).step_by(BATCH) {
        let documents: Vec<Value> = (first..to.min(first + BATCH))
            .map(|n| json!({"_id": format!("n{n}"), "text": text(rng)}))
            .collect();
        admin.post("/api/notes", &Value::from(documents)).reply().await.expect(201);
    }
    for n in 0..to {
        let document = admin.read(&format!("/api/notes/n{n}")).await;
        assert_eq!(document["text"].as_str().map(str::len), Some(DOCUMENT), "n{n}");
    }
    to
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_the_cache_takes_no_more_memory() {
    let mut rng = fastrand::Rng::with_seed(seed("memory"));
    let mut server = Server::idle();
    server.before(&format!(
        "export DATELINE_ENGINE_CACHE_BYTES={CACHE} DATELINE_ENGINE_MEMTABLE_BYTES={MEMTABLES}"
    ));
    server.launch();
    let admin = Client::admin(&server).await;
    let notes = json!({"name": "notes", "schema": {"text": {"type": "string"}}});
    admin.post("/api/collections", &notes).reply().await.expect(201);
    let stored = fill(&admin, &mut rng, 0, 2 * CACHE).await;
    let before = server.resident_mib();
    fill(&admin, &mut rng, stored, 10 * CACHE).await;
    let after = server.resident_mib();
    eprintln!("resident: {before} MiB with 2 caches full of documents, {after} MiB with 10");
    assert!(after <= before + SLACK_MIB, "{before} MiB became {after} MiB");
}
