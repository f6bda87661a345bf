use std::ops::ControlFlow;

use dateline_engine::{CollectionOptions, Millis, Options};

use super::*;
use crate::event::{Kind, MatchTold, Reason, Source};

fn store() -> (Store, Collections) {
    let store = Store::memory(Options::new()).unwrap();
    for name in ["ads", "adlists", "fences", "devices", "matches", "fence_events"] {
        store.ensure_collection(name, CollectionOptions::default()).unwrap();
    }
    let collections = Collections::find(&store).unwrap();
    (store, collections)
}

fn events(count: u64) -> Vec<Event> {
    let told = |n: u64| MatchTold {
        list: DocId::new("l").unwrap(),
        ad: DocId::new(format!("a{n}")).unwrap(),
        device: None,
        user: None,
        name: None,
        distance_m: None,
    };
    let event = |n| Event {
        source: Source::Log { seq: 1 },
        at: Millis::new(5),
        kind: Kind::Enter,
        reason: Reason::NewAd,
        told: Told::Match(told(n)),
    };
    (0..count).map(event).collect()
}

fn tail(seq: u64) -> Tail {
    Tail { seq: Seq::new(seq), positions: PositionSeq::ZERO }
}

fn stored(store: &Store, collections: &Collections) -> Vec<u64> {
    let mut versions = Vec::new();
    let visit = |document: dateline_engine::Document| {
        versions.push(document.prev_seq.get());
        ControlFlow::Continue(())
    };
    store.snapshot().unwrap().scan(collections.matches, None, false, visit).unwrap();
    versions
}

fn open(store: &Store, collections: Collections) -> (Outbox, Option<Tail>) {
    let (mut outbox, at) = Outbox::open(store.clone(), collections, 0, Durability::Sync).unwrap();
    outbox.events_max = 3;
    (outbox, at)
}

/// The process dies after `chunks` of the commits; what follows may be cut into batches differently.
fn check(total: u64, chunks: u64, first_batch: usize) {
    let (store, collections) = store();
    let (mut outbox, at) = open(&store, collections);
    assert_eq!(at, None);
    let all = events(total);
    for chunk in 0..chunks {
        let begin = usize::try_from(chunk * 3).unwrap();
        let documents: Vec<Document> =
            all[begin..begin + 3].iter().map(|event| outbox.document(event).unwrap()).collect();
        outbox.write(Chunk { documents, through: None, told: Some(chunk * 3 + 3) }).unwrap();
    }
    outbox.settle().unwrap();
    let (mut outbox, _) = open(&store, collections);
    assert_eq!(outbox.told, chunks * 3);
    if total.is_multiple_of(2) {
        outbox.commit(&all[..first_batch], tail(7)).unwrap();
    } else {
        // More than is held at once: told before the cursor moves, in two runs.
        outbox.tell(&all[..first_batch / 2]).unwrap();
        outbox.settle().unwrap();
        (outbox, _) = open(&store, collections);
        outbox.tell(&all[..first_batch]).unwrap();
    }
    outbox.commit(&all[first_batch..], tail(9)).unwrap();
    assert_eq!(outbox.told, 0);
    outbox.settle().unwrap();
    // Every event once, and never written over.
    assert_eq!(stored(&store, &collections), vec![0; usize::try_from(total).unwrap()]);
    let (outbox, at) = open(&store, collections);
    assert_eq!((at, outbox.told), (Some(tail(9)), 0));
}

#[test]
fn a_crash_between_chunks_loses_and_doubles_nothing() {
    for (total, chunks) in
        [(0, 0), (1, 0), (3, 0), (3, 1), (10, 0), (10, 1), (10, 3), (11, 0), (11, 1), (11, 3), (12, 4)]
    {
        for first_batch in [0, 1, 2, 6, 10] {
            if first_batch <= usize::try_from(total).unwrap() {
                check(total, chunks, first_batch);
            }
        }
    }
}

#[test]
fn telling_twice_is_refused() {
    let (store, collections) = store();
    let (mut outbox, _) = open(&store, collections);
    outbox.commit(&events(2), tail(1)).unwrap();
    outbox.commit(&events(2), tail(2)).unwrap();
    assert!(outbox.settle().is_err());
}
