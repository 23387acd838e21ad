//! Round trips, and what is not whole.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::sync::LazyLock;

use bytes::Bytes;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::config::Compression;

static KEYS: LazyLock<Identities> = LazyLock::new(new_keys);

fn new_keys() -> Identities {
    Identities::parse(&age::x25519::Identity::generate().to_string().expose_secret().to_owned().into()).unwrap()
}

fn encode(compression: Compression, encrypt: bool, plain: &[u8], piece: usize) -> (Vec<u8>, Encoded) {
    let recipients = if encrypt { KEYS.recipients() } else { Vec::new() };
    let mut stored = Vec::new();
    let spec = EncodeSpec { compression, recipients, threads: 2 };
    let mut encoder = Encoder::new(&spec, |chunk: Bytes| {
        assert!(chunk.len() <= CHUNK && !chunk.is_empty());
        stored.extend_from_slice(&chunk);
        Ok(())
    })
    .unwrap();
    for part in plain.chunks(piece) {
        encoder.write(part).unwrap();
    }
    let encoded = encoder.finish().unwrap();
    (stored, encoded)
}

fn name(compression: Compression, encrypted: bool) -> ObjectName<'static> {
    ObjectName { base: "data.db", compression, encrypted }
}

fn decode(name: ObjectName<'_>, stored: &[u8]) -> Result<(Vec<u8>, Decoded), CodecError> {
    let mut decoder = Decoder::new(name, &KEYS, stored)?;
    let mut plain = Vec::new();
    decoder.read_to_end(&mut plain).map_err(|error| error.downcast().unwrap())?;
    Ok((plain, decoder.finish()?))
}

fn any_compression() -> impl Strategy<Value = Compression> {
    prop_oneof![
        Just(Compression::None),
        (1u32..=9).prop_map(Compression::Gzip),
        prop_oneof![Just(1), Just(3), Just(9)].prop_map(Compression::Zstd),
    ]
}

/// Runs of text and noise, so that both kinds of block appear.
fn any_plain() -> impl Strategy<Value = Vec<u8>> {
    let run = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..5000),
        (any::<u8>(), 0usize..300_000).prop_map(|(byte, count)| vec![byte; count]),
        (any::<u32>(), 0usize..40_000).prop_map(|(seed, count)| {
            (0..count).flat_map(|i| format!("{}\t{seed}\n", i * 7919).into_bytes()).collect()
        }),
    ];
    proptest::collection::vec(run, 0..6).prop_map(|runs| runs.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_encoded_is_decoded(
        plain in any_plain(), compression in any_compression(), encrypt: bool, piece in 1usize..600_000,
    ) {
        let (stored, encoded) = encode(compression, encrypt, &plain, piece.max(plain.len() / 1000 + 1));
        let (again, decoded) = decode(name(compression, encrypt), &stored).unwrap();
        prop_assert!(again == plain);
        prop_assert_eq!(encoded.plain_bytes, plain.len() as u64);
        prop_assert_eq!(encoded.stored_bytes, stored.len() as u64);
        prop_assert_eq!(
            (encoded.plain_bytes, encoded.plain_sha256, encoded.stored_bytes, encoded.stored_sha256),
            (decoded.plain_bytes, decoded.plain_sha256, decoded.stored_bytes, decoded.stored_sha256),
        );
    }

    #[test]
    fn a_cut_end_never_passes(
        plain in any_plain(), compression in any_compression(), encrypt: bool, cut in any::<prop::sample::Index>(),
    ) {
        prop_assume!(encrypt || compression != Compression::None);
        let (stored, _) = encode(compression, encrypt, &plain, 100_000);
        let error = decode(name(compression, encrypt), &stored[..cut.index(stored.len())]).unwrap_err();
        prop_assert!(!matches!(error, CodecError::Read(_)), "{error}");
    }

    #[test]
    fn trailing_garbage_never_passes(
        plain in any_plain(), compression in any_compression(), encrypt: bool,
        garbage in proptest::collection::vec(any::<u8>(), 1..100),
    ) {
        prop_assume!(encrypt || compression != Compression::None);
        let (mut stored, _) = encode(compression, encrypt, &plain, 100_000);
        stored.extend(garbage);
        prop_assert!(decode(name(compression, encrypt), &stored).is_err());
    }

    #[test]
    fn a_changed_byte_never_passes_unnoticed(
        plain in any_plain(), compression in any_compression(), encrypt: bool,
        place in any::<prop::sample::Index>(), change in 1u8..,
    ) {
        let (mut stored, encoded) = encode(compression, encrypt, &plain, 100_000);
        prop_assume!(!stored.is_empty());
        let place = place.index(stored.len());
        stored[place] ^= change;
        if let Ok((_, decoded)) = decode(name(compression, encrypt), &stored) {
            prop_assert_ne!(decoded.stored_sha256, encoded.stored_sha256);
        }
    }
}

