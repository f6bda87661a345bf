//! `dateline backup restore`: a data directory made of a backup.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args as ClapArgs;
use dateline_engine::{BackupDir, Choice, Millis, Restored, Rewound, Seq, SystemClock, Until};
use serde_json::{Value, json};

use super::drawing;
use crate::app::{self, Consent};
use crate::cli::outcome::Failure;
use crate::cli::output::Output;
use crate::cli::progress::{Progress, Unit};
use crate::config::Config;
use crate::data::EmptyDir;
use crate::eve::date;

#[derive(ClapArgs)]
pub(super) struct RestoreArgs {
    /// Directory of the backup
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Data directory to make; must not exist or be empty
    #[arg(long, value_name = "DIR", env = "DATELINE_DATA")]
    data: PathBuf,
    /// Of this generation [default: the newest, or the oldest that reaches the moment]
    #[arg(long, value_name = "N")]
    generation: Option<u32>,
    /// Back to the last whole transaction up to this log sequence
    #[arg(long, value_name = "SEQ", conflicts_with = "to_time")]
    to_seq: Option<u64>,
    /// Back to what was committed at or before this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    to_time: Option<String>,
    /// Raise a store of an older format; older programs cannot read it afterwards
    #[arg(long)]
    upgrade: bool,
}

impl RestoreArgs {
    fn until(&self) -> Result<Option<Until>, Failure> {
        if let Some(seq) = self.to_seq {
            return Ok(Some(Until::Seq(Seq::new(seq))));
        }
        let Some(text) = &self.to_time else { return Ok(None) };
        let time = date::parse_time(text).and_then(|at| u64::try_from(at.as_millisecond()).ok());
        let time =
            time.ok_or_else(|| Failure::usage(format!("--to-time {text}: expected a date and a time")))?;
        Ok(Some(Until::Time(Millis::new(time))))
    }
}

pub(super) fn run(args: RestoreArgs, output: &Output) -> Result<(), Failure> {
    let choice = Choice { generation: args.generation, until: args.until()?, upgrade: args.upgrade };
    let backup = BackupDir::open(&args.out)?;
    let dir = EmptyDir::take(&args.data)?;
    let progress = Progress::new(output, "restore", Unit::Bytes, 0);
    let restored = backup.restore(choice, &dir.draft(), &mut drawing(&progress))?;
    drop(progress);
    let data = dir.finish()?;
    if restored.rewound.is_some() {
        // What the matcher has told is part of what was taken back; it goes on from the moment.
        let store = app::open_store(&data, &Config::new(), Arc::new(SystemClock), Consent::default())?;
        dateline_geo::begin_at(&store, restored.tail)?;
        store.close();
    }
    output.data(words(&args, &restored), &told(&restored))?;
    output.talk(format!(
        "search and places are built anew when it is served; next: dateline serve --data {}",
        args.data.display()
    ));
    Ok(())
}

fn words(args: &RestoreArgs, restored: &Restored) -> String {
    let mut lines = vec![format!(
        "restored generation {} into {}: store {}, sequence {}, epoch {}; it verifies",
        restored.generation,
        args.data.display(),
        restored.store,
        restored.tail.seq,
        restored.epoch
    )];
    if let Some(rewound) = &restored.rewound {
        let Rewound { from, documents_restored, documents_removed, jobs_removed, .. } = rewound;
        lines.push(format!(
            "taken back from sequence {}: {documents_restored} documents have an earlier version again, \
             {documents_removed} are gone, {jobs_removed} jobs were not enqueued yet",
            from.seq
        ));
        for name in &rewound.collections_removed {
            lines.push(format!("collection {name} was not defined yet"));
        }
        for name in &rewound.definitions_kept {
            lines.push(format!(
                "collection {name} was defined differently then; it keeps its later definition"
            ));
        }
    }
    lines.join("\n")
}

fn told(restored: &Restored) -> Value {
    let rewound = restored.rewound.as_ref().map(|rewound| {
        json!({
            "from_seq": rewound.from.seq.get(),
            "from_positions_seq": rewound.from.positions.get(),
            "documents_restored": rewound.documents_restored,
            "documents_removed": rewound.documents_removed,
            "jobs_removed": rewound.jobs_removed,
            "collections_removed": rewound.collections_removed,
            "definitions_kept": rewound.definitions_kept,
        })
    });
    json!({
        "generation": restored.generation,
        "store": restored.store.to_string(),
        "epoch": restored.epoch.get(),
        "seq": restored.tail.seq.get(),
        "positions_seq": restored.tail.positions.get(),
        "bytes": restored.bytes,
        "rewound": rewound,
    })
}
