//! What the authentication methods add to USERAUTH_REQUEST, and the messages of
//! keyboard-interactive (RFC 4252 §7 and §8, RFC 4256).

use crate::{DecodeError, DecodeErrorKind, Reader, WriteExt, number};

/// The most prompts in one round (threat H10).
pub const MAX_PROMPTS: u32 = 64;

/// The method part of a `publickey` request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKeyRequest<'a> {
    /// Signature algorithm.
    pub algorithm: &'a [u8],
    /// The key.
    pub public_key: &'a [u8],
    /// The host key that the signature is bound to (`publickey-hostbound-v00@openssh.com`).
    pub host_key: Option<&'a [u8]>,
    /// The signature; without one the request only asks whether the key would do.
    pub signature: Option<&'a [u8]>,
}

impl<'a> PublicKeyRequest<'a> {
    /// Reads it. `hostbound` says which of the two methods it is.
    ///
    /// # Errors
    /// Malformed.
    pub fn decode(rest: &'a [u8], hostbound: bool) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(rest);
        let signed = reader.bool("has signature")?;
        let algorithm = reader.string("public key algorithm name")?;
        let public_key = reader.string("public key blob")?;
        let host_key = if hostbound { Some(reader.string("server host key")?) } else { None };
        let signature = if signed { Some(reader.string("signature")?) } else { None };
        reader.finish()?;
        Ok(Self { algorithm, public_key, host_key, signature })
    }

    /// Appends it, without the signature: what stands before it is also what is signed.
    pub fn encode_unsigned(&self, signed: bool, out: &mut Vec<u8>) {
        out.put_bool(signed);
        out.put_string(self.algorithm);
        out.put_string(self.public_key);
        if let Some(host_key) = self.host_key {
            out.put_string(host_key);
        }
    }
}

/// The method part of a `password` request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PasswordRequest<'a> {
    /// The password, UTF-8 by the document, any bytes in practice.
    pub password: &'a [u8],
    /// The new one when the server asked for a change.
    pub new_password: Option<&'a [u8]>,
}

impl<'a> PasswordRequest<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// Malformed.
    pub fn decode(rest: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(rest);
        let change = reader.bool("change")?;
        let password = reader.string("password")?;
        let new_password = if change { Some(reader.string("new password")?) } else { None };
        reader.finish()?;
        Ok(Self { password, new_password })
    }

    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_bool(self.new_password.is_some());
        out.put_string(self.password);
        if let Some(new) = self.new_password {
            out.put_string(new);
        }
    }
}

/// The method part of a `keyboard-interactive` request: the submethods wished for.
///
/// # Errors
/// Malformed.
pub fn decode_keyboard_interactive(rest: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(rest);
    reader.string("language tag")?;
    let submethods = reader.string("submethods")?;
    reader.finish()?;
    Ok(submethods)
}

/// One question of USERAUTH_INFO_REQUEST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What to ask; clean it before showing.
    pub text: Vec<u8>,
    /// Show what is typed.
    pub echo: bool,
}

/// USERAUTH_INFO_REQUEST, RFC 4256 §3.2.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InfoRequest {
    /// A title; clean it before showing.
    pub name: Vec<u8>,
    /// What to tell first; clean it before showing.
    pub instruction: Vec<u8>,
    /// The questions.
    pub prompts: Vec<Prompt>,
}

impl InfoRequest {
    /// Reads the whole message.
    ///
    /// # Errors
    /// Malformed, or more than [`MAX_PROMPTS`].
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        reader.u8("message number")?;
        let name = reader.string("name")?.to_vec();
        let instruction = reader.string("instruction")?.to_vec();
        reader.string("language tag")?;
        let count = reader.u32("num-prompts")?;
        if count > MAX_PROMPTS {
            return Err(DecodeError { kind: DecodeErrorKind::TooLong, field: "num-prompts" });
        }
        let mut prompts = Vec::new();
        for _ in 0..count {
            let text = reader.string("prompt")?.to_vec();
            prompts.push(Prompt { text, echo: reader.bool("echo")? });
        }
        reader.finish()?;
        Ok(Self { name, instruction, prompts })
    }

    /// The whole message.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![number::USERAUTH_METHOD_60];
        out.put_string(&self.name);
        out.put_string(&self.instruction);
        out.put_string("");
        out.put_u32(u32::try_from(self.prompts.len()).unwrap_or(u32::MAX));
        for prompt in &self.prompts {
            out.put_string(&prompt.text);
            out.put_bool(prompt.echo);
        }
        out
    }
}

/// USERAUTH_INFO_RESPONSE, RFC 4256 §3.4: reads the answers, which must be `expected` many.
///
/// # Errors
/// Malformed, or another number of answers (threat A14).
pub fn decode_info_response(payload: &[u8], expected: usize) -> Result<Vec<&[u8]>, DecodeError> {
    let mut reader = Reader::new(payload);
    reader.u8("message number")?;
    let count = reader.u32("num-responses")?;
    if usize::try_from(count).ok() != Some(expected) {
        return Err(DecodeError { kind: DecodeErrorKind::BadValue, field: "num-responses" });
    }
    let mut answers = Vec::new();
    for _ in 0..count {
        answers.push(reader.string("response")?);
    }
    reader.finish()?;
    Ok(answers)
}

/// The whole USERAUTH_INFO_RESPONSE.
pub fn encode_info_response(answers: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut out = vec![number::USERAUTH_INFO_RESPONSE];
    out.put_u32(u32::try_from(answers.len()).unwrap_or(u32::MAX));
    for answer in answers {
        out.put_string(answer);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a14_the_number_of_answers_must_be_the_number_of_prompts() {
        let bytes = encode_info_response(&["a", "b"]);
        assert_eq!(decode_info_response(&bytes, 2).unwrap(), vec![b"a", b"b"]);
        assert!(decode_info_response(&bytes, 1).is_err());
        assert!(decode_info_response(&[61, 255, 255, 255, 255], 1).is_err());
        assert!(decode_info_response(&[61, 0, 0, 0, 0], 1).is_err());
    }

    #[test]
    fn h10_prompt_counts_are_bounded() {
        let many = InfoRequest { prompts: vec![Prompt { text: vec![], echo: true }; 65], ..Default::default() };
        assert!(InfoRequest::decode(&many.to_bytes()).is_err());
        let few = InfoRequest { prompts: vec![Prompt { text: b"code: ".to_vec(), echo: false }], ..Default::default() };
        assert_eq!(InfoRequest::decode(&few.to_bytes()).unwrap(), few);
    }

    #[test]
    fn every_cut_of_a_public_key_request_is_refused() {
        let request =
            PublicKeyRequest { algorithm: b"ssh-ed25519", public_key: b"k", host_key: Some(b"h"), signature: None };
        let mut bytes = Vec::new();
        request.encode_unsigned(false, &mut bytes);
        assert_eq!(PublicKeyRequest::decode(&bytes, true).unwrap(), request);
        for cut in 0..bytes.len() {
            assert!(PublicKeyRequest::decode(&bytes[..cut], true).is_err());
        }
        assert!(PublicKeyRequest::decode(&bytes, false).is_err());
    }
}
