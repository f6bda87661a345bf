//! Whom we trust.

use crate::limits::HANDSHAKE_MAX;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Client side of TLS: the public authorities and those of the site. Certificates are always checked.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
}

impl Tls {
    /// `authorities_pem` are trusted beside the public authorities.
    ///
    /// # Errors
    /// A sentence if that is no list of certificates.
    pub(crate) fn new(authorities_pem: Option<&[u8]>) -> Result<Tls, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_slice_iter(authorities_pem.unwrap_or_default()) {
            let certificate = certificate.map_err(|error| format!("the authorities are not PEM: {error}"))?;
            roots.add(certificate).map_err(|error| format!("an authority is no certificate: {error}"))?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Tls { config: Arc::new(config) })
    }

    /// Secures a connection to a host.
    ///
    /// # Errors
    /// A sentence: no name of a host, a certificate that is not trusted, no answer in time.
    pub(crate) async fn secure(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| "the host has no name for TLS".to_owned())?;
        match timeout(HANDSHAKE_MAX, self.connector().connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(format!("TLS: {error}")),
            Err(_) => Err("TLS: no handshake in time".to_owned()),
        }
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.config))
    }
}
