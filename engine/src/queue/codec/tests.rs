//! Golden bytes, round trips, and every way in which bytes can be wrong.

use bytes::Bytes;
use proptest::prelude::*;

use super::key;
use super::lane::*;
use super::record::*;
use crate::queue::entry::{Entry, More, Phase, Progress};
use crate::queue::hash::{GroupHash, UniqueHash};
use crate::queue::job::{JobState, NewJob};
use crate::queue::lane::{GroupOnFail, LaneId, LaneSettings};
use crate::queue::lease::Holder;
use crate::queue::rate::{Meter, Rate};
use crate::queue::retry::{Backoff, Retry, Waits};
use crate::queue::timers::TimerKind;
use crate::types::{Epoch, JobId, Millis};

const LANE: LaneId = LaneId::new(2);
const ID: JobId = JobId::new(42);
const AT: Millis = Millis::new(1_700_000_000_500);

const GOLDEN_JOB: &str = "0101000200020000006775767b7d4ffe073c";
const GOLDEN_STATE: &str = "01030901030000000a00000001000000040000000068e5cf8b0100009069e5cf8b010000f469e5cf \
    8b01000088776655443322113031323334353637383961626364656602006e6ff4cea237";
const GOLDEN_STATE_MORE: &str = "02040902030000000a00000001000000040000000068e5cf8b0100009069e5cf8b010000f469e5cf8b010000 \
    88776655443322113031323334353637383961626364656602000700000000000000f469e5cf8b0100002804 \
    00116e6f68616c660301000000000000000200000000000000e766ae7c";
const GOLDEN_LANE_MORE: &str = "02000a00000005000000000000003200000000000000005c2605000000000000000000000000000000000000 \
    0000040002010300000080ee3600000000000a000000e803000000000000040000000100000060ea00000000 \
    000001000000116d61696c0205000000000000003200000000000000b1faaf38";
const GOLDEN_JOB_MORE: &str = "02010002000200000001006b6775767b7d4e109423";
const GOLDEN_DEAD: &str = "01030000000068e5cf8b01000002006e6fec8bdd7a";
const GOLDEN_DONE: &str = "010501030000000068e5cf8b0100009069e5cf8b010000020000006f6b0dd3cf23";
const GOLDEN_LANE: &str = "01010a000000e803000000000000a0bb0d0000000000005c26050000000000000000000000000000 \
    00000000000004006d61696c33cf3661";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry() -> Entry {
    Entry {
        lane: LaneId::new(0),
        phase: Phase::Leased(Holder::Process),
        priority: 9,
        attempt: 3,
        attempts_max: 10,
        attempts_base: 1,
        lease_epoch: Epoch::new(4),
        enqueued: Millis::new(1_700_000_000_000),
        started: Millis::new(1_700_000_000_400),
        at: AT,
        turn: 0,
        group: GroupHash::from_raw(0x1122_3344_5566_7788),
        unique: UniqueHash::from_raw(*b"0123456789abcdef"),
        error: Some("no".into()),
        key: GroupHash::from_raw(0x1122_3344_5566_7788),
        more: None,
    }
}

fn job() -> NewJob {
    NewJob { group: Some("g".to_owned()), unique: Some("uv".to_owned()), ..NewJob::new("mail", &b"{}"[..]) }
}

/// A job that has everything few jobs have.
fn amended() -> Entry {
    let progress = Progress { percent: Some(40), message: Some("half".to_owned()) };
    let retry = Retry { backoff: Backoff::List(Waits::new(&[1, 2]).unwrap()), ms_base: 0, ms_max: 0 };
    let more = More { deadline: AT, retry: Some(retry), progress: Some(progress) };
    Entry { key: GroupHash::from_raw(7), phase: Phase::Skipped, more: Some(Box::new(more)), ..entry() }
}

/// A lane that has everything few lanes have.
fn limited() -> LaneSettings {
    LaneSettings {
        retry: Retry { backoff: Backoff::Linear, ms_base: 5, ms_max: 50 },
        key_leased_max: 3,
        rate: Some(Rate { jobs: 10, per_ms: 1_000, burst: 4 }),
        key_rate: Some(Rate { jobs: 1, per_ms: 60_000, burst: 1 }),
        group_on_fail: GroupOnFail::Skip,
        age_ms_max: 3_600_000,
        draining: true,
        ..LaneSettings::INITIAL
    }
}

