//! A server inside this process, for commands that write to a directory or show the program at work.
//!
//! There is one way of writing, the HTTP interface, so a command without a server brings its own on the loopback.

use std::sync::Arc;

use dateline_engine::Error;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::outcome::Failure;
use super::signals::asked_to_stop;
use crate::app::App;
use crate::listener::{ListenError, Listener};
use crate::work::Stop;

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

    /// Says stop at the first SIGINT or SIGTERM.
    ///
    /// # Errors
    /// 1 when the system gives no signals.
    pub(crate) fn stop_on_signal(&self, stop: Arc<Stop>) -> Result<(), Failure> {
        let _entered = self.runtime.enter();
        let asked = asked_to_stop()?;
        self.runtime.spawn(async move {
            asked.await;
            stop.set();
        });
        Ok(())
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
