//! Numbers that states and banks give to people. Where they carry a check digit, it must be right.

/// What a number is, and whether a single one is enough to tell: its form and its check digits leave little to chance.
pub(super) struct Number {
    pub name: &'static str,
    pub is: fn(&str) -> bool,
    pub is_strong: bool,
}

/// The numbers that are known.
pub(super) const NUMBERS: &[Number] = &[
    Number { name: "US social security number", is: us_ssn, is_strong: true },
    Number { name: "UK national insurance number", is: uk_nino, is_strong: false },
    Number { name: "Austrian social insurance number", is: austrian, is_strong: false },
    Number { name: "German tax number", is: german, is_strong: false },
    Number { name: "Spanish DNI or NIE", is: spanish, is_strong: false },
    Number { name: "Italian codice fiscale", is: italian, is_strong: true },
    Number { name: "French NIR", is: french, is_strong: false },
    Number { name: "Polish PESEL", is: polish, is_strong: false },
    Number { name: "Dutch BSN", is: dutch, is_strong: false },
    Number { name: "Belgian national number", is: belgian, is_strong: false },
    Number { name: "Swedish personal number", is: swedish, is_strong: false },
    Number { name: "Finnish personal code", is: finnish, is_strong: true },
    Number { name: "Norwegian birth number", is: norwegian, is_strong: false },
    Number { name: "Brazilian CPF", is: brazilian, is_strong: false },
    Number { name: "Swiss AHV number", is: swiss, is_strong: true },
];

/// The digits of a number, written with or without separators.
pub(super) fn digits(text: &str, length: usize) -> Option<Vec<u32>> {
    let separators = " -./";
    if !text.chars().all(|c| c.is_ascii_digit() || separators.contains(c)) {
        return None;
    }
    let found: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    (found.len() == length && found.iter().any(|digit| *digit != found[0])).then_some(found)
}

fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |all, digit| all * 10 + u64::from(*digit))
}

fn is_day(day: u64, month: u64) -> bool {
    (1..=31).contains(&day) && (1..=12).contains(&month)
}

/// The letters and digits of a text, upper case.
fn compact(text: &str) -> String {
    text.chars().filter(|c| !" -.".contains(*c)).collect::<String>().to_uppercase()
}

/// `999-99-9999`; neither 000, 666 nor 9xx come first (Social Security Administration).
fn us_ssn(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [area, group, serial] = parts.as_slice() else { return false };
    let is = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    is(area, 3)
        && is(group, 2)
        && is(serial, 4)
        && !["000", "666"].contains(area)
        && !area.starts_with('9')
        && *group != "00"
        && *serial != "0000"
}

/// Two letters, six digits, A to D; some letters are never used (HMRC, NIM39110).
fn uk_nino(text: &str) -> bool {
    let text = compact(text);
    let bytes = text.as_bytes();
    bytes.len() == 9
        && bytes[0].is_ascii_uppercase()
        && !b"DFIQUV".contains(&bytes[0])
        && bytes[1].is_ascii_uppercase()
        && !b"DFIQUVO".contains(&bytes[1])
        && bytes[2..8].iter().all(u8::is_ascii_digit)
        && (b'A'..=b'D').contains(&bytes[8])
}

/// Three digits, a check digit (mod 11), the day of birth.
fn austrian(text: &str) -> bool {
    digits(text, 10).is_some_and(|d| {
        d[0] != 0
            && weighted(&d, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == d[3]
            // Months 13 to 15 where a day has run out of numbers.
            && is_day(number(&d[4..6]), number(&d[6..8]).min(12))
            && (1..=15).contains(&number(&d[6..8]))
    })
}

/// Eleven digits, ISO 7064 mod 11,10; among the first ten one stands twice or three times.
fn german(text: &str) -> bool {
    digits(text, 11).is_some_and(|d| {
        let most = (0..10).map(|digit| d[..10].iter().filter(|d| **d == digit).count()).max();
        let product = d[..10].iter().fold(10, |product, digit| {
            let sum = (digit + product) % 10;
            (if sum == 0 { 10 } else { sum } * 2) % 11
        });
        d[0] != 0 && matches!(most, Some(2 | 3)) && (11 - product) % 10 == d[10]
    })
}

/// Eight digits, or X, Y, Z and seven, and a letter by mod 23.
fn spanish(text: &str) -> bool {
    let text = compact(text);
    let plain = match text.chars().next() {
        Some('X') => format!("0{}", &text[1..]),
        Some('Y') => format!("1{}", &text[1..]),
        Some('Z') => format!("2{}", &text[1..]),
        _ => text,
    };
    if plain.len() != 9 || !plain.is_ascii() {
        return false;
    }
    let (number, letter) = plain.split_at(8);
    let wanted = number.parse::<usize>().ok().map(|number| b"TRWAGMYFPDXBNJZSQVHLCKE"[number % 23]);
    wanted.is_some() && wanted == letter.bytes().next()
}

/// Six letters, the day of birth, the place, a check letter.
fn italian(text: &str) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let text = compact(text);
    let bytes = text.as_bytes();
    let shape: String = bytes.iter().map(|b| if b.is_ascii_digit() { '9' } else { 'A' }).collect();
    if shape != "AAAAAA99A99A999A" || !bytes.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let of = |b: u8| if b.is_ascii_digit() { usize::from(b - b'0') } else { usize::from(b - b'A') };
    let sum: u32 = bytes[..15]
        .iter()
        .enumerate()
        .map(|(at, b)| if at % 2 == 0 { ODD[of(*b)] } else { u32::try_from(of(*b)).unwrap_or_default() })
        .sum();
    usize::try_from(sum % 26).is_ok_and(|wanted| wanted == of(bytes[15]))
}