#[test]
fn an_encoder_that_is_dropped_leaves_nothing_whole() {
    for (compression, encrypt) in
        [(Compression::Zstd(3), false), (Compression::Gzip(6), false), (Compression::None, true)]
    {
        let mut stored = Vec::new();
        let recipients = if encrypt { KEYS.recipients() } else { Vec::new() };
        let spec = EncodeSpec { compression, recipients, threads: 2 };
        let mut encoder = Encoder::new(&spec, |chunk: Bytes| {
            stored.extend_from_slice(&chunk);
            Ok(())
        })
        .unwrap();
        let noise: Vec<u8> = (0..3_000_000u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as u8).collect();
        for _ in 0..8 {
            encoder.write(&noise).unwrap();
        }
        drop(encoder);
        assert!(decode(name(compression, encrypt), &stored).is_err(), "{compression:?}");
    }
}

#[test]
fn after_the_sink_fails_nothing_more_is_written() {
    let spec = EncodeSpec { compression: Compression::None, recipients: Vec::new(), threads: 1 };
    let mut calls = 0;
    let mut encoder = Encoder::new(&spec, |_| {
        calls += 1;
        Err(std::io::Error::other("the store is full"))
    })
    .unwrap();
    assert_eq!(encoder.write(&vec![0; 2 * CHUNK]).unwrap_err().to_string(), "the store is full");
    assert!(encoder.write(b"more").is_err());
    assert!(encoder.finish().is_err());
    assert_eq!(calls, 1);
}

#[test]
fn frames_and_members_in_a_row_are_one_object() {
    for compression in [Compression::Zstd(3), Compression::Gzip(6)] {
        let stored = [encode(compression, false, b"one ", 9).0, encode(compression, false, b"two", 9).0].concat();
        assert_eq!(decode(name(compression, false), &stored).unwrap().0, b"one two");
    }
}

#[test]
fn keys_that_do_not_open_it_are_named_as_the_cause() {
    let (stored, _) = encode(Compression::Zstd(3), true, b"secret", 9);
    let name = name(Compression::Zstd(3), true);
    let open = |identities: &Identities| Decoder::new(name, identities, &stored[..]).err().unwrap();
    assert!(matches!(open(&new_keys()), CodecError::WrongIdentity { identities: 1 }));
    assert!(matches!(open(&Identities::none()), CodecError::NoIdentity));
    let (plain, _) = encode(Compression::Zstd(3), false, b"secret", 9);
    assert!(matches!(decode(name, &plain).unwrap_err(), CodecError::NotEncrypted));
}

#[test]
fn the_sources_own_error_is_not_taken_for_damage() {
    struct Cut;
    impl Read for Cut {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let (stored, _) = encode(Compression::Zstd(3), true, &[7; 100_000], 1000);
    for at in [10, stored.len() - 1] {
        let error = match Decoder::new(name(Compression::Zstd(3), true), &KEYS, stored[..at].chain(Cut)) {
            Ok(mut decoder) => {
                let error = decoder.read_to_end(&mut Vec::new()).unwrap_err();
                assert!(CodecError::of(&error).is_none());
                CodecError::Read(error)
            }
            Err(error) => error,
        };
        assert!(matches!(error, CodecError::Read(cause) if cause.kind() == std::io::ErrorKind::ConnectionReset));
    }
}

#[test]
fn names_tell_what_must_be_undone() {
    for (compression, encrypted, text) in [
        (Compression::None, false, "data.dump"),
        (Compression::Gzip(6), false, "data.dump.gz"),
        (Compression::Zstd(3), true, "data.dump.zst.age"),
        (Compression::None, true, "data.dump.age"),
    ] {
        assert_eq!(object_name("data.dump", compression, encrypted), text);
        assert_eq!(ObjectName::parse(text), ObjectName { base: "data.dump", compression, encrypted });
    }
}

#[test]
fn what_is_not_a_key_is_named_without_showing_secrets() {
    let public = KEYS.recipients()[0].to_string();
    assert_eq!(public.parse::<Recipient>().unwrap().to_string(), public);
    let reason = |text: &str| text.parse::<Recipient>().unwrap_err().to_string();
    assert!(reason("ssh-ed25519 AAAA").contains("SSH keys are not supported"));
    assert!(reason(&public[..20]).contains("checksum or length"));
    assert!(reason("hello").contains("does not begin with age1"));
    assert_eq!("AGE-SECRET-KEY-1ABC".parse::<Recipient>().unwrap_err(), KeyError::Secret);

    let file = |text: &str| Identities::parse(&text.to_owned().into());
    let secret = age::x25519::Identity::generate().to_string();
    let secret = secret.expose_secret();
    let keys = file(&format!("# created: 2026\r\n# public key: …\r\n\r\n{secret}\r\n")).unwrap();
    assert_eq!(keys.len(), 1);
    assert!(!format!("{keys:?}").contains(secret));
    assert_eq!(file("# nothing\n\n").unwrap_err(), KeyError::NoIdentity);
    let error = file(&format!("\n{}", &secret[..30])).unwrap_err();
    assert!(error.to_string().contains("line 2") && !error.to_string().contains(&secret[17..30]));
}
