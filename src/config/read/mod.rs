//! From the merged layers to the checked [`Config`], one file per table. Everything that is wrong is recorded and the
//! reading goes on, so that all of it is reported at once.

mod alerts;
mod backup;
mod channel;
mod daemon;
mod database;
mod health;
mod heartbeat;
mod known;
mod privacy;
mod problem;
mod reader;
mod retention;
mod secret;
mod section;
mod spot;
mod store;
mod values;

use std::collections::BTreeMap;

use super::layers::Layers;
use super::model::Config;
use super::view::View;
use super::{Diagnostic, Severity};
use known::Known;
use problem::Problem;
use reader::Reader;
use section::Section;
use spot::Spot;

/// What was read.
pub(super) struct Outcome {
    /// The configuration; only to be used if no diagnostic is an error.
    pub config: Option<Config>,
    /// What is wrong or doubtful.
    pub diagnostics: Vec<Diagnostic>,
    /// What `config show` shows.
    pub view: View,
}

/// Reads the merged layers.
pub(super) fn read(layers: &Layers) -> Outcome {
    let reader = Reader::new(layers);
    let root = Section::root(&reader);
    let daemon = daemon::read(&root.table("daemon"));
    let databases = root.tables("databases");
    let stores = root.tables("stores");
    let backups = root.tables("backup");
    let health = root.tables("health");
    let privacy = root.tables("privacy");
    let channels = root.tables("channels");
    let known = Known::of(&databases, &stores, &channels);
    let databases: BTreeMap<_, _> = databases.iter().filter_map(|(name, table)| database::read(name, table)).collect();
    let stores = store::read_all(&stores);
    let zone = daemon.as_ref().map(|daemon| daemon.timezone.clone());
    let backups: BTreeMap<_, _> =
        backups.iter().filter_map(|(name, table)| backup::read(name, table, &known, zone.as_ref())).collect();
    let health: BTreeMap<_, _> =
        health.iter().filter_map(|(name, table)| health::read(name, table, &known, zone.as_ref())).collect();
    let policies: BTreeMap<_, _> = privacy
        .iter()
        .filter_map(|(name, table)| privacy::read(name, table, &known, daemon.as_ref(), &databases, &backups))
        .collect();
    privacy::apart(&privacy, &policies);
    let channels: BTreeMap<_, _> = channels.iter().filter_map(|(name, table)| channel::read(name, table)).collect();
    let alerts = alerts::read(&root.table("alerts"), &known, zone.as_ref());
    let heartbeat = heartbeat::read(&root.table("heartbeat"));
    root.finish();
    let (mut diagnostics, view) = reader.finish();
    let config = daemon.zip(alerts).map(|(daemon, alerts)| Config {
        daemon,
        databases,
        stores,
        backups,
        health,
        privacy: policies,
        channels,
        alerts,
        heartbeat,
    });
    if config.is_none() && !diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        // `[daemon]` and `[alerts]` are only missing when something in them was reported.
        diagnostics.push(Diagnostic {
            severity: Severity::Error,
            message: "the configuration could not be read".to_owned(),
            place: None,
            help: None,
        });
    }
    Outcome { config, diagnostics, view }
}
