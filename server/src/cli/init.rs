//! `dateline init`: an empty data directory.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::json;

use super::first_start::{self, Administrator};
use super::outcome::Failure;
use super::output::Output;
use super::place::Offline;
use crate::data::DataDir;

/// Arguments of `init`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The directory to create
    #[arg(long, value_name = "DIR", env = "DATELINE_DATA")]
    data: PathBuf,
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    let offline = Offline::open(DataDir::take(&args.data)?)?;
    let administrator = first_start::administrator(&offline.store, &offline.auth, first_start::given())?;
    let dir = offline.data.path().display().to_string();
    let value = json!({
        "data": dir,
        "store": offline.store.id().to_string(),
        "seq": offline.store.watermark().durable().seq.get(),
        "administrator": administrator != Administrator::Missing,
    });
    output.data(format!("{dir} is ready, store {}", offline.store.id()), &value)?;
    output.talk(match administrator {
        Administrator::Known => format!("next: dateline serve --data {dir}"),
        Administrator::Created => format!("user admin was created; next: dateline serve --data {dir}"),
        Administrator::Missing => {
            format!("there is no administrator yet: 'dateline serve --data {dir}' prints a set-up link")
        }
    });
    offline.store.close();
    Ok(())
}
