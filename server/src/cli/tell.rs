//! Commands that only tell something about the program itself.

use clap::{Args, Command};
use clap_complete::Shell;
use serde_json::json;

use super::outcome::Failure;
use super::output::Output;
use crate::data;

/// Arguments of `completions`.
#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn openapi(output: &Output) -> Result<(), Failure> {
    let document = crate::routes().document();
    output.data(format!("{document:#}"), &document)
}

pub(crate) fn completions(args: CompletionsArgs, mut command: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "dateline", &mut script);
    std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
    Ok(())
}

pub(crate) fn version(output: &Output) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let value = json!({"name": "dateline", "version": version, "data_format": data::FORMAT});
    output.data(format!("dateline {version}, data format {}", data::FORMAT), &value)
}
