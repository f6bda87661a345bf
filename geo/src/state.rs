//! The part of a shard's state that follows from its past and not from what is stored, as bytes of a snapshot.
//!
//! ```text
//! state   := devices:u64 device{devices} roams:u32 roam{roams}
//! device  := record arrived:u64 log_seq:u64 overruled:u16 text{overruled} stays:u32 stay{stays} levels:u32 level{levels}
//! stay    := fence:text since:u64 phase:u8 [leaving_since:u64]
//! phase   := 0 closed | 1 pending | 2 inside | 3 leaving, + 16 when its dwell has been told
//! level   := fence:text fence_seq:u64 interval_ms:u64 interval:u64 told:u8        told: 1 inside | 2 outside
//! roam    := fence:text pairs:u32 (device:text device:text){pairs}
//! text    := bytes:u16 utf8
//! ```
//! `record` as in `packed`. Fences go by their ids. The state of a snapshot of the first format is `devices:u64
//! record{devices}`: it knows where devices are and nothing of their stays.

use dateline_engine::{DocId, Millis, Result};

use crate::devices::{Arrived, Device};
use crate::fences::FenceSlot;
use crate::fix::Fix;
use crate::levels::Told;
use crate::packed::{Reader, decode_record, encode_record};
use crate::shard::Shard;
use crate::stay::{Phase, Stay};

const DWELLED: u8 = 16;
const TOLD_INSIDE: u8 = 1;
const TOLD_OUTSIDE: u8 = 2;

/// What a snapshot says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) devices: Vec<Known>,
    /// (fence, device, device)
    pub(crate) pairs: Vec<(DocId, DocId, DocId)>,
    /// Nothing is said of stays and pairs, because the format has no place for them.
    pub(crate) is_bare: bool,
}

/// One device.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) fix: Fix,
    pub(crate) arrived: Millis,
    pub(crate) log_seq: u64,
    pub(crate) overruled: Vec<Box<str>>,
    pub(crate) stays: Vec<(DocId, Stay)>,
    pub(crate) levels: Vec<Level>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Level {
    pub(crate) fence: DocId,
    pub(crate) fence_seq: u64,
    pub(crate) interval_ms: u64,
    pub(crate) interval: u64,
    pub(crate) told: u8,
}

pub(crate) fn encode(shard: &Shard) -> Vec<u8> {
    let count = shard.devices.len() + shard.foreign.len();
    let mut out = Vec::with_capacity(16 + count * 96);
    out.extend_from_slice(&u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes());
    for (_, device) in shard.devices.iter().chain(shard.foreign.iter()) {
        encode_device(shard, device, &mut out);
    }
    let roams: Vec<_> = shard.roam.iter().collect();
    put_count(roams.len(), &mut out);
    for (id, rule) in roams {
        put_text(id.as_str(), &mut out);
        let pairs: Vec<_> = rule.pairs().collect();
        put_count(pairs.len(), &mut out);
        for (a, b) in pairs {
            put_text(a.as_str(), &mut out);
            put_text(b.as_str(), &mut out);
        }
    }
    out
}

fn encode_device(shard: &Shard, device: &Device, out: &mut Vec<u8>) {
    let name = |fence: FenceSlot| shard.fences.at(fence).map(|held| held.id.as_str());
    encode_record(&device.fix, out);
    out.extend_from_slice(&device.arrived.get().to_le_bytes());
    out.extend_from_slice(&device.log_seq.to_le_bytes());
    out.extend_from_slice(&u16::try_from(device.overruled.len()).unwrap_or(u16::MAX).to_le_bytes());
    device.overruled.iter().for_each(|field| put_text(field, out));
    let stays: Vec<_> = device.stays.iter().filter_map(|(fence, stay)| Some((name(*fence)?, stay))).collect();
    put_count(stays.len(), out);
    for (fence, stay) in stays {
        put_text(fence, out);
        out.extend_from_slice(&stay.since.get().to_le_bytes());
        let (phase, leaving) = match stay.phase {
            Phase::Closed => (0, None),
            Phase::Pending => (1, None),
            Phase::Inside => (2, None),
            Phase::Leaving { since } => (3, Some(since)),
        };
        out.push(phase | if stay.dwelled { DWELLED } else { 0 });
        leaving.into_iter().for_each(|since| out.extend_from_slice(&since.get().to_le_bytes()));
    }
    let levels: Vec<_> = device.levels.0.iter().filter_map(|told| Some((name(told.fence)?, told))).collect();
    put_count(levels.len(), out);
    for (fence, told) in levels {
        put_text(fence, out);
        [told.fence_seq, told.interval_ms, told.interval]
            .iter()
            .for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        out.push(if told.inside { TOLD_INSIDE } else { 0 } | if told.outside { TOLD_OUTSIDE } else { 0 });
    }
}

pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<State> {
    let count = reader.u64()?;
    let devices = (0..count).map(|_| decode_device(reader)).collect::<Result<_>>()?;
    let mut pairs = Vec::new();
    for _ in 0..reader.u32()? {
        let fence = id(reader)?;
        for _ in 0..reader.u32()? {
            pairs.push((fence.clone(), id(reader)?, id(reader)?));
        }
    }
    Ok(State { devices, pairs, is_bare: false })
}

/// The state of a snapshot of the first format.
pub(crate) fn decode_bare(reader: &mut Reader<'_>) -> Result<State> {
    let count = reader.u64()?;
    let bare = |fix| Known {
        fix,
        arrived: Millis::ZERO,
        log_seq: 0,
        overruled: Vec::new(),
        stays: Vec::new(),
        levels: Vec::new(),
    };
    let devices = (0..count).map(|_| decode_record(reader).map(bare)).collect::<Result<_>>()?;
    Ok(State { devices, pairs: Vec::new(), is_bare: true })
}

fn decode_device(reader: &mut Reader<'_>) -> Result<Known> {
    let fix = decode_record(reader)?;
    let (arrived, log_seq) = (Millis::new(reader.u64()?), reader.u64()?);
    let overruled = (0..reader.u16()?).map(|_| text(reader).map(Box::from)).collect::<Result<_>>()?;
    let stays = (0..reader.u32()?).map(|_| decode_stay(reader)).collect::<Result<_>>()?;
    let levels = (0..reader.u32()?).map(|_| decode_level(reader)).collect::<Result<_>>()?;
    Ok(Known { fix, arrived, log_seq, overruled, stays, levels })
}

fn decode_stay(reader: &mut Reader<'_>) -> Result<(DocId, Stay)> {
    let (fence, since, phase) = (id(reader)?, Millis::new(reader.u64()?), reader.u8()?);
    let dwelled = phase & DWELLED != 0;
    let phase = match phase & !DWELLED {
        0 => Phase::Closed,
        1 => Phase::Pending,
        2 => Phase::Inside,
        3 => Phase::Leaving { since: Millis::new(reader.u64()?) },
        _ => return Err(reader.fault("an unknown phase")),
    };
    Ok((fence, Stay { since, phase, dwelled }))
}

fn decode_level(reader: &mut Reader<'_>) -> Result<Level> {
    let fence = id(reader)?;
    let (fence_seq, interval_ms, interval, told) =
        (reader.u64()?, reader.u64()?, reader.u64()?, reader.u8()?);
    if told & !(TOLD_INSIDE | TOLD_OUTSIDE) != 0 {
        return Err(reader.fault("unknown levels"));
    }
    Ok(Level { fence, fence_seq, interval_ms, interval, told })
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str> {
    let bytes = usize::from(reader.u16()?);
    reader.text(bytes)
}

fn id(reader: &mut Reader<'_>) -> Result<DocId> {
    DocId::new(text(reader)?).map_err(|_| reader.fault("a bad name"))
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

impl Shard {
    /// Takes over what a snapshot says; stays at fences that are no more are left out.
    pub(crate) fn restore(&mut self, state: State) {
        for known in state.devices {
            self.restore_device(known);
        }
        for (fence, a, b) in state.pairs {
            if let Some(rule) = self.roam.get_mut(&fence) {
                rule.join(&a, &b);
            }
        }
    }

    fn restore_device(&mut self, known: Known) {
        let mut device = Device::new(known.fix, Arrived { at: known.arrived, log_seq: known.log_seq });
        device.overruled = known.overruled;
        for (fence, stay) in known.stays {
            if let Some(fence) = self.fences.slot(&fence) {
                device.set_stay(fence, Some(stay));
            }
        }
        for level in known.levels {
            let Some(fence) = self.fences.slot(&level.fence) else { continue };
            device.levels.0.push(Told {
                fence,
                fence_seq: level.fence_seq,
                interval_ms: level.interval_ms,
                interval: level.interval,
                inside: level.told & TOLD_INSIDE != 0,
                outside: level.told & TOLD_OUTSIDE != 0,
            });
        }
        self.add_device(device);
    }
}
