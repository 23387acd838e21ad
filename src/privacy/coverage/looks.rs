//! What a column's values look like, all together. Pure. Values never leave here.

use std::collections::BTreeSet;

use serde::Serialize;

use super::account::{is_card, is_iban};
use super::hint::Hint;
use super::national::NUMBERS;
use super::person::{NameLike, holds_name, like};
use super::value::{could_be_phone, holds_email, holds_ip, holds_phone, ip, is_email, is_no_version, is_phone};
use crate::database::schema::{Column, Family};

/// What values look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Email addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// IP addresses.
    Ip,
    /// Names of persons.
    Name,
    /// Numbers that a state gives to people.
    NationalId,
    /// Account numbers.
    Iban,
    /// Numbers of payment cards.
    PaymentCard,
    /// Days of birth.
    BirthDate,
}

/// A likeness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Likeness {
    /// To what.
    pub kind: Kind,
    /// Which national number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub which: Option<&'static str>,
    /// Whether it stands somewhere in the text, or only in a few values, rather than being what the column is for.
    pub within_text: bool,
    /// So many different values…
    pub values: usize,
    /// … of so many.
    pub of: usize,
}

/// From which share of its values on a column is for something.
const MOSTLY: f64 = 0.3;

/// What these values of a column look like.
pub(super) fn looks(table: &str, column: &Column, values: &[String]) -> Vec<Likeness> {
    let hint = Hint::of(table, &column.name);
    // What stands there again and again counts once: a default is no evidence.
    let values: BTreeSet<&str> = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).collect();
    let seen = Seen { values: values.into_iter().collect(), hint, family: column.family };
    let mut found = Vec::new();
    found.extend(seen.email());
    found.extend(seen.ip());
    found.extend(seen.numbers());
    let is_number = found.iter().any(|one: &Likeness| !one.within_text);
    found.extend(seen.phone().filter(|_| !is_number));
    if !found.iter().any(|one| !one.within_text) {
        found.extend(seen.name());
    }
    found.extend(seen.birth());
    found
}

struct Seen<'a> {
    values: Vec<&'a str>,
    hint: Hint,
    family: Family,
}

impl Seen<'_> {
    fn count(&self, is: impl Fn(&str) -> bool) -> usize {
        self.values.iter().filter(|value| is(value)).count()
    }

    fn share(&self, count: usize) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a share")]
        let share = count as f64 / self.values.len().max(1) as f64;
        share
    }

    fn is_text(&self) -> bool {
        matches!(self.family, Family::Text | Family::Json | Family::Other)
    }

    fn likeness(&self, kind: Kind, values: usize, within_text: bool) -> Option<Likeness> {
        (values > 0).then_some(Likeness { kind, which: None, within_text, values, of: self.values.len() })
    }

    /// Mostly that, or that somewhere in the text.
    fn either(&self, kind: Kind, whole: usize, within: impl Fn(&str) -> bool) -> Option<Likeness> {
        if self.share(whole) >= MOSTLY {
            return self.likeness(kind, whole, false);
        }
        self.likeness(kind, if self.is_text() { self.count(within) } else { 0 }, true)
    }

    fn email(&self) -> Option<Likeness> {
        self.either(Kind::Email, self.count(is_email), holds_email)
    }

    fn ip(&self) -> Option<Likeness> {
        if self.hint.version {
            return None;
        }
        let all = self.count(|value| ip(value).is_some());
        let sure = self.count(|value| ip(value).is_some_and(|ip| is_no_version(&ip)));
        let is_sure = self.hint.ip || self.family == Family::Network || sure * 2 >= all;
        self.either(Kind::Ip, if is_sure { all } else { 0 }, holds_ip)
    }

    fn phone(&self) -> Option<Likeness> {
        if self.hint.phone {
            let could = self.count(could_be_phone);
            return match self.share(could) >= MOSTLY {
                true => self.likeness(Kind::Phone, could, false),
                false => self.either(Kind::Phone, 0, holds_phone),
            };
        }
        let whole = if self.is_text() { self.count(is_phone) } else { 0 };
        self.either(Kind::Phone, whole, holds_phone)
    }

    /// Numbers with check digits: one value in ten, or in eleven, is right by chance, so that nearly all must be.
    fn numbers(&self) -> Vec<Likeness> {
        let mut found = Vec::new();
        for number in NUMBERS {
            let hits = self.count(number.is);
            let nearly_all = hits >= 4 && self.share(hits) >= 0.9;
            let as_said = self.hint.national && hits >= 1 && self.share(hits) >= 0.5;
            let within =
                if number.is_strong && self.is_text() { self.count(|value| tokens(value).any(number.is)) } else { 0 };
            let likeness = match nearly_all || as_said || (number.is_strong && self.share(hits) >= MOSTLY) {
                true => self.likeness(Kind::NationalId, hits, false),
                false => self.likeness(Kind::NationalId, within, true),
            };
            found.extend(likeness.map(|likeness| Likeness { which: Some(number.name), ..likeness }));
        }
        found.extend(self.either(Kind::Iban, self.count(is_iban), |value| tokens(value).any(is_iban)));
        let cards = self.count(is_card);
        if cards >= 3 && self.share(cards) >= 0.9 {
            found.extend(self.likeness(Kind::PaymentCard, cards, false));
        }
        found
    }

    fn name(&self) -> Option<Likeness> {
        if !self.is_text() {
            return None;
        }
        let likes: Vec<NameLike> = self.values.iter().map(|value| like(value)).collect();
        let count = |is: fn(&NameLike) -> bool| likes.iter().filter(|like| is(like)).count();
        let shape = count(|like| like.shape);
        let known = count(|like| like.first_of_many || like.last_of_many || like.only_first || like.only_last);
        let full = count(|like| like.first_of_many);
        let last = count(|like| like.last_of_many);
        let single = count(|like| like.only_first).max(count(|like| like.only_last));
        let as_said = (self.hint.person && self.share(shape) >= 0.6)
            || (self.hint.name_of_people && self.share(shape) >= 0.6 && self.share(known) >= 0.1);
        let by_itself = (full >= 2 && self.share(full) >= 0.4 && self.share(last) >= 0.1)
            || (single >= 4 && self.share(single) >= 0.7);
        match (as_said, by_itself) {
            (true, _) => self.likeness(Kind::Name, shape, false),
            (false, true) => self.likeness(Kind::Name, known, false),
            (false, false) => self.either(Kind::Name, 0, holds_name),
        }
    }

    fn birth(&self) -> Option<Likeness> {
        let is_date = |value: &str| {
            let parts: Vec<&str> = value.split(['-', '.', '/', ' ', 'T']).collect();
            parts.len() >= 3 && parts[..3].iter().all(|part| part.parse::<u16>().is_ok())
        };
        let dates = if self.hint.birth { self.count(is_date) } else { 0 };
        (self.share(dates) >= MOSTLY).then(|| self.likeness(Kind::BirthDate, dates, false)).flatten()
    }
}

