//! Keys that the agent of `$SSH_AUTH_SOCK` holds.

use crate::add::link::Link;
use nacre_agent::{Answer, Request, SignFlags, SignRequest};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::certificate::plain_key;

/// A key in the agent.
pub(super) struct AgentKey {
    link: Link,
    held: Vec<u8>,
}

impl AgentKey {
    /// Looks the key, or the certificate or its key, up in the agent; `None` when the agent has neither.
    ///
    /// # Errors
    /// There is no agent, or it does not answer.
    pub(super) fn find(shown: &[u8]) -> Result<Option<Self>, String> {
        let path = std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty());
        let path = path.ok_or("there is no agent: SSH_AUTH_SOCK is not set")?;
        let mut link = Link::connect(&path).map_err(|error| format!("cannot reach the agent: {error}"))?;
        let Answer::Identities(identities) = link.ask(&Request::RequestIdentities)? else {
            return Err("the agent does not tell which keys it holds".to_owned());
        };
        let key = plain_key(shown);
        let mut held = identities.into_iter().map(|identity| identity.public_key);
        Ok(held.find(|held| held == shown || **held == *key).map(|held| Self { link, held }))
    }

    /// Has the agent sign.
    ///
    /// # Errors
    /// It refused, or signed with another algorithm.
    pub(super) fn sign(&mut self, algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Vec<u8>, String> {
        let name = algorithm.plain().name();
        let flags = SignFlags::for_algorithm(name);
        match self.link.ask(&Request::SignRequest(SignRequest { public_key: &self.held, data, flags }))? {
            Answer::Signature(signature) => signature.into_blob(name).map_err(|error| error.to_string()),
            _ => Err("the agent refused to sign".to_owned()),
        }
    }
}
