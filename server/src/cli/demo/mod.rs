//! `dateline demo`: the program at work, on data that is gone afterwards.

use clap::Args as ClapArgs;

use super::outcome::Failure;
use super::output::Output;

/// Arguments of `demo`.
#[derive(ClapArgs)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args, _output: &Output) -> Result<(), Failure> {
    Ok(())
}
