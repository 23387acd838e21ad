//! `[backup.*]`

use jiff::tz::TimeZone;

use super::super::{BackupJob, CatchUp, Compression, FingerprintLevel, JobKind, JobName, SqliteCheck};
use super::super::{StoreName, suggest};
use super::secret::SecretKeys;
use super::values::{choice, duration, number, schedule, timezone};
use super::{Known, Problem, Section, Spot, retention};

/// Reads one job. `zone`: the daemon's; `None` if that is wrong, which was reported.
pub(super) fn read(
    name: &str,
    section: &Section<'_>,
    known: &Known,
    zone: Option<&TimeZone>,
) -> Option<(String, BackupJob)> {
    let name_ok = match JobName::new(JobKind::Backup, name) {
        Ok(_) => true,
        Err(error) => {
            section.reader.error(&section.name_origin(), Problem::new(error.to_string()));
            false
        }
    };
    let database = section.required("database", |spot| known.database(spot));
    let stores = stores(section, known);
    let schedule = section.optional("schedule", schedule);
    let own_zone = section.optional("timezone", timezone);
    let compression = section.or("compression", "zstd:3", compression);
    let encrypt_to = encrypt_to(section);
    let levels =
        [("none", FingerprintLevel::None), ("counts", FingerprintLevel::Counts), ("hash", FingerprintLevel::Hash)];
    let fingerprint = section.or("fingerprint", "hash", choice(&levels));
    let checks = [("none", SqliteCheck::None), ("quick", SqliteCheck::Quick), ("full", SqliteCheck::Full)];
    let check = section.or("check", "quick", choice(&checks));
    let timeout = section.or("timeout", "6h", duration);
    let stall_timeout = section.or("stall_timeout", "10m", duration);
    let retries = section.optional("retries", number(0..=100));
    let catch_up = section.or("catch_up", "once", choice(&[("once", CatchUp::Once), ("skip", CatchUp::Skip)]));
    let retention_given = section.has("retention");
    let retention = retention::read(section);
    if !retention_given {
        section.warning(
            Problem::new(format!("backup.{name} has no `retention`, so it keeps all backups for ever"))
                .help("add for instance `retention = \"30 days\"`"),
        );
    }
    let heartbeat = SecretKeys::ping(section);
    section.finish();
    if !name_ok || section.is_faulty() {
        return None;
    }
    let job = BackupJob {
        name: name.to_owned(),
        database: database?,
        schedule,
        timezone: own_zone.or_else(|| zone.cloned())?,
        stores: stores?,
        compression: compression?,
        encrypt_to: encrypt_to?,
        fingerprint: fingerprint?,
        check: check?,
        timeout: timeout?,
        stall_timeout: stall_timeout?,
        retries,
        catch_up: catch_up?,
        retention,
        heartbeat,
    };
    Some((name.to_owned(), job))
}

fn stores(section: &Section<'_>, known: &Known) -> Option<Vec<StoreName>> {
    if !section.has("stores") {
        section.is_missing("stores");
    }
    let stores: Vec<StoreName> = section.list("stores", |spot| known.store(spot))?;
    let spot = section.spot("stores")?;
    if stores.is_empty() {
        return section.taken(&spot, Err(Problem::new("a backup needs at least one store")));
    }
    no_twins(section, "stores", &stores);
    Some(stores)
}

/// Reports elements that stand twice in a list.
fn no_twins<T: PartialEq + std::fmt::Display>(section: &Section<'_>, key: &'static str, items: &[T]) {
    let Some(spots) = section.spot(key).and_then(|spot| spot.list().ok()) else { return };
    for (at, (item, spot)) in items.iter().zip(spots).enumerate() {
        if items[..at].contains(item) {
            section.taken::<()>(&spot, Err(Problem::new(format!("`{item}` stands here twice"))));
        }
    }
}

/// `zstd:LEVEL`, `gzip:LEVEL`, `none`; the level may be left out.
fn compression(spot: &Spot<'_>) -> Result<Compression, Problem> {
    let text = spot.text()?;
    let (method, level) = match text.split_once(':') {
        Some((method, level)) => (method, Some(level)),
        None => (text, None),
    };
    let level = |default: u32, most: u32| match level.map(str::parse::<u32>) {
        None => Ok(default),
        Some(Ok(level)) if (1..=most).contains(&level) => Ok(level),
        Some(_) => Err(Problem::new(format!("the level of {method} is a number from 1 to {most}"))),
    };
    match method {
        "none" if !text.contains(':') => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip(level(6, 9)?)),
        "zstd" => Ok(Compression::Zstd(level(3, 19)?.cast_signed())),
        _ => {
            let near = suggest(method, ["zstd", "gzip", "none"]);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            Err(Problem::new(format!("unknown compression `{text}`{hint}"))
                .help("write `zstd:3` (levels 1 to 19), `gzip:6` (1 to 9) or `none`"))
        }
    }
}

/// Age public keys; none, where the key is left out.
pub(super) fn encrypt_to(section: &Section<'_>) -> Option<Vec<String>> {
    if !section.has("encrypt_to") {
        section.know("encrypt_to");
        return Some(Vec::new());
    }
    let keys = section.list("encrypt_to", recipient)?;
    let spot = section.spot("encrypt_to")?;
    if keys.is_empty() {
        return section.taken(
            &spot,
            Err(Problem::new("this encrypts to nobody").help("name a public key, or leave `encrypt_to` out")),
        );
    }
    no_twins(section, "encrypt_to", &keys);
    Some(keys)
}

/// An age public key. What stands there is never repeated: it may be the private one.
fn recipient(spot: &Spot<'_>) -> Result<String, Problem> {
    let text = spot.text()?.trim();
    if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
        return Err(Problem::new("this is a private key: whoever reads this file can decrypt the backups").help(
            "put its public key here (`age-keygen -y KEYFILE` prints it), and make a new key, as this one is known",
        ));
    }
    match text.parse::<age::x25519::Recipient>() {
        Ok(recipient) => Ok(recipient.to_string()),
        Err(_) if text.starts_with("age1") => {
            Err(Problem::new("this age public key is damaged").help("copy it again: it has 62 characters"))
        }
        Err(_) => Err(Problem::new("this is not an age public key")
            .help("it begins with `age1`; `age-keygen -o KEYFILE` makes a pair and prints it")),
    }
}
