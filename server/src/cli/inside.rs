//! A server inside this process, for commands that write to a directory or show the program at work.
//!
//! There is one way of writing, the HTTP interface, so a command without a server brings its own on the loopback.

use dateline_engine::Error;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::outcome::Failure;
use crate::app::App;
use crate::listener::{ListenError, Listener};

/// A running server. Fields close in this order.
pub(crate) struct Inside {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
    app: App,
    runtime: Runtime,
}

impl Inside {
    /// Serves an opened app at its configured address.
    ///
    /// # Errors
    /// 2 when the address would be unsafe, 1 when it cannot be used.
    pub(crate) fn start(app: App) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(Listener::bind(&app)).map_err(|error| match error {
            ListenError::Refused(reason) => Failure::usage(reason),
            ListenError::Failed(reason) => Failure::error(reason),
        })?;
        let (url, router) = (listener.url(), crate::routes().build(&app));
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = app.clone();
        let served = runtime.spawn(async move {
            // It ends when somebody says so or nobody can any more.
            listener.serve(&serving, router, async { drop(stopped.await) }).await;
        });
        Ok(Self { url, stop: Some(stop), served, app, runtime })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Waits until one of these signals comes: SIGINT or SIGTERM.
    pub(crate) fn wait_for_signal(&self) -> Result<(), Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        self.runtime.block_on(async {
            let (mut terminate, mut interrupt) =
                (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            Ok(())
        })
    }

    /// Drains, ends the followers and closes the store.
    ///
    /// # Errors
    /// 1 when the server ended by a panic.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        drop(self.stop.take());
        let served = self.runtime.block_on(self.served);
        self.app.stop();
        self.runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        served.map_err(|error| Error::internal(format!("the server inside: {error}")).into())
    }
}
