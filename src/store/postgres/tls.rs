//! Whom a connection trusts. A server's certificate counts as for other clients of PostgreSQL, with one difference:
//! where TLS is required, the certificate must be signed by somebody known.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, crypto};

use super::super::OpenError;

/// Which certificate is accepted. The path is that of the roots; without one they are those of the web.
pub(super) enum Trust {
    /// Any: without TLS it would be none.
    Anybody,
    /// One that is signed by a root, whoever it is for.
    Signed(Option<PathBuf>),
    /// And it is for the host that was asked.
    Named(Option<PathBuf>),
}

/// How TLS is spoken.
pub(super) fn client(trust: &Trust) -> Result<ClientConfig, OpenError> {
    let provider = Arc::new(ring::default_provider());
    let unusable = |error: Error| OpenError::lasting(format!("TLS can't be used: {error}"));
    let signed = match trust {
        Trust::Anybody => None,
        Trust::Signed(path) | Trust::Named(path) => {
            let roots = Arc::new(roots(path.as_ref())?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            Some(verifier.map_err(|error| OpenError::lasting(format!("TLS can't be used: {error}")))?)
        }
    };
    let verifier =
        Arc::new(Verifier { signed, checks_name: matches!(trust, Trust::Named(_)), provider: Arc::clone(&provider) });
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(unusable)?;
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn roots(path: Option<&PathBuf>) -> Result<RootCertStore, OpenError> {
    let Some(path) = path else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let unusable =
        |why: String| OpenError::lasting(format!("the certificates in {} can't be used: {why}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() { Err(unusable("there are none".into())) } else { Ok(roots) }
}

/// The verifier of the web, and what is left out of it.
#[derive(Debug)]
struct Verifier {
    /// Nothing, where any certificate is accepted.
    signed: Option<Arc<WebPkiServerVerifier>>,
    checks_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(signed) = &self.signed else { return Ok(ServerCertVerified::assertion()) };
        match signed.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is looked at last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.checks_name => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
