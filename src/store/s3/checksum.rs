//! MD5 sums and the ETags that are made of them. MD5 proves nothing against an attacker; it finds what transport and
//! service lose or change, and it is the one sum that every S3-compatible service checks and reports.

use base64::Engine;
use bytes::Bytes;
use md5::{Digest, Md5};

use aws_sdk_s3::types::ServerSideEncryption;

/// Bytes beyond which hashing leaves the runtime's threads (about 0.1 ms).
const INLINE: usize = 64 * 1024;

/// An MD5 sum.
pub type Sum = [u8; 16];

/// The MD5 sum of a part.
pub async fn md5(bytes: &Bytes) -> Sum {
    if bytes.len() <= INLINE {
        return Md5::digest(bytes).into();
    }
    let shared = bytes.clone();
    match tokio::task::spawn_blocking(move || Md5::digest(&shared).into()).await {
        Ok(sum) => sum,
        // Only a runtime that is shutting down refuses; then nobody will read it.
        Err(_) => Md5::digest(bytes).into(),
    }
}

/// A sum as `Content-MD5` spells it.
pub fn content_md5(sum: &Sum) -> String {
    base64::engine::general_purpose::STANDARD.encode(sum)
}

/// The ETag of an object put whole.
pub fn etag(sum: &Sum) -> String {
    hex::encode(sum)
}

/// The ETag of an object uploaded in parts: the sum of the parts' sums, and how many there are.
pub fn composite_etag(sums: impl ExactSizeIterator<Item = Sum>) -> String {
    let count = sums.len();
    let mut hasher = Md5::new();
    for sum in sums {
        hasher.update(sum);
    }
    format!("{}-{count}", hex::encode(hasher.finalize()))
}

/// Whether an ETag contradicts the one that MD5 gives. One that is no MD5 (another form, or encrypted with a KMS key)
/// says nothing.
pub fn contradicts(found: Option<&str>, expected: &str, encryption: Option<&ServerSideEncryption>) -> bool {
    let Some(found) = found else { return false };
    if matches!(encryption, Some(ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)) {
        return false;
    }
    let found = found.trim_matches('"').to_ascii_lowercase();
    form(&found) == form(expected) && found != expected
}

/// `None`: not an MD5; else the part count after the dash.
fn form(etag: &str) -> Option<Option<&str>> {
    let (sum, count) = match etag.split_once('-') {
        Some((sum, count)) => (sum, Some(count)),
        None => (etag, None),
    };
    (sum.len() == 32 && sum.bytes().all(|b| b.is_ascii_hexdigit())).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_etag_of_the_same_form_can_contradict() {
        let sum: Sum = Md5::digest(b"abc").into();
        let expected = etag(&sum);
        assert!(!contradicts(Some("\"900150983cd24fb0d6963f7d28e17f72\""), &expected, None));
        assert!(contradicts(Some("\"00000000000000000000000000000000\""), &expected, None));
        assert!(!contradicts(Some("00000000000000000000000000000000"), &expected, Some(&ServerSideEncryption::AwsKms)));
        assert!(!contradicts(Some("\"opaque\""), &expected, None));
        assert!(!contradicts(None, &expected, None));
        let composite = composite_etag([sum, sum].into_iter());
        assert!(composite.ends_with("-2"));
        assert!(!contradicts(Some("00000000000000000000000000000000"), &composite, None));
        assert!(contradicts(Some("00000000000000000000000000000000-2"), &composite, None));
    }
}
