//! `demo`: what Caretaker does, shown on a small SQLite database in a temporary folder. Every step is a real command, run
//! through the same code as on a server.

mod school;

use std::path::{Path, PathBuf};

use super::args::{AlertCommand, BackupCommand, Cli, Command, Global, HealthArgs, JobCommand, RestoreArgs};
use super::exit::{CliError, Exit};
use super::output::Output;
use super::scene::Scene;
use super::{alert, backup, health, job, restore};
use crate::config::LoadOptions;

/// Runs the demo; everything it makes is removed at the end.
pub(super) async fn run(output: &Output) -> Result<Exit, CliError> {
    let folder = tempfile::Builder::new()
        .prefix("caretaker-demo-")
        .tempdir()
        .map_err(|error| CliError::failed(format!("cannot make a temporary folder: {error}")))?;
    let demo = Demo { folder: folder.path().to_owned(), output };
    demo.play().await
}

struct Demo<'a> {
    folder: PathBuf,
    output: &'a Output,
}

impl Demo<'_> {
    async fn play(&self) -> Result<Exit, CliError> {
        let output = self.output;
        let database = self.folder.join("school.db");
        self.step("A small database: a school's learners, courses and answers");
        let rows =
            school::create(&database).map_err(|error| CliError::failed(format!("the demo's database: {error}")))?;
        output.line(format!("{} with {rows} rows, made as any application would", database.display()));

        self.step("The configuration: what to look after, where copies go, when, and how long they stay");
        let config = self.configure(&database)?;
        output.line(config.trim_end());

        let scene = self.scene()?;
        self.step("A backup, as the schedule would take it every night");
        self.job(&scene).await?;
        school::live_on(&database).map_err(|error| CliError::failed(format!("the demo's database: {error}")))?;
        output.line("(learners go on answering …)");
        self.job(&scene).await?;

        self.step("What there is");
        self.backup(&scene, "backup list", BackupCommand::List { database: None }).await?;

        self.step("Is it any good? Every hash is checked and the database in it is read to its end");
        let verify = || BackupCommand::Verify { id: "latest".into(), database: None, store: None, identity: None };
        self.backup(&scene, "backup verify latest", verify()).await?;

        self.step("Restored elsewhere, and compared with what was recorded when it was taken, row by row");
        let restored = self.folder.join("restored.db");
        self.restore(&scene, &restored).await?;

        self.step("And if a disk flips one byte?");
        self.damage()?;
        output.line("(one byte of the newest backup is changed behind Caretaker's back)");
        let found = self.backup(&scene, "backup verify latest", verify()).await?;
        if found != Exit::Found {
            return Err(CliError::failed("the demo's damage was not found: this is a bug"));
        }
        output.line("exit code 5: it found something wrong, and that backup no longer counts as a good one");

        self.step("How is the database itself? Each check says what it saw, and what it could not see");
        self.health(&scene).await?;
        self.step("And who would be told? Here a folder of mails; on a server a mail server, a webhook, a pager");
        self.mail(&scene).await?;

        self.step("The next nights; retention keeps the last 2 good ones, and says why each stays or goes");
        self.job(&scene).await?;
        self.backup(&scene, "backup prune", BackupCommand::Prune { job: None, apply: false, yes: false }).await?;
        self.job(&scene).await?;
        self.backup(&scene, "backup list", BackupCommand::List { database: None }).await?;

        self.step("That was it");
        output.line("Nothing of this is left: the folder is removed now. On a server:");
        output.line("  caretaker init                     write an annotated configuration");
        output.line("  caretaker config check --online    try every store and database in it");
        output.line("  systemctl enable --now caretaker   and sleep well");
        Ok(Exit::Done)
    }

    fn step(&self, what: &str) {
        self.output.line("");
        self.output.line(self.output.strong(&format!("── {what}")));
    }

    fn command(&self, command: &str) {
        self.output.line(format!("$ caretaker {command}"));
    }

    fn configure(&self, database: &Path) -> Result<String, CliError> {
        let folder = self.folder.display();
        let text = format!(
            r#"[daemon]
state_dir = "{folder}/state"

[databases.school]
url = "sqlite://{}"

[stores.disk]
kind = "local"
path = "{folder}/backups"

[backup.nightly]
database = "school"
schedule = "0 2 * * *"
stores = ["disk"]
retention = "last 2"

[health.school]
database = "school"

[channels.mail]
kind = "file"
format = "maildir"
path = "{folder}/mail"
"#,
            database.display()
        );
        std::fs::write(self.folder.join("caretaker.toml"), &text)
            .map_err(|error| CliError::failed(format!("the demo's configuration: {error}")))?;
        Ok(text)
    }

    fn scene(&self) -> Result<DemoScene, CliError> {
        use clap::Parser;
        let path = self.folder.join("caretaker.toml");
        // Only the file: whatever stands in this process's environment is not the demo's.
        let options = LoadOptions { path: Some(path), ..LoadOptions::default() };
        let loaded = crate::config::load(&options)
            .map_err(|found| CliError::failed(format!("the demo's configuration is not good: {found:?}")))?;
        let Cli { global, command: Command::Demo } = Cli::parse_from(["caretaker", "demo"]) else {
            return Err(CliError::failed("a bug: the demo is no command"));
        };
        Ok(DemoScene { config: loaded.config, global, output: self.output.clone() })
    }

    async fn job(&self, scene: &DemoScene) -> Result<(), CliError> {
        self.command("job run nightly");
        let command = JobCommand::Run { job: "nightly".into(), retries: 0, dry_run: false };
        job::run(&command, &scene.scene()).await.map(drop)
    }

    async fn backup(&self, scene: &DemoScene, text: &str, command: BackupCommand) -> Result<Exit, CliError> {
        self.command(text);
        backup::run(&command, &scene.scene()).await
    }

    async fn health(&self, scene: &DemoScene) -> Result<(), CliError> {
        self.command("health school");
        let database = Some("school".to_owned());
        let arguments =
            HealthArgs { database, detailed: false, deep: false, nagios: false, checks: false, command: None };
        health::run(&arguments, &scene.scene()).await.map(drop)
    }

    /// Sends a mail and shows what arrived.
    async fn mail(&self, scene: &DemoScene) -> Result<(), CliError> {
        self.command("alert test mail");
        alert::run(&AlertCommand::Test { channel: Some("mail".to_owned()) }, &scene.scene()).await?;
        let arrived = || -> std::io::Result<String> {
            let mail = std::fs::read_dir(self.folder.join("mail/new"))?.next();
            std::fs::read_to_string(mail.ok_or_else(|| std::io::Error::other("no mail"))??.path())
        };
        let mail = arrived().map_err(|error| CliError::failed(format!("the demo's mail: {error}")))?;
        for line in mail.lines().filter(|line| ["From:", "To:", "Subject:"].iter().any(|name| line.starts_with(name))) {
            self.output.line(format!("  {line}"));
        }
        Ok(())
    }

    async fn restore(&self, scene: &DemoScene, into: &Path) -> Result<(), CliError> {
        let into = format!("sqlite://{}", into.display());
        self.command(&format!("restore latest --database school --into {into}"));
        let (id, database) = ("latest".into(), "school".into());
        let arguments =
            RestoreArgs { id, database, into, dry_run: false, yes: true, identity: None, without_replay: false };
        restore::run(&arguments, &scene.scene()).await.map(drop)
    }

    /// Changes a byte in the middle of the newest backup.
    fn damage(&self) -> Result<(), CliError> {
        let change = || -> std::io::Result<()> {
            let mut newest = None;
            for entry in std::fs::read_dir(self.folder.join("backups/school"))? {
                let entry = entry?;
                newest = newest.max(Some((entry.metadata()?.modified()?, entry.path())));
            }
            let (_, folder) = newest.ok_or_else(|| std::io::Error::other("no backup"))?;
            let path = folder.join("data.db.zst");
            let mut bytes = std::fs::read(&path)?;
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x20;
            std::fs::write(path, bytes)
        };
        change().map_err(|error| CliError::failed(format!("the demo's damage: {error}")))
    }
}

/// What the demo's commands work with.
struct DemoScene {
    config: crate::config::Config,
    global: Global,
    output: Output,
}

impl DemoScene {
    fn scene(&self) -> Scene<'_> {
        Scene::new(self.config.clone(), &self.global, &self.output)
    }
}
