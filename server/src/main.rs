//! The `dateline` program.

use std::process::ExitCode;

// The system's allocator keeps what a burst of requests took; this one gives it back.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    dateline_server::cli::main()
}
