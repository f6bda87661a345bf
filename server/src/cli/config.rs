//! `dateline config`: what is configured, and whether a file is right.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use serde_json::{Map, Value, json};

use super::outcome::Failure;
use super::output::Output;
use crate::config::Layers;

/// Arguments of `config`.
#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print every setting
    Show {
        /// Also print where each value comes from
        #[arg(long)]
        origin: bool,
        /// Configuration file, TOML or JSON
        #[arg(long, value_name = "FILE", env = "DATELINE_CONFIG")]
        config: Option<PathBuf>,
    },
    /// Say whether a file is right
    Check {
        /// Configuration file, TOML or JSON
        #[arg(value_name = "FILE", env = "DATELINE_CONFIG")]
        config: PathBuf,
    },
}

pub(crate) fn run(args: Args, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Show { origin, config } => show(config, origin, output),
        Command::Check { config } => {
            Layers::defaults()?.file(&config)?.finish()?;
            output.data(format!("{}: good", config.display()), &json!({"file": config, "ok": true}))
        }
    }
}

fn show(file: Option<PathBuf>, with_origin: bool, output: &Output) -> Result<(), Failure> {
    let layers = from_file_and_environment(file, output)?;
    layers.finish()?;
    let rows = layers.show();
    if output.is_json() {
        let told = rows.into_iter().map(|(key, value, origin)| {
            let told =
                if with_origin { json!({"value": value, "origin": origin.to_string()}) } else { value };
            (key, told)
        });
        return output.data("", &Value::Object(told.collect::<Map<_, _>>()));
    }
    for (key, value, origin) in rows {
        let line =
            if with_origin { format!("{key} = {value}    # {origin}") } else { format!("{key} = {value}") };
        output.data(line, &Value::Null)?;
    }
    Ok(())
}

/// The layers below the flags; strange variables are talked about.
pub(crate) fn from_file_and_environment(file: Option<PathBuf>, output: &Output) -> Result<Layers, Failure> {
    let mut layers = Layers::defaults()?;
    if let Some(file) = file {
        layers = layers.file(&file)?;
    }
    let (layers, warnings) = layers.environment(std::env::vars())?;
    for warning in warnings {
        output.talk(format!("dateline: {warning}"));
    }
    Ok(layers)
}
