//! From the merged layers to the checked [`Config`], one file per table. Everything that is wrong is recorded and the
//! reading goes on, so that all of it is reported at once.

mod backup;
mod daemon;
mod database;
mod problem;
mod reader;
mod retention;
mod section;
mod spot;
mod store;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use super::layers::Layers;
use super::model::Config;
use super::view::View;
use super::{Diagnostic, Severity};
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

/// The names of tables, which jobs may refer to. All that the files define, so that one wrong value in a table does not
/// make every reference to it wrong as well.
struct Known {
    databases: BTreeSet<String>,
    stores: BTreeSet<String>,
}

/// Reads the merged layers.
pub(super) fn read(layers: &Layers) -> Outcome {
    let reader = Reader::new(layers);
    let root = Section::root(&reader);
    let daemon = daemon::read(&root.table("daemon"));
    let databases = root.tables("databases");
    let stores = root.tables("stores");
    let backups = root.tables("backup");
    let known = Known {
        databases: databases.iter().map(|(name, _)| name.clone()).collect(),
        stores: stores.iter().map(|(name, _)| name.clone()).collect(),
    };
    let databases: BTreeMap<_, _> = databases.iter().filter_map(|(name, table)| database::read(name, table)).collect();
    let stores = store::read_all(&stores);
    let zone = daemon.as_ref().map(|daemon| daemon.timezone.clone());
    let backups: BTreeMap<_, _> =
        backups.iter().filter_map(|(name, table)| backup::read(name, table, &known, zone.as_ref())).collect();
    root.finish();
    let (mut diagnostics, view) = reader.finish();
    let config = daemon.map(|daemon| Config { daemon, databases, stores, backups });
    if config.is_none() && !diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        // `[daemon]` is only missing when something in it was reported.
        diagnostics.push(Diagnostic {
            severity: Severity::Error,
            message: "the configuration could not be read".to_owned(),
            place: None,
            help: None,
        });
    }
    Outcome { config, diagnostics, view }
}