#[test]
fn keys_golden_bytes() {
    assert_eq!(hex(&key::job(LANE, ID)), "00000002000000000000002a");
    assert_eq!(hex(&key::ready(LANE, 9, 7)), "00000002f60000000000000007");
    assert_eq!(
        hex(&key::timer(AT, TimerKind::Retry, LANE, ID)),
        "0000018bcfe569f40200000002000000000000002a"
    );
    assert_eq!(
        hex(&key::group(LANE, GroupHash::from_raw(0x1122), 7)),
        "0000000200000000000011220000000000000007"
    );
    assert_eq!(
        hex(&key::unique(LANE, UniqueHash::from_raw(*b"0123456789abcdef"))),
        "0000000230313233343536373839616263646566"
    );
    assert_eq!(hex(&key::filed(LANE, AT, ID)), "000000020000018bcfe569f4000000000000002a");
    assert_eq!(hex(&key::finished(ID)), "00000000000000000000002a");
    assert_eq!(hex(&key::meta_lane(LANE)), "71756575652f6c616e652f00000002");
    let rate = key::meta_rate(LANE, GroupHash::from_raw(0x1122));
    assert_eq!(hex(&rate), "71756575652f726174652f000000020000000000001122");
}

#[test]
fn values_golden_bytes() {
    // The checksums were computed with another implementation of CRC32C.
    assert_eq!(hex(&encode_envelope(&job())), GOLDEN_JOB.replace(' ', ""));
    assert_eq!(hex(&encode_state(&entry())), GOLDEN_STATE.replace(' ', ""));
    assert_eq!(hex(&encode_dead(&entry(), "no")), GOLDEN_DEAD.replace(' ', ""));
    assert_eq!(hex(&encode_done(&entry(), JobState::Done, Some(b"ok"))), GOLDEN_DONE.replace(' ', ""));
    assert_eq!(hex(&encode_lane("mail", true, &LaneSettings::INITIAL)), GOLDEN_LANE.replace(' ', ""));
    assert_eq!(hex(&encode_state(&amended())), GOLDEN_STATE_MORE.replace(' ', ""));
    assert_eq!(hex(&encode_lane("mail", false, &limited())), GOLDEN_LANE_MORE.replace(' ', ""));
    let keyed = NewJob { key: Some("k".to_owned()), ..job() };
    assert_eq!(hex(&encode_envelope(&keyed)), GOLDEN_JOB_MORE.replace(' ', ""));
    assert_eq!(hex(&encode_meter(Meter::new(1_700_000_000_500_000))), "20e12518240a0600");
    let ready = encode_ready(ID, GroupHash::from_raw(0x1122), AT);
    assert_eq!(hex(&ready), "2a000000000000002211000000000000f469e5cf8b010000");
    assert_eq!(hex(&encode_waiting(ID)), "2a00000000000000");
    assert_eq!(hex(&encode_unique(ID)), "2a000000000000000000000000000000");
    assert_eq!(hex(&encode_finished(LANE, AT)), "02000000f469e5cf8b010000");
}

#[test]
fn a_state_record_stays_small() {
    let bare = encode_state(&Entry { error: None, ..entry() });
    assert!((40..=90).contains(&bare.len()), "{} bytes", bare.len());
}

/// Every cut, every flipped bit and every added byte must be refused.
fn check_refused(value: &[u8], read: impl Fn(&[u8]) -> bool) {
    assert!(read(value));
    for len in 0..value.len() {
        assert!(!read(&value[..len]), "cut to {len}");
    }
    for bit in 0..value.len() * 8 {
        let mut bad = value.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(!read(&bad), "bit {bit} flipped");
    }
    assert!(!read(&[value, &[0]].concat()), "a byte added");
}

