//! An authority and a certificate for `localhost`.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

pub(crate) struct Certificates {
    /// The authority, PEM.
    pub(crate) authority: Vec<u8>,
    /// Certificate and key of the receiver, PEM.
    pub(crate) receiver: String,
}

pub(crate) fn certificates() -> Certificates {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
    let receiver = format!("{}{}", certificate.pem(), own.serialize_pem());
    Certificates { authority: authority.pem().into_bytes(), receiver }
}
