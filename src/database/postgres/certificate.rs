//! The certificate that a server shows, read by a handshake of its own: the driver checks it, but does not hand it out.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

/// How long each step of the handshake may take.
const WITHIN: Duration = Duration::from_secs(3);

/// "Will you speak TLS?": a message of 8 bytes with a code where the protocol's version would be.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// A certificate of the chain that a server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    /// Whose it is: `CN=db.internal`.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Its last moment.
    pub not_after: Timestamp,
}

/// Why a certificate could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Resolving, connecting, reading, or no answer in time.
    #[error("{host}:{port}: {source}")]
    Io {
        /// The server's host.
        host: String,
        /// Its port.
        port: u16,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// The handshake.
    #[error("TLS handshake: {0}")]
    Tls(#[from] rustls::Error),
    /// A host that cannot be named in a handshake.
    #[error("{0} is no host name")]
    Name(String),
    /// What the server sent is not one.
    #[error("not a certificate: {0}")]
    Parse(String),
    /// Our own task broke.
    #[error("a bug: {0}")]
    Panic(String),
}

/// A handshake that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The chain that the server sends, its own certificate first.
    pub chain: Vec<ServerCertificate>,
    /// How long resolving and connecting took.
    pub connected_in: Duration,
    /// How long it took from then on until TLS was spoken.
    pub shaken_in: Duration,
}

/// Shakes hands and leaves; `None`: the server does not speak TLS. Nothing is verified here, and nothing secret is sent: it
/// is about dates and time alone.
pub async fn handshake(host: &str, port: u16) -> Result<Option<Handshake>, CertificateError> {
    let host = host.to_owned();
    let work = tokio::task::spawn_blocking(move || shake(&host, port));
    work.await.unwrap_or_else(|panic| Err(CertificateError::Panic(panic.to_string())))
}

fn shake(host: &str, port: u16) -> Result<Option<Handshake>, CertificateError> {
    let failed = |source| CertificateError::Io { host: host.to_owned(), port, source };
    let began = Instant::now();
    let mut socket = connect(host, port).map_err(failed)?;
    let connected_in = began.elapsed();
    let mut answer = [0];
    socket.write_all(&SSL_REQUEST).and_then(|()| socket.read_exact(&mut answer)).map_err(failed)?;
    if answer != *b"S" {
        return Ok(None);
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Onlooker(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|_| CertificateError::Name(host.to_owned()))?;
    let mut tls = ClientConnection::new(Arc::new(config), name)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).map_err(failed)?;
    }
    let shaken_in = began.elapsed().saturating_sub(connected_in);
    let chain = tls.peer_certificates().unwrap_or_default();
    let chain: Result<Vec<_>, _> = chain.iter().map(read).collect();
    tls.send_close_notify();
    let _ = tls.complete_io(&mut socket);
    Ok(Some(Handshake { chain: chain?, connected_in, shaken_in }))
}

fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut last = None;
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, WITHIN) {
            Ok(socket) => {
                socket.set_read_timeout(Some(WITHIN))?;
                socket.set_write_timeout(Some(WITHIN))?;
                return Ok(socket);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| std::io::ErrorKind::NotFound.into()))
}

fn read(certificate: &CertificateDer<'_>) -> Result<ServerCertificate, CertificateError> {
    let parse = |error: String| CertificateError::Parse(error);
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| parse(error.to_string()))?;
    let end = parsed.validity().not_after.timestamp();
    Ok(ServerCertificate {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        // A certificate without an end says the year 9999.
        not_after: Timestamp::from_second(end).unwrap_or(Timestamp::MAX),
    })
}

/// Looks on, and takes whatever it is shown.
#[derive(Debug)]
struct Onlooker(Arc<CryptoProvider>);

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
