//! Numbers of accounts and payment cards.

use super::national::{digits, luhn};

/// An account number: mod 97 (ISO 13616).
pub(super) fn is_iban(text: &str) -> bool {
    let text: String = text.chars().filter(|c| *c != ' ').collect();
    let bytes = text.as_bytes();
    if !(15..=34).contains(&bytes.len())
        || !bytes.iter().all(u8::is_ascii_alphanumeric)
        || !bytes[..2].iter().all(u8::is_ascii_uppercase)
        || !bytes[2..4].iter().all(u8::is_ascii_digit)
    {
        return false;
    }
    let turned = bytes[4..].iter().chain(&bytes[..4]);
    let rest = turned.fold(0_u64, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u64::from(byte - b'0')) % 97,
        letter => (rest * 100 + u64::from(letter.to_ascii_uppercase() - b'A') + 10) % 97,
    });
    rest == 1
}

/// A card's number: Luhn, the length and first digits that cards have (ISO/IEC 7812).
pub(super) fn is_card(text: &str) -> bool {
    [15, 16].into_iter().filter_map(|length| digits(text, length)).any(|d| {
        let begins = matches!((d.len(), d[0], d[1]), (15, 3, 4 | 7) | (16, 4 | 6, _) | (16, 5, 1..=5) | (16, 2, 2..=7));
        begins && luhn(&d)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_the_standards() {
        assert!(is_iban("DE89 3704 0044 0532 0130 00") && !is_iban("DE89 3704 0044 0532 0130 01"));
        assert!(is_card("4111 1111 1111 1111") && !is_card("4111 1111 1111 1112") && !is_card("1767225600000000"));
    }
}
