//! TLS for clients; the one place that names the provider of the cryptography.

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

/// Whether a connection is encrypted, and how the peer is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// In the clear.
    #[default]
    Off,
    /// Encrypted, with a certificate that leads to an authority of the system or of `ca_file` (PEM).
    Verified {
        /// More authorities to trust.
        ca_file: Option<PathBuf>,
    },
    /// Encrypted, with whatever certificate.
    Insecure,
}

/// Why no TLS can be spoken.
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
    /// There is nobody to trust.
    #[error(
        "cannot verify a server: no certificate authorities found on this system (SSL_CERT_FILE names a file)"
    )]
    NoRoots,
    /// The provider cannot do what we ask of it.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// What rustls needs to speak TLS as `tls` says; `None` when it is off.
///
/// The system's authorities are read each time: this is done once for a connection, and they may have changed.
pub fn client_config(tls: &Tls) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let trust = match tls {
        Tls::Off => return Ok(None),
        Tls::Insecure => Trust::Anyone,
        Tls::Verified { ca_file } => {
            let trusted = trusted(ca_file.as_ref())?;
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(trusted.iter().cloned());
            let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            Trust::Known { chains: chains.build().map_err(|_| TlsError::NoRoots)?, trusted }
        }
    };
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { provider, trust }))
        .with_no_client_auth();
    Ok(Some(Arc::new(config)))
}

/// Why a handshake failed, in words that say what to do about the commonest reasons.
pub(crate) fn reason(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(fault)) = inner else { return error.to_string() };
    let what = match fault {
        CertificateError::UnknownIssuer => "no authority that is trusted here has signed it",
        CertificateError::Other(_) if is_authority(fault) => "it is self-signed, and not trusted here",
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

/// Whether what is wrong with a server's certificate is that it says of itself that it is an authority.
fn is_authority(fault: &CertificateError) -> bool {
    let CertificateError::Other(OtherError(error)) = fault else { return false };
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// The certificates to trust: the system's, and those of the file.
fn trusted(ca_file: Option<&PathBuf>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let mut trusted = rustls_native_certs::load_native_certs().certs;
    if let Some(path) = ca_file {
        let fault = |reason: String| TlsError::CaFile { path: path.clone(), reason };
        // To open a FIFO could take for ever.
        let is_other = std::fs::metadata(path).is_ok_and(|meta| !meta.is_file());
        if is_other {
            return Err(fault("it is no file".to_owned()));
        }
        let file = File::open(path).map_err(|error: io::Error| fault(error.to_string()))?;
        let certificates: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_reader_iter(BufReader::new(file)).collect();
        let certificates = certificates.map_err(|error| fault(error.to_string()))?;
        if certificates.is_empty() {
            return Err(fault("no certificate in it".to_owned()));
        }
        trusted.extend(certificates);
    }
    if trusted.is_empty() { Err(TlsError::NoRoots) } else { Ok(trusted) }
}

/// Decides whether to believe a server's certificate.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    trust: Trust,
}

/// Whom to believe; that the server holds the key of its certificate is checked in any case.
#[derive(Debug)]
enum Trust {
    /// Whoever it is.
    Anyone,
    /// A certificate that leads to a trusted one, and a trusted one that the server shows itself.
    ///
    /// The latter is what `openssl req -x509` makes: it says that it is an authority, which a chain must not end in,
    /// but who trusts this very certificate means this very server. Its name and dates are checked all the same.
    Known { chains: Arc<WebPkiServerVerifier>, trusted: Vec<CertificateDer<'static>> },
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
        let Trust::Known { chains, trusted } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let verdict = chains.verify_server_cert(cert, intermediates, name, ocsp, now);
        // The dates are checked before this error can come (rustls-webpki, verify_cert.rs).
        let shows_authority = matches!(
            &verdict,
            Err(rustls::Error::InvalidCertificate(fault)) if is_authority(fault)
        );
        if shows_authority && trusted.iter().any(|trusted| trusted == cert) {
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
        assert!(is_authority(&other(webpki::Error::CaUsedAsEndEntity)));
        assert!(!is_authority(&other(webpki::Error::EndEntityUsedAsCa)));
        assert!(!is_authority(&CertificateError::UnknownIssuer));
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_with_what_would_help() {
        let told = |fault: CertificateError| {
            reason(&io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(fault)))
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