#[test]
fn damage_is_refused() {
    check_refused(&encode_envelope(&job()), |value| decode_envelope(value.to_vec()).is_ok());
    check_refused(&encode_state(&entry()), |value| decode_state(value).is_ok());
    check_refused(&encode_dead(&entry(), "no"), |value| decode_dead(value).is_ok());
    let done = encode_done(&entry(), JobState::Cancelled, Some(b"ada"));
    check_refused(&done, |value| decode_done(ID, AT, value.to_vec()).is_ok());
    let lane = encode_lane("mail", false, &LaneSettings::INITIAL);
    check_refused(&lane, |value| decode_lane(value).is_ok());
    check_refused(&encode_lane("mail", false, &limited()), |value| decode_lane(value).is_ok());
    check_refused(&encode_state(&amended()), |value| decode_state(value).is_ok());
    let keyed = NewJob { key: Some("k".to_owned()), ..job() };
    check_refused(&encode_envelope(&keyed), |value| decode_envelope(value.to_vec()).is_ok());
    for len in (0..8).chain(9..12) {
        assert!(decode_meter(&vec![1; len]).is_err());
    }
    assert!(decode_meter(&[0; 8]).is_err(), "a full bucket has no row");
    for len in (0..24).chain(25..30) {
        assert!(decode_ready(&vec![0; len]).is_err());
    }
    for len in (0..8).chain(9..12) {
        assert!(decode_waiting(&vec![0; len]).is_err());
    }
    for len in (0..16).chain(17..20) {
        assert!(decode_unique(&vec![0; len]).is_err());
    }
    assert!(decode_unique(&[1; 16]).is_err(), "an end of a unique key is not written by this version");
}

/// Seals any header and tail as an encoder would, so that only the meaning is wrong.
fn sealed(parts: &[&[u8]]) -> Vec<u8> {
    sealed_as(1, parts)
}

fn sealed_as(format: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut value = [&[format], &parts.concat()[..]].concat();
    value.extend_from_slice(&crc32c::crc32c(&value).to_le_bytes());
    value
}

#[test]
fn well_sealed_nonsense_is_refused() {
    let header = encode_state(&Entry { error: None, ..entry() });
    let header = &header[1..header.len() - 4];
    let with = |place: usize, byte: u8| {
        let mut header = header.to_vec();
        header[place] = byte;
        decode_state(&sealed(&[&header]))
    };
    assert!(decode_state(&sealed(&[header])).is_ok());
    for (place, byte, what) in [
        (0, 0, "no such state"),
        (0, JobState::Done as u8, "a done job has no state record"),
        (0, JobState::Ready as u8, "only a lease has flags"),
        (2, 2, "only a retrying job is passed over"),
        (2, 4, "no such flag"),
        (1, 16, "no such priority"),
        (header.len() - 2, 1, "an error that is not there"),
    ] {
        assert!(with(place, byte).is_err(), "{what}");
    }
    assert!(decode_state(&sealed(&[header, b"x"])).is_err(), "an error that is not announced");
    let nothing = [&[0; 16][..], &[u8::MAX, 0, 0, 0]].concat();
    assert!(decode_state(&sealed_as(2, &[header, &nothing])).is_err(), "a second header that says nothing");
    let percent = [&[0; 16][..], &[101, 0, 0, 0]].concat();
    assert!(decode_state(&sealed_as(2, &[header, &percent])).is_err(), "101 percent");
    let plain = encode_lane("mail", false, &LaneSettings::INITIAL);
    let (fields, name) = plain[1..plain.len() - 4].split_at(plain.len() - 9);
    let nothing = [&[1][..], &[0; 46]].concat();
    assert!(
        decode_lane(&sealed_as(2, &[fields, &nothing, name])).is_err(),
        "a second header that says nothing"
    );
    let mut unknown = encode_state(&entry());
    unknown[0] = 3;
    let end = unknown.len() - 4;
    let crc = crc32c::crc32c(&unknown[..end]).to_le_bytes();
    unknown[end..].copy_from_slice(&crc);
    assert!(decode_state(&unknown).unwrap_err().to_string().contains("format"));
    assert!(decode_lane(&encode_lane("no spaces", false, &LaneSettings::INITIAL)).is_err());
    let dead = encode_done(&entry(), JobState::Dead, None);
    assert!(decode_done(ID, AT, dead).is_err());
    assert!(decode_dead(&sealed(&[&[0; 12], &[2, 0], &[0xff, 0xfe]])).is_err(), "not UTF-8");
}

#[test]
fn an_empty_result_differs_from_none() {
    let read = |result: Option<&[u8]>| {
        decode_done(ID, AT, encode_done(&entry(), JobState::Done, result)).unwrap().result
    };
    assert_eq!(read(None), None);
    assert_eq!(read(Some(b"")), Some(Bytes::new()));
}

