//! Everything that decides a run, and how it is said on the command line.
//!
//! Parameters are stored in a report as they are here, so that two runs can be held against each other.

use dateline_engine::Durability;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{EngineConfig, suggest};

/// Runs of one command at the most.
pub(crate) const RUNS_MAX: usize = 64;

/// Everything that decides a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parameters {
    /// Name of the workload.
    pub(crate) workload: String,
    /// Documents that are there before anything is measured.
    pub(crate) records: u64,
    /// Clients.
    pub(crate) threads: usize,
    /// Readers that follow the log, where the workload has some.
    pub(crate) readers: usize,
    /// Measured seconds.
    pub(crate) seconds: f64,
    /// Seconds of the same work before.
    pub(crate) warm_up_s: f64,
    /// Operations that arrive in a second; without it each client begins an operation when its last one ended.
    pub(crate) rate: Option<f64>,
    pub(crate) durability: Sync,
    /// Bytes of a document's body or a job's payload.
    pub(crate) value_bytes: usize,
    /// As a server's configuration has it.
    pub(crate) engine: EngineConfig,
    /// Where all random choices begin.
    pub(crate) seed: u64,
}

/// `Durability` by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sync {
    /// An answered write survives power loss
    Sync,
    /// It survives the death of the process
    Buffered,
}

impl Sync {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Buffered => "buffered",
        }
    }
}

impl From<Sync> for Durability {
    fn from(sync: Sync) -> Self {
        match sync {
            Sync::Sync => Self::Sync,
            Sync::Buffered => Self::Buffered,
        }
    }
}

impl Parameters {
    /// A run of the workload as it is without a word more.
    pub(crate) fn new(workload: &str, seed: u64) -> Self {
        Self {
            workload: workload.to_owned(),
            records: 100_000,
            threads: 16,
            readers: 8,
            seconds: 10.0,
            warm_up_s: 2.0,
            rate: None,
            durability: Sync::Sync,
            value_bytes: 1_024,
            engine: EngineConfig::new(),
            seed,
        }
    }

    /// The first parameter that is out of its bounds, by its name, and why.
    pub(crate) fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: f64, least: f64, most: f64| match value {
            value if (least..=most).contains(&value) => Ok(()),
            _ => Err(format!("{name} is {value}; {least} to {most} are possible")),
        };
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
        let (records, threads, readers, value_bytes) =
            (self.records as f64, self.threads as f64, self.readers as f64, self.value_bytes as f64);
        within("records", records, 1.0, 1e9)?;
        within("threads", threads, 1.0, 1_024.0)?;
        within("readers", readers, 0.0, 1_024.0)?;
        within("seconds", self.seconds, 0.1, 86_400.0)?;
        within("warm_up_s", self.warm_up_s, 0.0, 3_600.0)?;
        within("rate", self.rate.unwrap_or(1.0), 0.01, 1e8)?;
        within("value_bytes", value_bytes, 64.0, 524_288.0)?;
        self.engine.tuning().check().map_err(|error| format!("{ENGINE}{error}"))
    }
}

/// What keys of the configuration of the engine begin with.
const ENGINE: &str = "engine.";

/// A parameter of the bench that can be varied; beside them every key of the configuration of the engine can.
struct Key {
    name: &'static str,
    set: fn(&mut Parameters, &str) -> Option<()>,
    /// What a value looks like.
    values: &'static str,
}

const KEYS: &[Key] = &[
    Key { name: "durability", set: |p, v| store(&mut p.durability, named(v)), values: "sync, buffered" },
    Key { name: "rate", set: |p, v| store(&mut p.rate, v.parse().ok().map(Some)), values: "per second" },
    Key { name: "readers", set: |p, v| store(&mut p.readers, size(v)), values: "a number: 1, 100" },
    Key {
        name: "records",
        set: |p, v| store(&mut p.records, size(v).and_then(|n| n.try_into().ok())),
        values: "a number: 100k, 1M",
    },
    Key { name: "threads", set: |p, v| store(&mut p.threads, size(v)), values: "a number: 1, 64" },
    Key { name: "value_bytes", set: |p, v| store(&mut p.value_bytes, size(v)), values: "bytes: 100, 16k" },
];

