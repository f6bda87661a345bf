//! `dateline serve`: the server, from the configuration to the last open request.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use super::config::from_file_and_environment;
use super::first_start::{self, Administrator};
use super::outcome::Failure;
use super::output::Output;
use super::signals::asked_to_stop;
use crate::app::{App, Consent};
use crate::config::{Config, Layers, Log, LogFormat};
use crate::listener::{ListenError, Listener};
use crate::work;

/// Arguments of `serve`.
#[derive(ClapArgs)]
pub struct Args {
    /// Data directory; created if there is none
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address to listen on; port 0 picks a free one [default: 127.0.0.1:8400]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Configuration file, TOML or JSON
    #[arg(long, value_name = "FILE", env = "DATELINE_CONFIG")]
    config: Option<PathBuf>,
    /// A proxy in front ends TLS and writes X-Forwarded-For
    #[arg(long)]
    behind_proxy: bool,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key, PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Host name that browsers may use; may be repeated
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Any setting, as 'dateline config show' names it; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Raise a data directory of an older format; older programs cannot read it afterwards
    #[arg(long)]
    upgrade: bool,
    /// Go on with what is left although acknowledged data is gone
    #[arg(long)]
    accept_loss: bool,
}

impl Args {
    fn config(&self, output: &Output) -> Result<Config, Failure> {
        let mut layers = from_file_and_environment(self.config.clone(), output)?;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let flags = [
            ("data", path(&self.data), "data"),
            ("listen", self.listen.clone(), "listen"),
            ("behind_proxy", self.behind_proxy.then(|| "true".to_owned()), "behind-proxy"),
            ("tls.cert", path(&self.tls_cert), "tls-cert"),
            ("tls.key", path(&self.tls_key), "tls-key"),
            ("hosts", (!self.hosts.is_empty()).then(|| self.hosts.join(",")), "host"),
        ];
        for (key, value, flag) in flags {
            if let Some(value) = value {
                layers = layers.flag(key, &value, flag)?;
            }
        }
        self.settings.iter().try_fold(layers, set)?.finish().map_err(Into::into)
    }
}

fn set(layers: Layers, setting: &String) -> Result<Layers, Failure> {
    let (key, value) = setting
        .split_once('=')
        .ok_or_else(|| Failure::usage(format!("--set {setting}: expected KEY=VALUE")))?;
    Ok(layers.flag(key, value, "set")?)
}

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// 2 when the configuration is wrong, the address would be unsafe, or the directory is of another format; 5 when the directory is in use.
pub fn run(args: Args, output: &Output) -> Result<(), Failure> {
    let config = args.config(output)?;
    if config.data.is_none() {
        return Err(Failure::usage("name a data directory with --data"));
    }
    start_log(&config.log)?;
    raise_files(&config);
    let consent = Consent { upgrade: args.upgrade, accept_loss: args.accept_loss };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let app = App::builder().config(config).consent(consent).open()?;
        serve(app, output).await
    });
    // Work on blocking threads has had its time while connections drained.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    served
}

/// Serves an opened app until SIGTERM or SIGINT: also for programs around it.
///
/// # Errors
/// 2 when the address would be unsafe, 1 when it cannot be used.
pub async fn serve(app: App, output: &Output) -> Result<(), Failure> {
    let given = first_start::given();
    let opened = app.clone();
    let administrator =
        tokio::task::spawn_blocking(move || first_start::administrator(opened.store(), opened.auth(), given));
    let administrator = administrator.await.map_err(Failure::error)??;
    let listener = Listener::bind(&app).await.map_err(|error| match error {
        ListenError::Refused(reason) => Failure::usage(reason),
        ListenError::Failed(reason) => Failure::error(reason),
    })?;
    // Asked for before anybody is told that we are ready: a signal right after that must not kill us.
    let asked = asked_to_stop()?;
    let stop = async move {
        asked.await;
        tracing::info!("stopping");
    };
    let url = listener.url();
    output.data(format!("listening on {url}"), &json!({"listening": url}))?;
    match administrator {
        Administrator::Known => {}
        Administrator::Created => output.talk("user admin was created with the given password"),
        Administrator::Missing => {
            let link = format!("{url}/setup#token={}", app.auth().setup().open(app.store().now())?);
            output.data(
                format!("set-up link, good once and for 30 minutes: {link}"),
                &json!({"setup": link}),
            )?;
        }
    }
    let router = crate::routes().build(&app);
    let workers = work::start(&app)?;
    listener.serve(&app, router, stop).await;
    let stopping = app.clone();
    let stopped = tokio::task::spawn_blocking(move || {
        workers.stop();
        stopping.stop();
    });
    stopped.await.map_err(Failure::error)?;
    tracing::info!("stopped");
    Ok(())
}

/// Opens as many files and sockets as the system lets: what a shell gives by default is less than `limits.connections_max`.
fn raise_files(config: &Config) {
    let wanted = config.limits.connections_max + config.publishing.slow_deliveries_max;
    match rlimit::increase_nofile_limit(rlimit::INFINITY) {
        Ok(files) if usize::try_from(files).is_ok_and(|files| files <= wanted) => {
            tracing::info!(files, wanted, "fewer files may be open than connections are configured");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the number of open files could not be raised"),
    }
}

fn start_log(log: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|error| Failure::usage(format!("log.filter '{}': {error}", log.filter)))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Json => lines.json().with_span_list(false).try_init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    started.map_err(Failure::error)
}