fn few() -> impl Strategy<Value = Option<Box<More>>> {
    let progress = (proptest::option::of(0..=100_u8), proptest::option::of("\\PC{1,30}"))
        .prop_map(|(percent, message)| Progress { percent, message });
    let few = (0..3_u64, proptest::option::of(retries()), proptest::option::of(progress));
    few.prop_map(|(deadline, retry, progress)| {
        let progress = progress.filter(|progress| *progress != Progress::default());
        let few = More { deadline: Millis::new(deadline), retry, progress };
        (few != More::default()).then(|| Box::new(few))
    })
}

fn retries() -> impl Strategy<Value = Retry> {
    prop_oneof![
        Just(Retry { backoff: Backoff::Exponential, ms_base: 7, ms_max: 99 }),
        Just(Retry { backoff: Backoff::Linear, ms_base: 0, ms_max: 5 }),
        proptest::collection::vec(0..1_000_u64, 1..9).prop_map(|waits| Retry {
            backoff: Backoff::List(Waits::new(&waits).unwrap()),
            ms_base: 0,
            ms_max: 0,
        }),
    ]
}

fn settings() -> impl Strategy<Value = LaneSettings> {
    let rate = || {
        proptest::option::of((1..9_u32, 1..99_u64, 9..20_u32))
            .prop_map(|parts| parts.map(|(jobs, per_ms, burst)| Rate { jobs, per_ms, burst }))
    };
    let policy = (0..3_usize).prop_map(|place| GroupOnFail::ALL[place]);
    (rate(), rate(), policy, retries(), 0..2_u32, 0..2_u64, any::<bool>()).prop_map(
        |(rate, key_rate, group_on_fail, retry, key_leased_max, age_ms_max, draining)| LaneSettings {
            rate,
            key_rate,
            group_on_fail,
            retry,
            key_leased_max,
            age_ms_max,
            draining,
            ..LaneSettings::INITIAL
        },
    )
}

fn phases() -> impl Strategy<Value = Phase> {
    prop_oneof![
        Just(Phase::Scheduled),
        Just(Phase::Waiting),
        Just(Phase::Leased(Holder::Worker)),
        Just(Phase::Leased(Holder::Process)),
        Just(Phase::Retrying),
        Just(Phase::Skipped),
        Just(Phase::Dead),
    ]
}

/// The fixed part must be what bincode 1 makes of the same fields.
fn check_oracle<T: serde::Serialize + serde::de::DeserializeOwned>(
    value: &[u8],
) -> std::result::Result<(), TestCaseError> {
    let fields: T = bincode::deserialize(&value[1..]).unwrap();
    let bytes = bincode::serialize(&fields).unwrap();
    prop_assert_eq!(&bytes[..], &value[1..1 + bytes.len()]);
    Ok(())
}

