//! The raw peer logs in, or as a server lets the machine in.

use super::{Raw, Role};
use crate::keys::user_key;
use crate::sample;
use nacre_crypto::PrivateKey;
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_wire::message::{Message, Rest, UserauthRequest};
use nacre_wire::userauth::{PasswordRequest, PublicKeyRequest};
use nacre_wire::{WriteExt, number};

/// A `publickey` request, field by field, so that each can be changed before or after signing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRequest {
    /// The session identifier that is signed.
    pub session_id: Vec<u8>,
    /// Who.
    pub user: Vec<u8>,
    /// For which service.
    pub service: Vec<u8>,
    /// `publickey`, or the host-bound variant.
    pub method: Vec<u8>,
    /// The algorithm's name.
    pub algorithm: Vec<u8>,
    /// The key.
    pub blob: Vec<u8>,
    /// The host key, for the host-bound variant.
    pub host_key: Option<Vec<u8>>,
}

impl KeyRequest {
    fn put_rest(&self, signed: bool, out: &mut Vec<u8>) {
        let request = PublicKeyRequest {
            algorithm: &self.algorithm,
            public_key: &self.blob,
            host_key: self.host_key.as_deref(),
            signature: None,
        };
        request.encode_unsigned(signed, out);
    }

    fn message(&self, rest: &[u8]) -> Vec<u8> {
        UserauthRequest { user: &self.user, service: &self.service, method: &self.method, rest: Rest(rest) }.to_bytes()
    }

    /// The message that asks whether the key would do.
    pub fn probe(&self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.put_rest(false, &mut rest);
        self.message(&rest)
    }

    /// What a signature covers (RFC 4252 §7).
    pub fn signed_text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        text.put_string(&self.session_id);
        let mut rest = Vec::new();
        self.put_rest(true, &mut rest);
        text.extend(self.message(&rest));
        text
    }

    /// The message with a signature.
    pub fn with_signature(&self, signature: &[u8]) -> Vec<u8> {
        let mut rest = Vec::new();
        self.put_rest(true, &mut rest);
        rest.put_string(signature);
        self.message(&rest)
    }
}

impl Raw {
    /// The service for logging in, asked for or granted.
    #[track_caller]
    pub fn service(&mut self) {
        match self.role {
            Role::Client => {
                self.send(&sample::of(number::SERVICE_REQUEST));
                self.expect(number::SERVICE_ACCEPT);
            }
            Role::Server => {
                self.expect(number::SERVICE_REQUEST);
                self.send(&sample::of(number::SERVICE_ACCEPT));
            }
        }
    }

    /// The message of a request for the user of the set-up.
    pub fn request(&self, method: &str, rest: &[u8]) -> Vec<u8> {
        self.request_as(&self.user.clone(), method, rest)
    }

    /// The message of a request for any user.
    pub fn request_as(&self, user: &str, method: &str, rest: &[u8]) -> Vec<u8> {
        let message = UserauthRequest {
            user: user.as_bytes(),
            service: b"ssh-connection",
            method: method.as_bytes(),
            rest: Rest(rest),
        };
        message.to_bytes()
    }

    /// The message of a `password` request.
    pub fn password(&self, user: &str, password: &str) -> Vec<u8> {
        let mut rest = Vec::new();
        PasswordRequest { password: password.as_bytes(), new_password: None }.encode(&mut rest);
        self.request_as(user, "password", &rest)
    }

    /// The message of a `keyboard-interactive` request.
    pub fn keyboard_interactive(&self, user: &str, submethods: &str) -> Vec<u8> {
        let mut rest = Vec::new();
        rest.put_string("");
        rest.put_string(submethods);
        self.request_as(user, "keyboard-interactive", &rest)
    }

    /// The fields of a `publickey` request for a key.
    pub fn key_request(&self, key: &PrivateKey, algorithm: SignatureAlgorithm) -> KeyRequest {
        KeyRequest {
            session_id: self.session_id.clone(),
            user: self.user.clone().into_bytes(),
            service: b"ssh-connection".to_vec(),
            method: b"publickey".to_vec(),
            algorithm: algorithm.name().as_bytes().to_vec(),
            blob: key.public_blob().to_vec(),
            host_key: None,
        }
    }

    /// The host key of the last key exchange.
    pub fn host_key_blob(&self) -> &[u8] {
        &self.handshake.host_key
    }

    /// Logs in after [`Raw::service`]: the user's key against our server, `none` from our client.
    #[track_caller]
    pub fn authenticate(&mut self) {
        match self.role {
            Role::Client => {
                let key = user_key();
                let request = self.key_request(key, SignatureAlgorithm::Ed25519);
                let signature = key.sign(SignatureAlgorithm::Ed25519, &request.signed_text()).expect("a signature");
                self.send(&request.with_signature(&signature));
                self.expect(number::USERAUTH_SUCCESS);
            }
            Role::Server => {
                self.expect(number::USERAUTH_REQUEST);
                self.send(&sample::of(number::USERAUTH_SUCCESS));
            }
        }
        assert!(self.end.connection.is_authenticated());
    }

    /// Everything up to the connection layer.
    #[track_caller]
    pub fn log_in(&mut self) {
        self.handshake();
        self.service();
        self.authenticate();
    }
}
