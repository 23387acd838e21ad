//! Figures for people: bytes, lengths of time, shares, counts.

/// `512 B`, `3.40 MiB`, `1.20 GiB`; nothing below nothing.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes are whole and not negative")]
pub fn bytes(bytes: f64) -> String {
    indicatif::BinaryBytes(bytes.max(0.0) as u64).to_string()
}

/// `4ms`, `0.3s`, `45s`, `12m 5s`, `3h 12m`, `5d 4h`: two units at most.
#[allow(clippy::cast_possible_truncation, reason = "far less than 2^63 seconds")]
pub fn seconds(seconds: f64) -> String {
    let whole = seconds.max(0.0) as i64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds > 0.0 && seconds < 0.1 => format!("{:.0}ms", seconds * 1000.0),
        (0, 0, 0) if whole < 10 => format!("{:.1}s", seconds.max(0.0)),
        (0, 0, 0) => format!("{whole}s"),
        (0, 0, _) => format!("{minutes}m {}s", whole % 60),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// `80 %`, `99.2 %`
pub fn share(share: f64) -> String {
    let percent = share * 100.0;
    if (percent - percent.round()).abs() < 0.05 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

/// `3`, `2.5`
pub fn count(count: f64) -> String {
    if (count - count.round()).abs() < 0.005 { format!("{count:.0}") } else { format!("{count:.2}") }
}

/// `1 table`, `2 tables`
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(bytes(1_288_490_189.0), "1.20 GiB");
        assert_eq!(bytes(-1.0), "0 B");
        for (figure, text) in [
            (0.0, "0.0s"),
            (0.004, "4ms"),
            (0.31, "0.3s"),
            (45.0, "45s"),
            (725.0, "12m 5s"),
            (11_520.0, "3h 12m"),
            (446_400.0, "5d 4h"),
        ] {
            assert_eq!(seconds(figure), text);
        }
        assert_eq!((share(0.8), share(0.9917)), ("80 %".to_owned(), "99.2 %".to_owned()));
        assert_eq!([0, 1, 2].map(|n| counted(n, "index", "indexes")), ["0 indexes", "1 index", "2 indexes"]);
        assert_eq!((count(3.0), count(2.5)), ("3".to_owned(), "2.50".to_owned()));
    }
}
