//! What a service's answers mean. The text has its code and message; neither keys nor signatures stand in those.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::super::StoreErrorKind;
use crate::fault::chain;

/// What a failed request says.
pub fn kind_of<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> StoreErrorKind {
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            of_answer(status, answer.err().code(), answer.err().message())
        }
        SdkError::TimeoutError(_) => StoreErrorKind::Unavailable("the service did not answer in time".to_owned()),
        SdkError::DispatchFailure(failure) => {
            let text =
                failure.as_connector_error().map_or_else(|| "the request could not be sent".to_owned(), |e| chain(e));
            let other = if failure.is_user() { StoreErrorKind::Other } else { StoreErrorKind::Unavailable };
            no_credentials(&text).unwrap_or_else(|| other(text))
        }
        SdkError::ResponseError(answer) => {
            let status = answer.raw().status().as_u16();
            StoreErrorKind::Unavailable(format!("the service's answer (HTTP {status}) is cut or not readable"))
        }
        SdkError::ConstructionFailure(_) => {
            let text = std::error::Error::source(error).map_or_else(|| error.to_string(), chain);
            no_credentials(&text).unwrap_or(StoreErrorKind::Other(text))
        }
        _ => StoreErrorKind::Other("the request failed".to_owned()),
    }
}

/// The SDK reports missing credentials as a request that could not be sent, and tells them by its text alone.
fn no_credentials(text: &str) -> Option<StoreErrorKind> {
    let why = text.rsplit("while loading credentials").next().unwrap_or(text).trim_matches([':', ' ', '.']);
    let text = text.contains("credential").then(|| format!("no usable credentials were found: {why}"))?;
    Some(StoreErrorKind::Denied(text))
}

fn of_answer(status: u16, code: Option<&str>, message: Option<&str>) -> StoreErrorKind {
    let text = match (code, message.filter(|message| !message.is_empty())) {
        (Some(code), Some(message)) => format!("{code}: {message} (HTTP {status})"),
        (Some(code), None) => format!("{code} (HTTP {status})"),
        _ => format!("HTTP {status}"),
    };
    match (code.unwrap_or_default(), status) {
        ("RequestTimeTooSkewed", _) => {
            StoreErrorKind::Denied(format!("this machine's clock differs from the service's: {text}"))
        }
        ("NoSuchBucket", _) => StoreErrorKind::Missing,
        ("NoSuchKey", _) => StoreErrorKind::NoObject,
        ("QuotaExceeded" | "XMinioStorageFull" | "StorageFull" | "InsufficientStorage", _) | (_, 507) => {
            StoreErrorKind::Full
        }
        ("ConditionalRequestConflict" | "OperationAborted", _) => StoreErrorKind::Unavailable(text),
        ("BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch", _) => {
            StoreErrorKind::Mismatch(text)
        }
        (
            "RequestTimeout" | "IncompleteBody" | "SlowDown" | "Throttling" | "ThrottlingException" | "InternalError",
            _,
        )
        | (_, 408 | 429 | 500 | 502..=506 | 508..=599) => StoreErrorKind::Unavailable(text),
        (
            "AccessDenied"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "ExpiredToken"
            | "AccountProblem",
            _,
        )
        | (_, 401 | 403) => StoreErrorKind::Denied(text),
        _ => StoreErrorKind::Other(text),
    }
}

/// Whether the same request, sent again at once, may succeed.
pub fn passing(kind: &StoreErrorKind) -> bool {
    matches!(kind, StoreErrorKind::Unavailable(_) | StoreErrorKind::Mismatch(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_the_kind_that_tells_what_to_do() {
        let of = |status, code: &str| of_answer(status, Some(code).filter(|c| !c.is_empty()), Some("why"));
        assert_eq!(of(404, "NoSuchBucket"), StoreErrorKind::Missing);
        assert_eq!(of(404, "NoSuchKey"), StoreErrorKind::NoObject);
        assert!(matches!(of(403, "SignatureDoesNotMatch"), StoreErrorKind::Denied(_)));
        assert!(matches!(of(403, ""), StoreErrorKind::Denied(_)));
        assert!(matches!(of(503, "SlowDown"), StoreErrorKind::Unavailable(_)));
        assert!(matches!(of(400, "RequestTimeout"), StoreErrorKind::Unavailable(_)));
        assert!(matches!(of(501, "NotImplemented"), StoreErrorKind::Other(_)));
        assert!(matches!(of(400, "BadDigest"), StoreErrorKind::Mismatch(_)));
        assert_eq!(of(507, "XMinioStorageFull"), StoreErrorKind::Full);
        let StoreErrorKind::Denied(text) = of(403, "RequestTimeTooSkewed") else { panic!("not denied") };
        assert!(text.starts_with("this machine's clock differs"));
    }
}