/// Sex, year and month of birth, department, commune, order; a key by mod 97.
fn french(text: &str) -> bool {
    digits(text, 15).is_some_and(|d| {
        let month = number(&d[3..5]);
        [1, 2].contains(&d[0])
            && ((1..=12).contains(&month) || (20..=42).contains(&month))
            && 97 - number(&d[..13]) % 97 == number(&d[13..])
    })
}

/// The day of birth, the century added to the month; mod 10.
fn polish(text: &str) -> bool {
    digits(text, 11).is_some_and(|d| {
        is_day(number(&d[4..6]), number(&d[2..4]) % 20)
            && (10 - weighted(&d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == d[10]
    })
}

/// Nine digits, the test of eleven.
fn dutch(text: &str) -> bool {
    digits(text, 9).is_some_and(|d| weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2, 10]).is_multiple_of(11))
}

/// The day of birth, an order, mod 97; with a 2 in front for those born since 2000.
fn belgian(text: &str) -> bool {
    digits(text, 11).is_some_and(|d| {
        let (body, key) = (number(&d[..9]), number(&d[9..]));
        let is_key = |body: u64| 97 - body % 97 == key;
        is_day(number(&d[4..6]), number(&d[2..4])) && (is_key(body) || is_key(body + 2_000_000_000))
    })
}

/// The day of birth and four digits, Luhn.
fn swedish(text: &str) -> bool {
    let text = text.replace(['-', '+'], "");
    let short = if text.len() == 12 && text.is_ascii() { &text[2..] } else { text.as_str() };
    digits(short, 10).is_some_and(|d| is_day(number(&d[4..6]), number(&d[2..4])) && luhn(&d))
}

/// The day of birth, a sign for the century, an order, a character by mod 31.
fn finnish(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 11 || !text.is_ascii() || !b"+-ABCDEFYXWVU".contains(&bytes[6]) {
        return false;
    }
    let Ok(number) = format!("{}{}", &text[..6], &text[7..10]).parse::<usize>() else { return false };
    let day = (text[..2].parse(), text[2..4].parse());
    let is_date = matches!(day, (Ok(day), Ok(month)) if is_day(day, month));
    is_date && b"0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31] == bytes[10]
}

/// The day of birth, an order, two check digits by mod 11.
fn norwegian(text: &str) -> bool {
    digits(text, 11).is_some_and(|d| {
        let key = |weights: &[u32]| (11 - weighted(&d, weights) % 11) % 11;
        is_day(number(&d[..2]) % 40, number(&d[2..4]) % 40)
            && key(&[3, 7, 6, 1, 8, 9, 4, 5, 2]) == d[9]
            && key(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) == d[10]
    })
}

/// Nine digits, two check digits by mod 11.
fn brazilian(text: &str) -> bool {
    digits(text, 11).is_some_and(|d| {
        let key = |weights: &[u32]| (weighted(&d, weights) * 10) % 11 % 10;
        key(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) == d[9] && key(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == d[10]
    })
}

/// `756.9999.9999.99`, the check digit of an EAN-13. Without its dots it may as well be a Swiss product's.
fn swiss(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('.').map(str::len).collect();
    lengths == [3, 4, 4, 2]
        && digits(text, 13).is_some_and(|d| {
            number(&d[..3]) == 756 && (10 - weighted(&d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10) % 10 == d[12]
        })
}

pub(super) fn luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(at, digit)| if at % 2 == 1 { doubled(*digit) } else { *digit }).sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Most of them are examples that the authorities, or the standards' texts, publish.
    #[test]
    fn check_digits_are_those_of_the_authorities() {
        for (name, right, wrong) in [
            ("US social security number", "219-09-9999", "000-12-3456"),
            ("UK national insurance number", "AB123456C", "QQ123456C"),
            ("Austrian social insurance number", "1237 010180", "1238 010180"),
            ("German tax number", "86095742719", "86095742718"),
            ("Spanish DNI or NIE", "12345678Z", "12345678A"),
            ("Italian codice fiscale", "RSSMRA85T10A562S", "RSSMRA85T10A562T"),
            ("French NIR", "255081416802538", "255081416802539"),
            ("Polish PESEL", "44051401359", "44051401358"),
            ("Dutch BSN", "111222333", "111222334"),
            ("Belgian national number", "85.07.30-033 28", "85.07.30-033 29"),
            ("Swedish personal number", "811228-9874", "811228-9873"),
            ("Finnish personal code", "131052-308T", "131052-308U"),
            ("Norwegian birth number", "01019050188", "01019050189"),
            ("Brazilian CPF", "111.444.777-35", "111.444.777-36"),
            ("Swiss AHV number", "756.9217.0769.85", "756.9217.0769.84"),
        ] {
            let number = NUMBERS.iter().find(|number| number.name == name).unwrap();
            assert!((number.is)(right), "{name} {right}");
            assert!(!(number.is)(wrong), "{name} {wrong}");
        }
    }
}