fn store<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

fn named<T: serde::de::DeserializeOwned>(value: &str) -> Option<T> {
    serde_json::from_value(value.into()).ok()
}

/// Every key of `--vary`, with what its values look like.
pub(crate) fn keys() -> Vec<(String, String)> {
    let own = KEYS.iter().map(|key| (key.name.to_owned(), key.values.to_owned()));
    let engine = engine_members(&EngineConfig::new()).into_iter();
    let engine = engine.map(|(name, value)| match value {
        Value::String(text) => (ENGINE.to_owned() + &name, format!("a name: {text} unless said otherwise")),
        value => (ENGINE.to_owned() + &name, format!("{value} unless said otherwise")),
    });
    engine.chain(own).collect()
}

fn engine_members(config: &EngineConfig) -> serde_json::Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(members)) => members,
        // The configuration is plain data.
        _ => serde_json::Map::new(),
    }
}

/// Sets the key to a value.
///
/// # Errors
/// A sentence about the key that is not known, or the value that is not possible.
fn set(parameters: &mut Parameters, name: &str, value: &str) -> Result<(), String> {
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        let done = (key.set)(parameters, value);
        return done.ok_or_else(|| format!("--vary {name}: '{value}' is not one of {}", key.values));
    }
    let mut members = engine_members(&parameters.engine);
    let slot =
        name.strip_prefix(ENGINE).and_then(|name| members.get_mut(name)).ok_or_else(|| unknown(name))?;
    let read = match slot {
        Value::Number(_) => size(value).map(Value::from),
        Value::Bool(_) => value.parse().ok().map(Value::Bool),
        _ => Some(Value::from(value)),
    };
    *slot = read.ok_or_else(|| format!("--vary {name}: '{value}' cannot stand for {slot}"))?;
    parameters.engine = serde_json::from_value(Value::Object(members))
        .map_err(|error| format!("--vary {name}: '{value}': {error}"))?;
    Ok(())
}

/// `4096`, `4k`, `16KiB`, `1M`, `2g`: k is 1024 where bytes are meant and where they are not.
pub(crate) fn size(text: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(1 << shift)
}

/// One run of several: its parameters, and what it differs in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variation {
    pub(crate) parameters: Parameters,
    /// `key=value`, in the order in which they were asked for.
    pub(crate) differs: Vec<(String, String)>,
}

impl Variation {
    /// What it differs in as one word; empty when it is the only run.
    pub(crate) fn label(&self) -> String {
        let parts = self.differs.iter().map(|(key, value)| format!("{key}={value}"));
        parts.collect::<Vec<_>>().join(" ")
    }
}

/// All combinations of `key=a,b,c` of each `--vary`, the last one changing fastest.
///
/// # Errors
/// A sentence about the key or value that is not known.
pub(crate) fn vary(base: &Parameters, asked: &[String]) -> Result<Vec<Variation>, String> {
    let mut runs = vec![Variation { parameters: base.clone(), differs: Vec::new() }];
    for asked in asked {
        let (name, values) = asked
            .split_once('=')
            .filter(|(_, values)| !values.is_empty())
            .ok_or_else(|| format!("--vary {asked}: expected key=value,value; keys are {}", names()))?;
        if runs.iter().any(|run| run.differs.iter().any(|(known, _)| known == name)) {
            return Err(format!("--vary {name} is given twice; list its values with commas"));
        }
        let mut combined = Vec::new();
        for run in &runs {
            for value in values.split(',') {
                let mut next = run.clone();
                set(&mut next.parameters, name, value)?;
                next.differs.push((name.to_owned(), value.to_owned()));
                combined.push(next);
            }
        }
        runs = combined;
        if runs.len() > RUNS_MAX {
            return Err(format!("--vary makes {} runs; at most {RUNS_MAX} are possible", runs.len()));
        }
    }
    Ok(runs)
}

