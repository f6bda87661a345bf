//! Positions for a running server: four made-up workloads, or recorded tracks played again, at a chosen rate.
//!
//! The same seed gives the same fixes. One thread makes batches and the connections send them; when the server is slower
//! than the rate, batches wait for it and nothing is left out, and the report says what rate was reached.

mod packed;
mod recorded;
mod sending;
mod workload;

use std::path::PathBuf;

use clap::ValueEnum;

use recorded::Recorded;
use sending::Sender;
use workload::Fleet;

/// What is sent, where to, and how fast.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Made-up fixes: uniform, cities, roads, or a stadium
    #[arg(
        long,
        value_enum,
        ignore_case = true,
        required_unless_present = "replay",
        conflicts_with = "replay"
    )]
    workload: Option<Kind>,
    /// A recorded track to play: CSV or NDJSON
    #[arg(long)]
    replay: Option<PathBuf>,
    /// How many times as fast as it was recorded
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Send recorded times as they are, instead of as of now
    #[arg(long)]
    keep_times: bool,
    /// Devices of a made-up workload, as in 100k
    #[arg(long, default_value = "1k", value_parser = count)]
    devices: u64,
    /// Fixes a second; without it as many as the server takes
    #[arg(long, value_parser = count)]
    rate: Option<u64>,
    /// Fixes in a request
    #[arg(long, default_value = "500", value_parser = count)]
    batch: u64,
    /// How long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Connections
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// How a request is written
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Another one gives other fixes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The server
    #[arg(long, default_value = "http://127.0.0.1:8400")]
    url: String,
    /// A token or API key; without it `admin` signs in
    #[arg(long, env = "DATELINE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Password of `admin`
    #[arg(long, env = "DATELINE_ADMIN_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

/// The standing workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Evenly over 100 km by 100 km, moving a little
    #[value(alias = "u")]
    Uniform,
    /// Around 200 cities, most in the largest
    #[value(alias = "c")]
    Cities,
    /// Along a lattice of roads
    #[value(alias = "r")]
    Roads,
    /// All in one place
    #[value(alias = "s")]
    Stadium,
}

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Ndjson,
    Json,
    Packed,
}

/// One fix.
#[derive(Clone, Debug, PartialEq)]
struct Fix {
    device: String,
    lon: f64,
    lat: f64,
    /// Unix milliseconds.
    at_ms: u64,
    speed: Option<f64>,
    heading: Option<f64>,
}

/// A number with `k` or `m` behind it for thousands or millions.
fn count(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let (digits, times) = match (lower.strip_suffix('k'), lower.strip_suffix('m')) {
        (Some(digits), _) => (digits, 1_000.0),
        (_, Some(digits)) => (digits, 1_000_000.0),
        _ => (lower.as_str(), 1.0),
    };
    match digits.parse::<f64>() {
        Ok(number) if number * times >= 1.0 && number * times <= 1e12 => Ok((number * times) as u64),
        _ => Err(format!("'{text}' is no number such as 500, 100k or 1m")),
    }
}

/// Sends, and prints what came of it.
pub(crate) fn run(args: &Args) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(send(args))
}

async fn send(args: &Args) -> Result<(), String> {
    let sender = Sender::connect(args).await?;
    let report = match (&args.replay, args.workload) {
        (Some(path), _) => {
            let recorded = Recorded::read(path)?;
            eprintln!("{} fixes of {} s recorded", recorded.len(), recorded.span_ms() / 1_000);
            sender.play(recorded, args).await?
        }
        (None, Some(kind)) => sender.drive(Fleet::new(kind, args.devices, args.seed), args).await?,
        (None, None) => return Err("name a --workload or a --replay".to_owned()),
    };
    println!("{report}");
    if report.failed == 0 {
        Ok(())
    } else {
        Err(format!("{} requests failed: {}", report.failed, report.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read() {
        assert_eq!([count("500"), count("100k"), count("1.5M")], [Ok(500), Ok(100_000), Ok(1_500_000)]);
        assert!(["", "k", "-1", "0", "many"].iter().all(|text| count(text).is_err()));
    }
}