/// The words of a text, without the signs around them.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "\"'=,;()[]{}<>:".contains(c)).map(|word| word.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, family: Family, values: &[&str]) -> Vec<(Kind, bool)> {
        let column = Column {
            name: name.to_owned(),
            type_name: String::new(),
            family,
            max_chars: None,
            not_null: false,
            generated: false,
            is_in_order: None,
        };
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        looks("things", &column, &values).into_iter().map(|one| (one.kind, one.within_text)).collect()
    }

    #[test]
    fn what_is_about_people_is_told() {
        for (name, values, kind) in [
            ("a", &["alice@example.com", "bob@example.org"][..], Kind::Email),
            ("a", &["203.0.113.7", "198.51.100.20", "2001:db8::7"], Kind::Ip),
            ("ip", &["10.0.0.5", "10.0.0.6"], Kind::Ip),
            ("a", &["+43 664 1234567", "+49 30 1234567"], Kind::Phone),
            ("mobile", &["6641234567", "6649876543"], Kind::Phone),
            ("a", &["Alice Smith", "Robert Jones", "Lena Gruber"], Kind::Name),
            ("a", &["Smith, Alice", "Jones, Robert"], Kind::Name),
            ("a", &["alice", "robert", "lena", "thomas"], Kind::Name),
            ("last_name", &["Quxley", "Zzyzx", "O'Hara"], Kind::Name),
            ("a", &["219-09-9999", "078-05-1120"], Kind::NationalId),
            ("svnr", &["1237010180"], Kind::NationalId),
            ("a", &["DE89370400440532013000"], Kind::Iban),
            ("date_of_birth", &["1999-12-31", "1980-01-01"], Kind::BirthDate),
        ] {
            assert_eq!(of(name, Family::Text, values), [(kind, false)], "{values:?}");
        }
    }

    #[test]
    fn what_stands_somewhere_in_a_text_is_told() {
        let filler = "the answer was not quite right";
        for (text, kind) in [
            ("please write to alice@example.com about it", Kind::Email),
            ("call +43 664 1234567 in the evening", Kind::Phone),
            ("failed login from 203.0.113.7", Kind::Ip),
            ("her number is 219-09-9999, she says", Kind::NationalId),
            ("Please ask Alice Smith about it", Kind::Name),
        ] {
            assert_eq!(of("body", Family::Text, &[filler, "another one", "a third", text]), [(kind, true)], "{text}");
        }
    }

    #[test]
    fn what_is_about_nobody_is_left_alone() {
        for values in [
            &["6f9619ff-8b86-d011-b42d-00cf4fc964ff", "7d444840-9dc0-11d1-b245-5ffdce74fad2"][..],
            &["2026-01-31 10:00:00+00", "2026-02-28 11:30:00.123+01"],
            &["19.99", "1299.00", "1,299.00", "-5.00"],
            &["1.2.3", "1.2.3.4", "10.15.7.2", "2.0.0-rc.1"],
            &["d41d8cd98f00b204e9800998ecf8427e", "9e107d9d372bb6826bd81d3542a419d6"],
            &["Blue Widget", "Red Oak Table", "Amber Lamp", "Rose Soap", "Johnnie Walker", "Victoria Sponge"],
            &["Vienna", "New York", "San Francisco", "Santa Maria", "Florence", "Sydney", "Austin"],
            &["pending", "shipped", "cancelled"],
            &["jan", "feb", "mar", "apr", "may"],
            &["SKU-12345678", "AB-1234-56", "00012345"],
            &["100000001", "100000002", "100000003", "100000004", "100000005"],
            &["1767225600", "1767225600123", "1767229200"],
            &["12:34:56", "aa:bb:cc:dd:ee:ff"],
            &["https://example.com/a/b?c=1", "logo@2x.png", "@types/node"],
            &["Europe/Vienna", "America/New_York", "UTC"],
            &["en-US", "de-AT"],
            &["4006381333931", "9783161484100", "7612345678900"],
        ] {
            assert_eq!(of("a", Family::Text, values), [], "{values:?}");
        }
        assert_eq!(of("id", Family::Integer, &["1", "2", "3", "4", "5", "6"]), []);
        assert_eq!(of("version", Family::Text, &["103.0.5060.134", "203.0.113.7"]), []);
    }
}
