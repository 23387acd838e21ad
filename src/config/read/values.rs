//! The small languages of single values: durations, sizes, zones, names, paths.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Span;
use jiff::fmt::friendly::SpanParser;
use jiff::tz::TimeZone;

use super::super::suggest;
use super::{Problem, Spot};
use crate::fault::Fault as _;
use crate::schedule::Schedule;

/// Text that is not empty.
pub(super) fn text(spot: &Spot<'_>) -> Result<String, Problem> {
    match spot.text()? {
        text if text.trim().is_empty() => Err(Problem::new("this is empty")),
        text => Ok(text.to_owned()),
    }
}

/// A whole number within bounds.
pub(super) fn number<T: TryFrom<i64>>(bounds: RangeInclusive<i64>) -> impl Fn(&Spot<'_>) -> Result<T, Problem> {
    move |spot| {
        let number = spot.integer()?;
        let (least, most) = (bounds.start(), bounds.end());
        let wrong = || match number {
            _ if *most >= i64::from(u32::MAX) => Problem::new(format!("{number} is less than {least}")),
            _ => Problem::new(format!("{number} is not between {least} and {most}")),
        };
        if !bounds.contains(&number) {
            return Err(wrong());
        }
        T::try_from(number).map_err(|_| wrong())
    }
}

/// `true` or `false`.
pub(super) fn boolean(spot: &Spot<'_>) -> Result<bool, Problem> {
    spot.boolean()
}

/// One of several words.
pub(super) fn choice<T: Clone>(words: &[(&str, T)]) -> impl Fn(&Spot<'_>) -> Result<T, Problem> {
    move |spot| {
        let text = spot.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(value.clone());
        }
        let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let problem = match suggest(text, words.iter().map(|(word, _)| *word)) {
            Some(near) => Problem::new(format!("unknown value `{text}`; did you mean `{near}`?")),
            None => Problem::new(format!("unknown value `{text}`")),
        };
        Err(problem.help(format!("it can be {}", all.join(", "))))
    }
}

/// A length of time on the clock, greater than zero: `90s`, `1h 30m`, `2 days` (of 24 hours).
pub(super) fn duration(spot: &Spot<'_>) -> Result<Duration, Problem> {
    let wrong = || Problem::new("this is not a duration").help("write it like `90s`, `10m`, `1h 30m` or `2 days`");
    match duration_of(spot.text()?) {
        Some(length) if !length.is_zero() => Ok(length),
        Some(_) => Err(Problem::new("a duration must be longer than nothing")),
        None => Err(wrong()),
    }
}

/// The same, of a text; a negative one counts as nothing.
pub(super) fn duration_of(text: &str) -> Option<Duration> {
    let span = SpanParser::new().parse_span(text.trim()).ok()?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
    Some(Duration::try_from(length).unwrap_or_default())
}

/// A schedule: cron with five or six fields, or `@daily` and the like.
pub(super) fn schedule(spot: &Spot<'_>) -> Result<Schedule, Problem> {
    spot.reader.schedule(spot.text()?).map_err(|error| {
        let mut problem = Problem::new(error.to_string());
        problem.help = error.hint();
        problem.part = error.column.map(|column| column..column + error.len.max(1));
        problem
    })
}

/// A length of time on the calendar, greater than zero: `48h`, `30 days`, `6 months`.
pub(super) fn span(spot: &Spot<'_>) -> Result<Span, Problem> {
    span_of(spot.text()?).ok_or_else(|| {
        Problem::new("this is not a length of time").help("write it like `48h`, `30 days`, `8 weeks` or `6 months`")
    })
}

/// The same, of a text.
pub(super) fn span_of(text: &str) -> Option<Span> {
    let span = SpanParser::new().parse_span(text.trim()).ok()?;
    span.is_positive().then_some(span)
}

/// A number of bytes within bounds: `8MiB`, `500 MB`, or a bare number.
pub(super) fn size(bounds: RangeInclusive<u64>) -> impl Fn(&Spot<'_>) -> Result<u64, Problem> {
    move |spot| {
        let bytes = match spot.integer() {
            Ok(number) => u64::try_from(number).ok(),
            Err(_) => bytes_of(spot.text()?),
        };
        let wrong =
            || Problem::new("this is not a size").help("write it like `8MiB`, `64 MiB`, `500MB`, `1 TiB`, or in bytes");
        let bytes = bytes.ok_or_else(wrong)?;
        if bounds.contains(&bytes) {
            return Ok(bytes);
        }
        let (least, most) = (bounds.start() >> 20, bounds.end() >> 20);
        Err(Problem::new(format!("this is not between {least} MiB and {most} MiB")))
    }
}

/// The same, of a text.
pub(super) fn bytes_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "tb" => 1_000_000_000_000,
        "t" | "tib" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// A zone of the IANA database.
pub(super) fn timezone(spot: &Spot<'_>) -> Result<TimeZone, Problem> {
    let name = spot.text()?;
    if name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        let names: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
        match suggest(name, names.iter().map(String::as_str)) {
            Some(near) => Problem::new(format!("unknown time zone `{name}`; did you mean `{near}`?")),
            None if names.is_empty() => Problem::new(format!("unknown time zone `{name}`: this machine has none"))
                .help("install the package tzdata"),
            None => Problem::new(format!("unknown time zone `{name}`"))
                .help("use a name of the IANA database, such as `Europe/Berlin`"),
        }
    })
}

/// A path, as it will be used: absolute, or beginning with `./` or `../` and then relative to the folder of the file
/// that says it (in a variable: to the working directory). Anything else is refused: it is nearly always a forgotten
/// `/`, and a service's working directory is not what its author thinks.
pub(super) fn path(spot: &Spot<'_>) -> Result<PathBuf, Problem> {
    let text = spot.text()?;
    if text.is_empty() {
        return Err(Problem::new("this is empty"));
    }
    if text.starts_with('/') {
        return Ok(PathBuf::from(text));
    }
    let is_relative = text == "." || text == ".." || text.starts_with("./") || text.starts_with("../");
    if !is_relative {
        return Err(Problem::new(format!("`{text}` is not an absolute path"))
            .help(format!("write `/{text}`, or `./{text}` for a path relative to the folder of this file")));
    }
    Ok(resolve(spot, text))
}

/// A relative path made absolute, from the folder of the file that says it.
pub(super) fn resolve(spot: &Spot<'_>, text: &str) -> PathBuf {
    let folder = spot.reader.layers.folder(&spot.origin).map(PathBuf::from).unwrap_or_default();
    let joined = folder.join(text.trim_start_matches("./"));
    // Fails only where the working directory is gone; then the path stays as it is and is reported when it is used.
    std::path::absolute(&joined).unwrap_or(joined)
}

/// A file with the certificates of an authority.
pub(super) fn authority(spot: &Spot<'_>) -> Result<PathBuf, Problem> {
    let path = path(spot)?;
    let read = |error| Problem::new(format!("cannot read {}: {error}", path.display()));
    let pem = std::fs::read_to_string(&path).map_err(read)?;
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        return Err(Problem::new(format!("{} holds no certificate", path.display())).help("it must be a PEM file"));
    }
    Ok(path)
}