fn unknown(name: &str) -> String {
    let keys = keys();
    let bare = |key: &str| key.strip_prefix(ENGINE).unwrap_or(key).to_owned();
    // Whoever leaves out the prefix means the key all the same.
    let near = keys.iter().map(|(key, _)| key.as_str()).find(|key| bare(key) == name);
    let near = near.or_else(|| suggest::nearest(name, keys.iter().map(|(key, _)| key.as_str())));
    let meant = near.map_or(String::new(), |near| format!("did you mean '{near}'? "));
    format!("--vary: there is no key '{name}'; {meant}keys are {}", names())
}

fn names() -> String {
    keys().into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use dateline_engine::Filter;

    use super::*;

    #[test]
    fn sizes() {
        let check = |text: &str, value: Option<usize>| assert_eq!(size(text), value, "{text}");
        check("4096", Some(4_096));
        check("4k", Some(4_096));
        check("1MiB", Some(1 << 20));
        check("2G", Some(2 << 30));
        for bad in ["", "k", "1.5k", "-1", "4x", "99999999999999999999", "18446744073709551615g"] {
            check(bad, None);
        }
    }

    #[test]
    fn every_combination_is_run() {
        let base = Parameters::new("ycsb-a", 1);
        let asked = ["engine.block_bytes=4k,16k".to_owned(), "engine.filter=bloom,none,ribbon".to_owned()];
        let runs = vary(&base, &asked).unwrap();
        let labels: Vec<_> = runs.iter().map(Variation::label).collect();
        assert_eq!(labels.len(), 6);
        assert_eq!(
            (&*labels[0], &*labels[5]),
            ("engine.block_bytes=4k engine.filter=bloom", "engine.block_bytes=16k engine.filter=ribbon")
        );
        assert_eq!(runs[1].parameters.engine.filter, Filter::None);
        assert_eq!(runs[1].parameters.engine.block_bytes, 4_096);
        assert_eq!(vary(&base, &[]).unwrap().len(), 1);
    }

    #[test]
    fn wrong_variations_say_what_is_possible() {
        let check = |asked: &[&str], words: &[&str]| {
            let asked: Vec<_> = asked.iter().map(|&asked| asked.to_owned()).collect();
            let refused = vary(&Parameters::new("queue", 1), &asked).unwrap_err();
            assert!(words.iter().all(|word| refused.contains(word)), "{refused}");
        };
        check(&["engine.blok_bytes=1"], &["did you mean 'engine.block_bytes'", "engine.version_blob_bytes"]);
        check(&["block_bytes=4k"], &["did you mean 'engine.block_bytes'"]);
        check(&["colour=red"], &["no key 'colour'", "engine.compression"]);
        check(&["engine.compression=gzip"], &["'gzip'", "`zstd`"]);
        check(&["engine.filter_bits=300"], &["engine.filter_bits", "300"]);
        check(&["engine.counted=maybe"], &["'maybe' cannot stand for true"]);
        check(&["durability=later"], &["'later'", "buffered"]);
        check(&["threads"], &["expected key=value"]);
        check(&["threads=1,"], &["threads", "''"]);
        check(&["threads=1", "threads=2"], &["twice"]);
        check(&["threads=1,2,3,4,5,6,7,8,9", "readers=1,2,3,4,5,6,7,8"], &["72 runs"]);
    }

    #[test]
    fn every_key_can_be_set() {
        let base = Parameters::new("ycsb-a", 1);
        for (name, _) in keys() {
            let value = match name.as_str() {
                "durability" => "buffered",
                "engine.compression" => "lz4",
                "engine.filter" => "bloom",
                "engine.counted" => "false",
                _ => "64",
            };
            let runs = vary(&base, &[format!("{name}={value}")]).unwrap();
            assert!(runs[0].parameters != base, "{name} changes nothing");
        }
    }

    #[test]
    fn bounds_name_the_parameter() {
        let mut parameters = Parameters::new("ycsb-a", 1);
        assert_eq!(parameters.check(), Ok(()));
        parameters.threads = 0;
        assert!(parameters.check().unwrap_err().contains("threads"));
        parameters.threads = 1;
        parameters.seconds = f64::NAN;
        assert!(parameters.check().unwrap_err().contains("seconds"));
        parameters.seconds = 1.0;
        parameters.engine.group_bytes = 0;
        assert!(parameters.check().unwrap_err().contains("engine.group_bytes is 0"));
    }
}
