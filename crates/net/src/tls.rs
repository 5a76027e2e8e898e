//! TLS for clients; the one place that names the provider of the cryptography.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
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
    #[error("cannot verify a server: no certificate authorities found on this system (SSL_CERT_FILE names a file)")]
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
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let config = match tls {
        Tls::Off => return Ok(None),
        Tls::Insecure => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))),
        Tls::Verified { ca_file } => builder.with_root_certificates(roots(ca_file.as_ref())?),
    };
    Ok(Some(Arc::new(config.with_no_client_auth())))
}

fn roots(ca_file: Option<&PathBuf>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let fault = |reason: String| TlsError::CaFile { path: path.clone(), reason };
        let file = File::open(path).map_err(|error: io::Error| fault(error.to_string()))?;
        let certificates: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_reader_iter(BufReader::new(file)).collect();
        let certificates = certificates.map_err(|error| fault(error.to_string()))?;
        if certificates.is_empty() {
            return Err(fault("no certificate in it".to_owned()));
        }
        roots.add_parsable_certificates(certificates);
    }
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(roots) }
}

/// Believes every certificate, and still checks that the peer holds its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
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
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