proptest! {
    #[test]
    fn states_round_trip_and_bincode_agrees(
        phase in phases(), priority in 0..16_u8, counts: [u32; 4], times: [u64; 3], group: u64,
        unique: [u8; 16],
        error in proptest::option::of("[^\0]{1,40}"), key: bool, more in few(),
    ) {
        let entry = Entry {
            lane: LaneId::new(0), phase, priority, turn: 0,
            attempt: counts[0], attempts_max: counts[1], attempts_base: counts[2],
            lease_epoch: Epoch::new(counts[3]),
            enqueued: Millis::new(times[0]), started: Millis::new(times[1]), at: Millis::new(times[2]),
            group: GroupHash::from_raw(group.max(1)), unique: UniqueHash::from_raw(unique),
            error: error.map(Box::from),
            key: GroupHash::from_raw(if key { group ^ 1 } else { group }.max(1)),
            more,
        };
        let value = encode_state(&entry);
        check_oracle::<StateFields>(&value)?;
        prop_assert_eq!(value[0] == 2, entry.key != entry.group || entry.more.is_some());
        prop_assert_eq!(decode_state(&value).unwrap(), entry);
    }

    #[test]
    fn the_others_round_trip_and_bincode_agrees(
        group in proptest::option::of("[a-z]{1,20}"), unique in proptest::option::of("\\PC{1,20}"),
        key in proptest::option::of("[a-z]{1,20}"), settings in settings(),
        payload in proptest::collection::vec(any::<u8>(), 0..300), numbers: [u64; 3], paused: bool,
    ) {
        let job = NewJob { group, unique, key, ..NewJob::new("mail", payload.clone()) };
        let value = encode_envelope(&job);
        check_oracle::<EnvelopeFields>(&value)?;
        let envelope = decode_envelope(value).unwrap();
        prop_assert_eq!((envelope.group, envelope.unique, envelope.key), (job.group, job.unique, job.key));
        prop_assert_eq!(envelope.payload, job.payload);

        let done = encode_done(&entry(), JobState::Done, Some(&payload));
        check_oracle::<DoneFields>(&done)?;
        prop_assert_eq!(decode_done(ID, AT, done).unwrap().result.unwrap(), payload);
        check_oracle::<DeadFields>(&encode_dead(&entry(), "gone"))?;

        let [id, group, since] = numbers;
        let (id, group, since) = (JobId::new(id), GroupHash::from_raw(group), Millis::new(since));
        let ready = encode_ready(id, group, since);
        prop_assert_eq!(decode_ready(&ready).unwrap(), (id, group, since));
        let fields: ReadyFields = bincode::deserialize(&ready).unwrap();
        prop_assert_eq!(bincode::serialize(&fields).unwrap(), ready);
        prop_assert_eq!(decode_waiting(&encode_waiting(id)).unwrap(), id);
        prop_assert_eq!(decode_unique(&encode_unique(id)).unwrap(), id);

        let [jobs_max, leased_max, _] = numbers.map(|number| number as u32);
        let settings = LaneSettings { jobs_max, leased_max, ..settings };
        let lane = encode_lane("push:x-1_2.y", paused, &settings);
        check_oracle::<LaneFields>(&lane)?;
        prop_assert_eq!(decode_lane(&lane).unwrap(), ("push:x-1_2.y".to_owned(), paused, settings));
    }

    #[test]
    fn keys_round_trip(lane: u32, id: u64, priority in 0..16_u8, turn: u64, hash: [u8; 16], late: bool) {
        let (lane, id, at) = (LaneId::new(lane), JobId::new(id), Millis::new(turn));
        let kind = if late { TimerKind::Retry } else { TimerKind::Schedule };
        let (group, unique) = (GroupHash::from_raw(turn), UniqueHash::from_raw(hash));
        prop_assert_eq!(key::parse_job(&key::job(lane, id)), Some((lane, id)));
        prop_assert_eq!(key::parse_ready(&key::ready(lane, priority, turn)), Some((lane, priority, turn)));
        prop_assert_eq!(key::parse_timer(&key::timer(at, kind, lane, id)), Some((at, kind, lane, id)));
        prop_assert_eq!(key::parse_group(&key::group(lane, group, turn)), Some((lane, group, turn)));
        prop_assert_eq!(key::parse_unique(&key::unique(lane, unique)), Some((lane, unique)));
        prop_assert_eq!(key::parse_filed(&key::filed(lane, at, id)), Some((lane, at, id)));
        prop_assert_eq!(key::parse_finished(&key::finished(id)), Some(id));
        prop_assert_eq!(key::parse_finished(&key::filed(lane, at, id)), None);
        prop_assert_eq!(key::parse_filed(&key::finished(id)), None);
        prop_assert_eq!(decode_finished(&encode_finished(lane, at)).unwrap(), (lane, at));
        prop_assert_eq!(key::parse_meta_lane(&key::meta_lane(lane)), Some(lane));
        prop_assert_eq!(key::parse_meta_rate(&key::meta_rate(lane, group)), Some((lane, group)));
        prop_assert_eq!(key::parse_meta_lane(&key::meta_rate(lane, group)), None);
    }

    #[test]
    fn ready_keys_order_by_lane_then_priority_then_turn(a: (u32, u8, u64), b: (u32, u8, u64)) {
        let key = |(lane, priority, turn)| key::ready(LaneId::new(lane), priority, turn);
        let order = |(lane, priority, turn): (u32, u8, u64)| (lane, std::cmp::Reverse(priority), turn);
        prop_assert_eq!(key(a).cmp(&key(b)), order(a).cmp(&order(b)));
    }

    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120), seal: bool) {
        let value = if seal { sealed(&[&bytes]) } else { bytes };
        let _ = (decode_state(&value), decode_dead(&value), decode_lane(&value));
        let _ = (decode_ready(&value), decode_waiting(&value));
        let _ = (decode_envelope(value.clone()), decode_done(ID, AT, value.clone()), decode_unique(&value));
        let _ = (key::parse_job(&value), key::parse_ready(&value), key::parse_timer(&value));
        let _ = (key::parse_group(&value), key::parse_meta_lane(&value));
        let _ = (key::parse_unique(&value), key::parse_filed(&value));
        let _ = (key::parse_finished(&value), decode_finished(&value));
    }
}
