//! SIGINT and SIGTERM: somebody wants the program to end what it does.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::outcome::Failure;
use crate::work::Stop;

/// Comes at the first SIGINT or SIGTERM from now on. To be called inside a runtime.
///
/// # Errors
/// 1 when the system gives no signals.
pub(crate) fn asked_to_stop() -> Result<impl Future<Output = ()>, Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// A word to stop that is said then, for commands without a runtime.
///
/// # Errors
/// 1 when the system gives no signals or threads.
pub(crate) fn stop_when_asked() -> Result<Arc<Stop>, Failure> {
    let stop = Arc::new(Stop::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let asked = {
        let _entered = runtime.enter();
        asked_to_stop()?
    };
    let said = stop.clone();
    // It waits until the program ends.
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(asked);
        said.set();
    })?;
    Ok(stop)
}
