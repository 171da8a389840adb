//! HostKeyAgent: an agent that holds the private halves of host keys (sshd_config(5)).

use crate::add::link::{Link, REFUSED};
use crate::ssh::connect::plain;
use nacre_agent::{Answer, Request, SignFlags, SignRequest};
use nacre_crypto::{AwsLc, PublicKey};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::Provider;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the agent may be silent. A client gives up after two minutes.
const PATIENCE: Duration = Duration::from_secs(20);
/// The value that stands for the agent that this variable names.
const VARIABLE: &str = "SSH_AUTH_SOCK";

/// Such an agent. It is asked anew for each signature, so that it may be started again.
#[derive(Debug, Clone)]
pub struct HostAgent(PathBuf);

impl HostAgent {
    /// The one that the configuration names.
    pub fn named(value: &str) -> Option<Self> {
        let path = match value {
            VARIABLE => std::env::var_os(VARIABLE).filter(|path| !path.is_empty())?.into(),
            path => PathBuf::from(path),
        };
        // A server that detaches leaves its folder.
        Some(Self(std::path::absolute(&path).unwrap_or(path)))
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Has it sign; by a certificate's algorithm as the key inside. It blocks. The signature is verified, because a faulty one could
    /// give an RSA key away (threat T21).
    ///
    /// # Errors
    /// Why there is none.
    pub fn sign(&self, key: &PublicKey, algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Vec<u8>, String> {
        let algorithm = algorithm.plain();
        let mut link = Link::connect(self.0.as_os_str()).map_err(|error| plain(&error))?;
        link.wait_at_most(PATIENCE).map_err(|error| plain(&error))?;
        let flags = SignFlags::for_algorithm(algorithm.name());
        let request = Request::SignRequest(SignRequest { public_key: key.blob(), data, flags });
        let signature = match link.ask(&request)? {
            Answer::Signature(signature) => signature.into_blob(algorithm.name()).map_err(|error| error.to_string())?,
            _ => return Err(REFUSED.to_owned()),
        };
        let verified = AwsLc::default().verify(algorithm, key.blob(), data, &signature);
        verified.map(|_| signature).map_err(|_| "its signature is not one of the key".to_owned())
    }
}
