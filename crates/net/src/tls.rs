//! TLS for clients: which certificates to trust, and the rustls configuration. Only this file names the crypto provider.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use thiserror::Error;

/// Whether a connection is encrypted, and how the server's certificate is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// Not encrypted.
    #[default]
    Off,
    /// Encrypted; the certificate must lead to an authority of the system or of `ca_file` (PEM).
    Verified {
        /// More authorities to trust.
        ca_file: Option<PathBuf>,
    },
    /// Encrypted; any certificate is accepted.
    Insecure,
    /// Encrypted, as [`Tls::prepared`] has set it up.
    Prepared(PreparedTls),
}

/// A configuration that is set up already: a client of many connections reads the system's authorities only once.
#[derive(Clone, Debug)]
pub struct PreparedTls(Arc<ClientConfig>);

impl PartialEq for PreparedTls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for PreparedTls {}

impl Tls {
    /// The same, set up once for many connections.
    pub fn prepared(&self) -> Result<Self, TlsError> {
        Ok(client_config(self)?.map_or(Self::Off, |config| Self::Prepared(PreparedTls(config))))
    }
}

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file of authorities cannot be read.
    #[error("cannot read the certificates in {path}: {reason}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// No certificate authority is known.
    #[error(
        "cannot verify a server: no certificate authorities found on this system (SSL_CERT_FILE names a file)"
    )]
    NoRoots,
    /// The crypto provider refuses the configuration.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// rustls's configuration for `tls`; `None` when it is off.
///
/// Reads the system's authorities each time: this runs once for a connection, and they may have changed.
pub fn client_config(tls: &Tls) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let trust = match tls {
        Tls::Off => return Ok(None),
        Tls::Prepared(PreparedTls(config)) => return Ok(Some(Arc::clone(config))),
        Tls::Insecure => TrustPolicy::AnyCertificate,
        Tls::Verified { ca_file } => {
            let trusted = load_trusted(ca_file.as_ref())?;
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(trusted.iter().cloned());
            let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            TrustPolicy::Authorities { chains: chains.build().map_err(|_| TlsError::NoRoots)?, trusted }
        }
    };
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { provider, trust }))
        .with_no_client_auth();
    Ok(Some(Arc::new(config)))
}

/// Why a handshake failed; for the most common reasons with what to do about it.
pub(crate) fn handshake_failure(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(fault)) = inner else { return error.to_string() };
    let what = match fault {
        CertificateError::UnknownIssuer => "no authority that is trusted here has signed it",
        CertificateError::Other(_) if is_ca_as_end_entity(fault) => "it is self-signed, and not trusted here",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            return "its certificate has expired".to_owned();
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            return "its certificate is for another name".to_owned();
        }
        _ => return error.to_string(),
    };
    format!("cannot verify its certificate: {what} (--ca-file or SSL_CERT_FILE name what to trust)")
}

/// Whether the server presented a CA certificate as its own (`CaUsedAsEndEntity`).
fn is_ca_as_end_entity(fault: &CertificateError) -> bool {
    let CertificateError::Other(OtherError(error)) = fault else { return false };
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// The certificates to trust: the system's, and those of the file.
fn load_trusted(ca_file: Option<&PathBuf>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut trusted = rustls_native_certs::load_native_certs().certs;
    if let Some(path) = ca_file {
        let fault = |reason: String| TlsError::CaFile { path: path.clone(), reason };
        // Opening a FIFO could block for ever.
        if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            return Err(fault("it is no file".to_owned()));
        }
        let file = File::open(path).map_err(|error| fault(error.to_string()))?;
        let known = trusted.len();
        for certificate in CertificateDer::pem_reader_iter(BufReader::new(file)) {
            trusted.push(certificate.map_err(|error| fault(error.to_string()))?);
        }
        if trusted.len() == known {
            return Err(fault("no certificate in it".to_owned()));
        }
    }
    if trusted.is_empty() { Err(TlsError::NoRoots) } else { Ok(trusted) }
}

/// Verifies a server's certificate by a trust policy.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    trust: TrustPolicy,
}

/// Which certificates to accept. That the server holds the certificate's key is checked in any case.
#[derive(Debug)]
enum TrustPolicy {
    /// Any certificate.
    AnyCertificate,
    /// A certificate that leads to a trusted one, or a trusted certificate that the server presents itself.
    ///
    /// `openssl req -x509` makes the latter: a self-signed certificate marked as a CA, which webpki refuses as a
    /// server's. Trusting this very certificate means trusting this server. Name and dates are checked as usual.
    Authorities { chains: Arc<WebPkiServerVerifier>, trusted: Vec<CertificateDer<'static>> },
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let TrustPolicy::Authorities { chains, trusted } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let verdict = chains.verify_server_cert(cert, intermediates, name, ocsp, now);
        // The dates are checked before this error can come (rustls-webpki, verify_cert.rs).
        if let Err(rustls::Error::InvalidCertificate(fault)) = &verdict
            && is_ca_as_end_entity(fault)
            && trusted.iter().any(|trusted| trusted == cert)
        {
            verify_server_name(&ParsedCertificate::try_from(cert)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(error: webpki::Error) -> CertificateError {
        CertificateError::Other(OtherError(Arc::new(error)))
    }

    #[test]
    fn an_authority_that_serves_is_known_by_the_type_of_the_error() {
        assert!(is_ca_as_end_entity(&other(webpki::Error::CaUsedAsEndEntity)));
        assert!(!is_ca_as_end_entity(&other(webpki::Error::EndEntityUsedAsCa)));
        assert!(!is_ca_as_end_entity(&CertificateError::UnknownIssuer));
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_with_what_would_help() {
        let told = |fault: CertificateError| {
            handshake_failure(&io::Error::new(
                io::ErrorKind::InvalidData,
                rustls::Error::InvalidCertificate(fault),
            ))
        };
        let help = " (--ca-file or SSL_CERT_FILE name what to trust)";
        assert_eq!(
            told(other(webpki::Error::CaUsedAsEndEntity)),
            format!("cannot verify its certificate: it is self-signed, and not trusted here{help}")
        );
        let unknown = told(CertificateError::UnknownIssuer);
        assert!(
            unknown.contains("no authority that is trusted here has signed it") && unknown.ends_with(help)
        );
        assert_eq!(told(CertificateError::NotValidForName), "its certificate is for another name");
    }
}
