//! `[stores.*]`

use std::collections::BTreeMap;

use super::super::{LocalStore, S3Profile, S3Store, Store, StoreKind, StoreName};
use super::values::{boolean, choice, duration, number, path, size, text};
use super::{Problem, Section, Spot};

const MIB: u64 = 1 << 20;
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>: parts of 5 MiB to 5 GiB, at most 10,000.
const PART_SIZES: std::ops::RangeInclusive<u64> = 5 * MIB..=5 * 1024 * MIB;
const MAX_PARTS: i64 = 10_000;
/// Classes whose objects must be asked for hours before they can be read.
const OFFLINE_CLASSES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Local,
    S3,
}

/// Reads all stores; two that are the same place are an error, as each would prune the other's backups.
pub(super) fn read_all(sections: &[(String, Section<'_>)]) -> BTreeMap<StoreName, Store> {
    let mut stores: BTreeMap<StoreName, Store> = BTreeMap::new();
    for (name, section) in sections {
        let Some(store) = read(name, section) else { continue };
        if let Some(other) = stores.values().find(|other| is_same_place(&other.kind, &store.kind)) {
            section.error(
                Problem::new(format!("the stores `{}` and `{name}` are the same place", other.name))
                    .help("give each its own path, bucket or prefix"),
            );
        }
        stores.insert(store.name.clone(), store);
    }
    stores
}

fn is_same_place(a: &StoreKind, b: &StoreKind) -> bool {
    match (a, b) {
        (StoreKind::Local(a), StoreKind::Local(b)) => a.path == b.path,
        (StoreKind::S3(a), StoreKind::S3(b)) => {
            (&a.bucket, &a.prefix, &a.endpoint) == (&b.bucket, &b.prefix, &b.endpoint)
        }
        _ => false,
    }
}

fn read(name: &str, section: &Section<'_>) -> Option<Store> {
    let checked = match name.parse::<StoreName>() {
        Ok(name) => Some(name),
        Err(error) => {
            section.reader.error(&section.name_origin(), Problem::new(error.to_string()));
            None
        }
    };
    let kinds = [("local", Kind::Local), ("s3", Kind::S3)];
    let kind = section.optional("kind", choice(&kinds));
    let kind = match kind {
        Some(Kind::Local) => {
            let path = section.required("path", path);
            section.finish();
            path.map(|path| StoreKind::Local(LocalStore { path }))
        }
        Some(Kind::S3) => {
            let store = s3(section);
            section.finish();
            store.map(|store| StoreKind::S3(Box::new(store)))
        }
        // What else belongs there depends on the kind.
        None => {
            if !section.has("kind") {
                let needs = Problem::new(format!("[stores.{name}] needs `kind`"));
                section.error(needs.help("write `kind = \"local\"` or `kind = \"s3\"`"));
            }
            None
        }
    };
    Some(Store { name: checked?, kind: kind? })
}

fn s3(section: &Section<'_>) -> Option<S3Store> {
    let bucket = section.required("bucket", bucket);
    let prefix = section.or("prefix", "", prefix);
    let region = section.optional("region", text);
    let endpoint_given = section.has("endpoint");
    let endpoint = section.optional("endpoint", endpoint);
    let path_style = section.or("path_style", endpoint_given, boolean);
    let profiles = [
        ("aws", S3Profile::Aws),
        ("generic", S3Profile::Generic),
        ("r2", S3Profile::R2),
        ("scaleway", S3Profile::Scaleway),
    ];
    let profile = section.or("profile", if endpoint_given { "generic" } else { "aws" }, choice(&profiles));
    let most = profile.map_or(MAX_PARTS, |profile| i64::from(profile.max_parts()));
    let credentials_file = section.optional("credentials_file", path);
    let credentials_profile = section.optional("credentials_profile", text);
    let part_size = section.or("part_size", "8MiB", size(PART_SIZES));
    let max_parts = section.or("max_parts", most, number(1..=most));
    let concurrency = section.or("concurrency", 4, number(1..=64));
    let server_side_encryption = section.optional("server_side_encryption", encryption);
    let kms_key_id = section.optional("kms_key_id", text);
    if kms_key_id.is_some() && !server_side_encryption.as_deref().is_some_and(|how| how.starts_with("aws:kms")) {
        section.error(Problem::new("`kms_key_id` needs `server_side_encryption = \"aws:kms\"`"));
    }
    let storage_class = section.optional("storage_class", storage_class);
    let request_timeout = section.or("request_timeout", "60s", duration);
    Some(S3Store {
        bucket: bucket?,
        prefix: prefix?,
        region,
        endpoint,
        path_style: path_style?,
        profile: profile?,
        credentials_file,
        credentials_profile,
        part_size: part_size?,
        max_parts: max_parts?,
        concurrency: concurrency?,
        server_side_encryption,
        kms_key_id,
        storage_class,
        request_timeout: request_timeout?,
    })
}

fn bucket(spot: &Spot<'_>) -> Result<String, Problem> {
    let name = text(spot)?;
    if name.contains('/') || name.contains(':') {
        return Err(Problem::new("this is not the name of a bucket").help(
            "write the bucket's name alone; a folder in it goes into `prefix`, a service's address into `endpoint`",
        ));
    }
    // Amazon's rules are stricter, but other services allow more.
    if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Problem::new("the name of a bucket cannot hold spaces"));
    }
    Ok(name)
}

/// Put before every key: empty, or ending in `/`.
fn prefix(spot: &Spot<'_>) -> Result<String, Problem> {
    let prefix = spot.text()?;
    if prefix.is_empty() {
        return Ok(String::new());
    }
    let bare = prefix.strip_suffix('/').unwrap_or(prefix);
    if bare.split('/').any(|part| matches!(part, "" | "." | "..")) || bare.chars().any(char::is_control) {
        return Err(Problem::new("a prefix is a folder in the bucket").help("write it like `prod/` or `backups/prod/`"));
    }
    Ok(format!("{bare}/"))
}

fn endpoint(spot: &Spot<'_>) -> Result<String, Problem> {
    let address = text(spot)?;
    let wrong = || {
        Problem::new("this is not the address of a service")
            .help("write it like `https://s3.example.net`, without a path")
    };
    let (scheme, rest) = address.split_once("://").ok_or_else(wrong)?;
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let is_host = !host.is_empty() && !host.contains(['/', '?', '#', '@']) && !host.contains(char::is_whitespace);
    if !matches!(scheme, "http" | "https") || !is_host {
        return Err(wrong());
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let is_here = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if scheme == "http" && !is_here {
        spot.warning(
            Problem::new("backups travel to this store without TLS")
                .help("use `https://`, and `encrypt_to` in the jobs"),
        );
    }
    Ok(format!("{scheme}://{host}"))
}

fn encryption(spot: &Spot<'_>) -> Result<String, Problem> {
    let words = ["AES256", "aws:kms", "aws:kms:dsse"].map(|word| (word, word.to_owned()));
    choice(&words)(spot)
}

fn storage_class(spot: &Spot<'_>) -> Result<String, Problem> {
    let class = text(spot)?;
    if class != class.to_uppercase() {
        return Err(Problem::new(format!("storage classes are written in capitals: `{}`", class.to_uppercase())));
    }
    if OFFLINE_CLASSES.contains(&class.as_str()) {
        spot.warning(
            Problem::new(format!(
                "objects of class {class} cannot be read at once, so backups there cannot be verified"
            ))
            .help("use `GLACIER_IR`, which can be read at once, or a lifecycle rule of the bucket"),
        );
    }
    Ok(class)
}
