//! What is to be backed up, how, and where to; and what would come of it.

use serde_json::json;

use crate::archive::codec::{EncodeSpec, Recipient, object_name};
use crate::backup::{postgres, sqlite};
use crate::config::{BackupJob, Config, Database, DatabaseKind, StoreKind, StoreName};
use crate::database::Servers;
use crate::run::{Failure, PlanView};

/// What is to be backed up, how, and where to.
pub(in crate::backup) struct Wish<'a> {
    pub config: &'a Config,
    pub servers: &'a Servers,
    pub settings: &'a BackupJob,
    /// The job's full name; `None`: by hand.
    pub job: Option<String>,
    pub lease: String,
    /// Whether it stands in the catalogue.
    pub catalogued: bool,
}

impl Wish<'_> {
    pub(in crate::backup) fn database(&self) -> Result<&Database, Failure> {
        self.config
            .databases
            .get(&self.settings.database)
            .ok_or_else(|| Failure::new(format!("database {} is not in the configuration", self.settings.database)))
    }

    /// A store as a person knows it: the one made for `--output` by its folder.
    fn place(&self, name: &StoreName) -> String {
        match self.config.stores.get(name).map(|store| &store.kind) {
            Some(StoreKind::Local(local)) if !self.catalogued => local.path.display().to_string(),
            _ => name.to_string(),
        }
    }

    pub(super) fn encode_spec(&self) -> Result<EncodeSpec, Failure> {
        let recipients =
            self.settings.encrypt_to.iter().map(|key| key.parse::<Recipient>()).collect::<Result<_, _>>()?;
        Ok(EncodeSpec { compression: self.settings.compression, recipients, threads: EncodeSpec::default_threads() })
    }
}

/// Says what a run would do.
pub(in crate::backup) async fn plan(wish: &Wish<'_>) -> Result<PlanView, Failure> {
    let database = wish.database()?;
    let spec = wish.encode_spec()?;
    let (base, mut value) = match &database.kind {
        DatabaseKind::Postgres(_) => ("data.dump", postgres::plan(wish).await?),
        DatabaseKind::Sqlite(target) => ("data.db", sqlite::plan(&target.path).await?),
    };
    let stores: Vec<String> = wish.settings.stores.iter().map(|name| wish.place(name)).collect();
    let object = object_name(base, spec.compression, !spec.recipients.is_empty());
    value["database"] = json!(wish.settings.database.as_str());
    value["stores"] = json!(stores);
    value["object"] = json!(object);
    value["fingerprint"] = json!(wish.settings.fingerprint.as_str());
    let text = format!(
        "would back up {} ({}) as {object} to {}",
        wish.settings.database,
        value["source"].as_str().unwrap_or_default(),
        stores.join(", ")
    );
    Ok(PlanView { text, value })
}
