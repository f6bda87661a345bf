//! Damage is found when the queue is read back, whatever row it is in.

use std::time::Duration;

use super::{Bench, Rows, in_group, mail};
use crate::error::ErrorKind;
use crate::kv::families::Family;
use crate::queue::{LOAD_ORDER, Nack, NewJob, key};
use crate::types::JobId;

/// A queue with a job in every phase.
fn populated() -> Rows {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.enqueue(in_group("g"));
    }
    let unique = Some("u".to_owned());
    bench.enqueue(NewJob { unique: unique.clone(), delay: Duration::from_secs(5), ..mail() });
    bench.enqueue(NewJob { priority: 9, attempts_max: 1, ..mail() });
    bench.enqueue(NewJob { priority: 8, ..mail() });
    bench.enqueue(NewJob { priority: 7, ..mail() });
    let leases: Vec<_> = bench.lease(3).iter().map(|grant| grant.lease).collect();
    for lease in &leases[..2] {
        let nack = Nack { lease: *lease, error: "refused".to_owned(), retry_in: None };
        bench.state.apply_nack(&nack, bench.now, &mut bench.rows).unwrap();
    }
    let lane = &bench.state.lanes()[0];
    let found = (lane.ready, lane.waiting, lane.leased, lane.scheduled, lane.retrying, lane.dead);
    assert_eq!(found, (1, 1, 1, 1, 1, 1));
    bench.check_reload();
    bench.rows
}

/// The state of a leased job has no witness but its payload, which opening does not read; a store
/// that is verified compares the two.
fn has_orphans(rows: &Rows) -> bool {
    let ids = |family| rows.of(family).map(|(place, _)| key::parse_job(place)).collect::<Vec<_>>();
    ids(Family::Job) != ids(Family::Jst)
}

fn assert_corrupt(rows: &Rows, what: &str) {
    match rows.load(2, 1_000) {
        Ok(_) => assert!(has_orphans(rows), "{what} went unseen"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}"),
    }
}

#[test]
fn only_the_state_of_a_leased_job_needs_its_payload_as_witness() {
    let rows = populated();
    let mut unseen = Vec::new();
    for place in rows.map.keys().filter(|(family, _)| LOAD_ORDER.contains(family)) {
        let mut damaged = rows.clone();
        damaged.map.remove(place);
        if damaged.load(2, 1_000).is_ok() {
            unseen.push((place.0, key::parse_job(&place.1).unwrap().1));
        }
    }
    assert_eq!(unseen, [(Family::Jst, JobId::new(6))]);
}

#[test]
fn a_missing_row_is_found() {
    let rows = populated();
    for place in rows.map.keys().filter(|(family, _)| LOAD_ORDER.contains(family)) {
        let mut damaged = rows.clone();
        damaged.map.remove(place);
        assert_corrupt(&damaged, &format!("the loss of {place:02x?}"));
    }
}

#[test]
fn every_bit_of_a_key_counts() {
    let rows = populated();
    for (place, value) in rows.map.iter().filter(|((family, _), _)| LOAD_ORDER.contains(family)) {
        for bit in 0..place.1.len() * 8 {
            let mut key = place.1.clone();
            key[bit / 8] ^= 1 << (bit % 8);
            // A turn is only an order: another one is as good while it keeps to it.
            let turn_bytes = match place.0 {
                Family::Ready => 5..13,
                Family::Grp => 12..20,
                _ => 0..0,
            };
            if turn_bytes.contains(&(bit / 8)) || rows.map.contains_key(&(place.0, key.clone())) {
                continue;
            }
            let mut damaged = rows.clone();
            damaged.map.remove(place);
            damaged.map.insert((place.0, key), value.clone());
            assert_corrupt(&damaged, &format!("bit {bit} of key {place:02x?}"));
        }
    }
}

#[test]
fn every_bit_of_a_value_counts() {
    let rows = populated();
    for (place, value) in rows.map.iter().filter(|((family, _), _)| LOAD_ORDER.contains(family)) {
        for bit in 0..value.len() * 8 {
            // The time since when a job is ready is for display; it has no second witness.
            if place.0 == Family::Ready && bit / 8 >= 16 {
                continue;
            }
            let mut damaged = rows.clone();
            damaged.map.get_mut(place).unwrap()[bit / 8] ^= 1 << (bit % 8);
            assert_corrupt(&damaged, &format!("bit {bit} of value {place:02x?}"));
        }
    }
}

#[test]
fn the_error_names_family_and_key() {
    let mut rows = populated();
    let place = rows.map.keys().find(|(family, _)| *family == Family::Jst).unwrap().clone();
    rows.map.get_mut(&place).unwrap()[3] ^= 1;
    let message = rows.load(2, 1_000).unwrap_err().to_string();
    assert!(message.starts_with(r"jst/\x00\x00\x00\x01"), "{message}");
    assert!(message.contains("checksum"), "{message}");
}

#[test]
fn turns_rise_over_restarts() {
    let mut bench = Bench::new();
    bench.enqueue(mail());
    bench.lease_one();
    // Nothing on disk tells the last turn now, yet it must not be given again.
    bench.state = bench.rows.load(2, 1_000).unwrap();
    bench.enqueue(mail());
    bench.check_reload();
}
