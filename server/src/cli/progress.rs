//! A bar on a terminal; silence everywhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Output;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes of a file.
    Bytes,
    /// Rows, documents, records.
    Items,
    /// Milliseconds of something that takes a fixed time.
    Time,
}

/// How far a long command has come. Drawn on stderr, and only when that is a terminal and no program reads along.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar up to `total`; 0 when the end is not known yet.
    pub(crate) fn new(output: &Output, what: &'static str, unit: Unit, total: u64) -> Self {
        let target = if output.is_json() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(8)
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        bar.set_style(style(unit));
        bar.set_prefix(what);
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar }
    }

    pub(crate) fn total(&self, total: u64) {
        self.bar.set_length(total);
    }

    pub(crate) fn at(&self, done: u64) {
        self.bar.set_position(done);
    }

    pub(crate) fn say(&self, text: String) {
        self.bar.set_message(text);
    }

    /// Begins another part of the work, in which something else is counted.
    pub(crate) fn begin(&self, what: &'static str, unit: Unit, total: u64) {
        self.bar.set_style(style(unit));
        self.part(what, total);
    }

    /// Begins another part of the work.
    pub(crate) fn part(&self, what: &'static str, total: u64) {
        self.bar.set_prefix(what);
        self.bar.set_length(total);
        self.bar.set_position(0);
    }
}

fn style(unit: Unit) -> ProgressStyle {
    let template = match unit {
        Unit::Bytes => "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}",
        Unit::Items => "{prefix} {wide_bar} {human_pos}/{human_len} {per_sec} {eta} {msg}",
        Unit::Time => "{prefix} {wide_bar} {elapsed} {eta} left {msg}",
    };
    // The templates are constant; a default bar would still be one.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The lines that follow are the result; a bar above them would only repeat it.
        self.bar.finish_and_clear();
    }
}
