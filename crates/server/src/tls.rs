//! The certificate that the listener shows, exchanged while it serves. Not here: accepting
//! connections.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};

/// Where the certificate and its key are, and which versions of TLS are spoken.
#[derive(Clone, Debug)]
pub struct Files {
    /// PEM file of the certificate and its chain.
    pub certificate: PathBuf,
    /// PEM file of its private key.
    pub key: PathBuf,
    /// TLS 1.2 is spoken too.
    pub tls12: bool,
}

/// The listener's side of TLS.
pub struct Tls {
    files: Files,
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them cannot be read or used; the message names it.
    pub fn load(files: Files) -> anyhow::Result<Self> {
        let current = ArcSwap::from_pointee(read(&files)?);
        Ok(Self { files, current })
    }

    /// Reads the files again, for connections from now on. What cannot be used changes nothing.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn reload(&self) -> anyhow::Result<()> {
        self.current.store(Arc::new(read(&self.files)?));
        Ok(())
    }

    /// For the next connection.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }
}

fn read(files: &Files) -> anyhow::Result<ServerConfig> {
    let path = files.certificate.display();
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read the certificate {path}"))?;
    if chain.is_empty() {
        bail!("there is no certificate in {path}");
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("cannot read the private key {}", files.key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions: &[&SupportedProtocolVersion] = if files.tls12 {
        &[&rustls::version::TLS13, &rustls::version::TLS12]
    } else {
        &[&rustls::version::TLS13]
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("the key {} does not fit {path}", files.key.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
            tls12: false,
        };
        let ((certificate, key), (_, other_key)) = (pair("a.example"), pair("b.example"));
        std::fs::write(&files.certificate, &certificate).unwrap();
        std::fs::write(&files.key, &key).unwrap();
        let tls = Tls::load(files.clone()).unwrap();
        let before = tls.current();
        for damaged in [other_key.as_str(), "", "no pem"] {
            std::fs::write(&files.key, damaged).unwrap();
            assert!(tls.reload().is_err());
            assert!(Arc::ptr_eq(&before, &tls.current()));
        }
        std::fs::write(&files.key, &key).unwrap();
        tls.reload().unwrap();
        assert!(!Arc::ptr_eq(&before, &tls.current()));
    }

    #[test]
    fn a_missing_file_is_named() {
        let nowhere = PathBuf::from("/nonexistent/cert.pem");
        let files = Files { certificate: nowhere.clone(), key: nowhere, tls12: false };
        let problem = Tls::load(files).err().unwrap().to_string();
        assert!(problem.contains("/nonexistent/cert.pem"), "{problem}");
    }
}
