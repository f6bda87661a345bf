//! `dateline demo`: the program at work, on data that is gone afterwards.
//!
//! A server in this process over a temporary directory; everything else uses it over HTTP as anybody would: devices
//! report where they are, people put up ads. With the same seed the same things happen in the same order.

mod city;
mod goods;
mod market;
mod path;
mod rng;
mod scene;
mod traffic;
mod visitor;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use dateline_engine::{Durability, Transaction};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use super::inside::Inside;
use super::outcome::Failure;
use super::output::Output;
use crate::app::App;
use crate::auth::{password, users};
use crate::config::Config;
use crate::ids;
use crate::work::{self, Stop};
use market::Market;
use traffic::Traffic;
use visitor::Visitor;

/// Tried first, so that the address stays the same from one demonstration to the next.
const LISTEN: &str = "127.0.0.1:8400";
const LISTEN_ANYWHERE: &str = "127.0.0.1:0";
const TICK: Duration = Duration::from_secs(1);

/// Arguments of `demo`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Address to listen on [default: 127.0.0.1:8400, or a free port when that is taken]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// How many devices move
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    devices: u32,
    /// What happens depends on it; the same seed gives the same demonstration [default: a random one]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    // Talk about what goes wrong, and only about that.
    let lines =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new("warn")).with_writer(std::io::stderr);
    // Somebody else's subscriber is as good.
    let _ = lines.try_init();
    let seed = match args.seed {
        Some(seed) => seed,
        None => u64::from(u32::from_le_bytes(ids::random::<4>()?)),
    };
    let dir = tempfile::Builder::new().prefix("dateline-demo-").tempdir()?;
    let shown = serve(&args, seed, dir.path(), output);
    // Also after a failure: nothing stays behind.
    dir.close()?;
    shown
}

fn serve(args: &Args, seed: u64, dir: &std::path::Path, output: &Output) -> Result<(), Failure> {
    let inside = open(args, dir)?;
    let stop = Arc::new(Stop::default());
    inside.stop_on_signal(Arc::clone(&stop))?;
    let workers = work::start(inside.app())?;
    let shown = show(args, seed, &inside, &stop, output);
    workers.stop();
    inside.stop().and(shown)
}

fn open(args: &Args, dir: &std::path::Path) -> Result<Inside, Failure> {
    let start = |listen: &str| {
        let mut config = Config::new();
        config.listen = listen.to_owned();
        config.engine.cache_bytes = 64 << 20;
        config.engine.memtable_bytes = 64 << 20;
        Inside::start(App::builder().data(dir).config(config).open()?)
    };
    match &args.listen {
        Some(listen) => start(listen),
        None if is_free(LISTEN) => start(LISTEN),
        None => start(LISTEN_ANYWHERE),
    }
}

fn is_free(address: &str) -> bool {
    std::net::TcpListener::bind(address).is_ok()
}

/// Furnishes the scene, says where it can be seen, and lets it run until somebody stops it.
fn show(args: &Args, seed: u64, inside: &Inside, stop: &Stop, output: &Output) -> Result<(), Failure> {
    let secret = ids::hex(&ids::random::<12>()?);
    add_administrator(inside.app(), &secret)?;
    let visit = || Visitor::sign_in(inside.url(), "admin", &secret, inside.app().store());
    let (mover, seller) = (visit()?, visit()?);
    let devices = scene::devices(seed, args.devices as usize);
    market::furnish(&mover, seed, &devices, &mover.user)?;
    let (mut market, mut traffic) = (Market::new(seed), Traffic::new(devices));
    market.open(&seller)?;
    traffic.turn(&mover, 0.0)?;

    let url = format!("{}/#demo={secret}", inside.url());
    let value =
        json!({"url": url, "username": "admin", "password": secret, "seed": seed, "devices": args.devices});
    output.data(&url, &value)?;
    output.talk(format!(
        "{} devices in 12 cities, seed {seed}; Ctrl-C ends it and removes the data",
        args.devices
    ));
    std::thread::scope(|scope| {
        scope.spawn(|| every(TICK, stop, output, || traffic.turn(&mover, TICK.as_secs_f64())));
        scope.spawn(|| every(TICK, stop, output, || market.turn(&seller)));
        stop.wait();
    });
    Ok(())
}

fn add_administrator(app: &App, secret: &str) -> Result<(), Failure> {
    let store = app.store();
    let (id, hash) = (ids::new_id(store.now())?, password::hash(secret)?);
    let fields = users::body("admin", "administrator");
    store.commit(app.auth().users().create(Transaction::new(Durability::Sync), &id, &fields, Some(&hash)))?;
    Ok(())
}

/// Does something at even times until it is told to stop. What fails is told once and tried again.
fn every(time: Duration, stop: &Stop, output: &Output, mut turn: impl FnMut() -> Result<(), Failure>) {
    let mut next = Instant::now() + time;
    let mut is_well = true;
    while !stop.is_set() {
        stop.pause(next.saturating_duration_since(Instant::now()));
        if stop.is_set() {
            return;
        }
        let outcome = turn();
        if let (Err(failure), true) = (&outcome, is_well) {
            output.talk(format!("the demonstration stumbles: {failure}"));
        }
        is_well = outcome.is_ok();
        // After a slow turn the rhythm begins anew instead of catching up.
        next = (next + time).max(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::*;
    use crate::testing::test_config;

    /// The scene in fast motion: what takes a minute to happen is there at once.
    #[test]
    fn things_happen() {
        let app = App::builder().config(test_config()).open().unwrap();
        let inside = Inside::start(app).unwrap();
        let workers = work::start(inside.app()).unwrap();
        add_administrator(inside.app(), "0123456789abcdef").unwrap();
        let visitor =
            Visitor::sign_in(inside.url(), "admin", "0123456789abcdef", inside.app().store()).unwrap();
        let devices = scene::devices(1, 120);
        market::furnish(&visitor, 1, &devices, &visitor.user).unwrap();
        let (mut market, mut traffic) = (Market::new(1), Traffic::new(devices));
        market.open(&visitor).unwrap();
        for _ in 0..40 {
            traffic.turn(&visitor, 1.0).unwrap();
            market.turn(&visitor).unwrap();
        }
        let tail = inside.app().store().watermark().applied();
        assert!(inside.app().geo().wait_for(tail, Duration::from_secs(20)));
        let total = |collection: &str, filter: &str| {
            let filter = crate::cli::percent::encode(filter);
            let path = format!("/api/{collection}?max_results=0&where={filter}");
            let list = visitor.client.call(Method::GET, &path, None).unwrap();
            list["_meta"]["total"].as_u64().unwrap()
        };
        let count = |collection: &str, filter: serde_json::Value| total(collection, &filter.to_string());
        assert_eq!(count("ads", json!({})), 520);
        assert_eq!((count("devices", json!({})), count("fences", json!({}))), (120, 36));
        for event in ["enter", "exit"] {
            assert!(count("matches", json!({"event": event, "reason": "update:pos"})) > 0, "{event}");
            assert!(count("fence_events", json!({"event": event})) > 0, "{event}");
        }
        assert!(count("matches", json!({"reason": "new:ad"})) > 0);
        assert!(count("ads", json!({"active": false})) > 0);
        workers.stop();
        inside.stop().unwrap();
    }
}
