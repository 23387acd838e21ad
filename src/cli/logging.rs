//! Logs: to the journal, with fields, when it is there; else to standard error.

use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What libraries say below a warning is not for operators.
const LIBRARIES: &str = "sqlx=warn,aws_config=error,aws_smithy_runtime=warn,aws_runtime=warn,aws_sdk_s3=warn,\
    aws_sigv4=warn,hyper=warn,hyper_util=warn,rustls=warn,tokio_cron_scheduler=warn,h2=warn,i18n_embed=error";

/// The target of what is logged whoever does it and however: to the journal too, where there is one.
pub(super) const AUDIT: &str = "audit";

/// Starts logging. Commands log nothing but [`AUDIT`] unless `-v` is given (how they end, they print); the daemon says what
/// it does. `CARETAKER_LOG` takes a filter in the form of `RUST_LOG` and overrides both.
pub(super) fn start(verbose: u8, daemon: bool, no_color: bool) {
    let filter = match std::env::var("CARETAKER_LOG") {
        Ok(filter) => EnvFilter::new(filter),
        Err(_) => EnvFilter::new(match (verbose, daemon) {
            (0, false) => format!("off,{AUDIT}=info"),
            (0, true) | (1, false) => format!("info,{LIBRARIES}"),
            (1, true) => format!("debug,{LIBRARIES}"),
            _ => "debug".to_owned(),
        }),
    };
    let registry = tracing_subscriber::registry().with(filter);
    // systemd sets JOURNAL_STREAM when standard error is the journal; plain lines there would all have one priority.
    let journal = tracing_journald::layer().ok();
    let journal = journal.map(|layer| layer.with_field_prefix(None).with_syslog_identifier("caretaker".to_owned()));
    match (journal, std::env::var_os("JOURNAL_STREAM")) {
        (Some(journal), Some(_)) => registry.with(journal).init(),
        (journal, _) => {
            let registry =
                registry.with(journal.map(|layer| layer.with_filter(Targets::new().with_target(AUDIT, Level::INFO))));
            let color = !no_color && std::io::IsTerminal::is_terminal(&std::io::stderr());
            let lines =
                tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(color);
            registry.with(lines).init();
        }
    }
}
