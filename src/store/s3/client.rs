//! The SDK's client, from the configuration.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    AppName, Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};

use crate::config::{S3Profile, S3Store};

/// How long a connection may take to come about, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts the SDK makes by itself for small requests; requests that carry data are retried by [`super::retry`].
const ATTEMPTS: u32 = 3;

/// A client as configured. Requests go out only if the AWS chain must be asked for the region.
pub async fn connect(settings: &S3Store) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(settings.request_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        // Its idea of "too slow" ends copies that are only throttled; our own time-outs bound every request, and the
        // pipeline bounds the whole.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Ok(name) = AppName::new("caretaker") {
        loader = loader.app_name(name);
    }
    loader = match &settings.region {
        Some(region) => loader.region(Region::new(region.clone())),
        // With an endpoint of one's own there is no instance metadata to ask, and asking costs seconds.
        None if settings.endpoint.is_some() => loader.region(
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new())
                .or_else("us-east-1"),
        ),
        None => loader.region(RegionProviderChain::default_provider().or_else("us-east-1")),
    };
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(path) = &settings.credentials_file {
        loader = loader.credentials_provider(from_file(path, settings.credentials_profile.as_deref()));
    }
    let mut config = aws_sdk_s3::config::Builder::from(&loader.load().await).force_path_style(settings.path_style);
    // Many compatible services refuse the checksums that the SDK adds by default.
    config = match settings.profile {
        S3Profile::Aws => config
            .request_checksum_calculation(RequestChecksumCalculation::WhenSupported)
            .response_checksum_validation(ResponseChecksumValidation::WhenSupported),
        S3Profile::Generic | S3Profile::R2 | S3Profile::Scaleway => config
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired),
    };
    Client::from_conf(config.build())
}

#[allow(deprecated, reason = "the successors live in aws-runtime, which is no dependency of ours otherwise")]
fn from_file(path: &std::path::Path, profile: Option<&str>) -> ProfileFileCredentialsProvider {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    ProfileFileCredentialsProvider::builder()
        .profile_files(ProfileFiles::builder().with_file(ProfileFileKind::Credentials, path).build())
        .profile_name(profile.unwrap_or("default"))
        .build()
}
