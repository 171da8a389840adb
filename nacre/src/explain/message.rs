//! What each message of SSH says, in a sentence and in fields.
//!
//! What only the two ends should know (passwords, answers, commands, variables, data) is left out unless secrets are
//! to be shown.

use super::record::Row;
use nacre_crypto::fingerprint_sha256;
use nacre_wire::message::{
    ChannelData, ChannelExtendedData, ChannelOpen, ChannelOpenConfirmation, ChannelOpenFailure, ChannelRequest,
    ChannelWindowAdjust, Debug, Disconnect, GlobalRequest, KexEcdhInit, KexEcdhReply, KexInit, Message, ServiceAccept,
    ServiceRequest, Unimplemented, UserauthBanner, UserauthFailure, UserauthPasswdChangereq, UserauthPkOk,
    UserauthRequest,
};
use nacre_wire::session::SessionRequest;
use nacre_wire::text::clean_line;
use nacre_wire::userauth::{InfoRequest, PasswordRequest, PublicKeyRequest};
use nacre_wire::{DecodeError, Reader, ext_info, names, number};

/// The longest peer text kept, in bytes.
const MAX_TEXT: usize = 1000;

type Details = Vec<(String, String)>;

/// A sentence and what it unfolds to.
type Said = (String, Details);

/// A label and its value.
pub fn detail(label: &str, value: impl Into<String>) -> (String, String) {
    (label.to_owned(), value.into())
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// A peer's bytes as text that is safe to show.
pub fn text(bytes: &[u8]) -> String {
    clean_line(bytes, MAX_TEXT)
}

fn plain(sentence: impl Into<String>) -> Said {
    (sentence.into(), Vec::new())
}

/// The row and the step of a message.
pub const fn place(number: u8, encrypted: bool) -> (Row, u8) {
    match number {
        number::KEXINIT => (Row::KeyExchange, 3),
        number::NEWKEYS | number::KEX_ECDH_INIT | number::KEX_ECDH_REPLY => (Row::KeyExchange, 4),
        number::EXT_INFO | number::SERVICE_REQUEST | number::SERVICE_ACCEPT | 50..=79 => (Row::UserProof, 6),
        number::CHANNEL_OPEN | number::CHANNEL_OPEN_CONFIRMATION | number::CHANNEL_OPEN_FAILURE => (Row::Session, 7),
        number::DISCONNECT => (Row::End, 9),
        _ if encrypted => (Row::Session, 8),
        _ => (Row::KeyExchange, 3),
    }
}

/// Reads messages one after the other; some mean what came before says.
pub struct Teller {
    /// The method of the last request to log in.
    method: String,
    secrets: bool,
}

impl Teller {
    /// A reader that shows secrets, or does not.
    pub const fn new(secrets: bool) -> Self {
        Self { method: String::new(), secrets }
    }

    /// The message's own name: number 60 has three.
    pub fn name(&self, number: u8) -> &'static str {
        match (number, self.method.as_str()) {
            (number::USERAUTH_METHOD_60, names::AUTH_PASSWORD) => "USERAUTH_PASSWD_CHANGEREQ",
            (number::USERAUTH_METHOD_60, names::AUTH_KEYBOARD_INTERACTIVE) => "USERAUTH_INFO_REQUEST",
            (number::USERAUTH_METHOD_60, _) => "USERAUTH_PK_OK",
            _ => number::name(number),
        }
    }

    /// The sentence and the fields of a message.
    pub fn tell(&mut self, payload: &[u8]) -> Said {
        let told = match payload.first().copied().unwrap_or_default() {
            n @ 0..=49 => transport(n, payload),
            n @ 50..=79 => self.login(n, payload),
            n => self.connection(n, payload),
        };
        told.unwrap_or_else(|error| plain(format!("is not formed as it should be: {error}")))
    }

    fn login(&mut self, number: u8, payload: &[u8]) -> Result<Said, DecodeError> {
        Ok(match number {
            number::USERAUTH_REQUEST => {
                let request = UserauthRequest::decode(payload)?;
                self.method = text(request.method);
                let mut details = vec![detail("user", text(request.user)), detail("for", text(request.service))];
                let sentence = self.attempt(&request, &mut details)?;
                (sentence, details)
            }
            number::USERAUTH_FAILURE => {
                let m = UserauthFailure::decode(payload)?;
                let methods = text(m.methods.as_str().as_bytes());
                plain(match m.partial_success {
                    true => format!("that was right; still wanted: {methods}"),
                    false => format!("not by that; possible: {methods}"),
                })
            }
            number::USERAUTH_SUCCESS => plain("lets the user in"),
            number::USERAUTH_BANNER => plain(text(UserauthBanner::decode(payload)?.message)),
            number::USERAUTH_METHOD_60 => self.method_60(payload)?,
            number::USERAUTH_INFO_RESPONSE => ("answers the questions".to_owned(), self.answers(payload)?),
            _ => plain("is a message of a login method that is not known here"),
        })
    }

    /// A request to log in: what is tried, and what it shows.
    fn attempt(&self, request: &UserauthRequest<'_>, details: &mut Details) -> Result<String, DecodeError> {
        let hostbound = request.method == names::AUTH_PUBLICKEY_HOSTBOUND.as_bytes();
        if hostbound || request.method == names::AUTH_PUBLICKEY.as_bytes() {
            let key = PublicKeyRequest::decode(request.rest.0, hostbound)?;
            details.push(detail("algorithm", text(key.algorithm)));
            details.push(detail("key", fingerprint_sha256(key.public_key)));
            details.extend(key.host_key.map(|host| detail("bound to the host key", fingerprint_sha256(host))));
            details.extend(key.signature.map(|s| detail("signature", format!("{} bytes", s.len()))));
            return Ok(match key.signature {
                Some(_) => format!("tries {}, with a signature over the session identifier", self.method),
                None => format!("asks whether this key would do ({})", self.method),
            });
        }
        if request.method == names::AUTH_PASSWORD.as_bytes() && self.secrets {
            let password = PasswordRequest::decode(request.rest.0)?;
            details.push(detail("password", text(password.password)));
        }
        Ok(match request.method == names::AUTH_NONE.as_bytes() {
            true => "asks which ways to log in there are".to_owned(),
            false => format!("tries {}", self.method),
        })
    }

    fn method_60(&self, payload: &[u8]) -> Result<Said, DecodeError> {
        Ok(match self.method.as_str() {
            names::AUTH_PASSWORD => {
                let m = UserauthPasswdChangereq::decode(payload)?;
                ("wants a new password".to_owned(), vec![detail("prompt", text(m.prompt))])
            }
            names::AUTH_KEYBOARD_INTERACTIVE => {
                let m = InfoRequest::decode(payload)?;
                let mut details = vec![detail("title", text(&m.name)), detail("instruction", text(&m.instruction))];
                details.extend(m.prompts.iter().map(|prompt| detail("question", text(&prompt.text))));
                details.retain(|(_, value)| !value.is_empty());
                (format!("asks {} questions", m.prompts.len()), details)
            }
            _ => {
                let m = UserauthPkOk::decode(payload)?;
                let details =
                    vec![detail("algorithm", text(m.algorithm)), detail("key", fingerprint_sha256(m.public_key))];
                ("would take a signature by this key".to_owned(), details)
            }
        })
    }

    fn answers(&self, payload: &[u8]) -> Result<Details, DecodeError> {
        let mut reader = Reader::new(payload);
        reader.u8("message number")?;
        let count = reader.u32("num-responses")?;
        let mut details = vec![detail("answers", count.to_string())];
        while self.secrets && reader.remaining() > 0 {
            details.push(detail("answer", text(reader.string("response")?)));
        }
        Ok(details)
    }

    fn connection(&self, number: u8, payload: &[u8]) -> Result<Said, DecodeError> {
        Ok(match number {
            number::GLOBAL_REQUEST => {
                let m = GlobalRequest::decode(payload)?;
                let sentence = match m.name == names::HOSTKEYS.as_bytes() {
                    true => "tells all its host keys, so that clients can learn new ones before old ones go".to_owned(),
                    false => format!("asks for {}", text(m.name)),
                };
                (sentence, vec![detail("request", text(m.name)), detail("answer wanted", yes_or_no(m.want_reply))])
            }
            number::REQUEST_SUCCESS => plain("says yes to the request"),
            number::REQUEST_FAILURE => plain("says no to the request"),
            number::CHANNEL_OPEN => {
                let m = ChannelOpen::decode(payload)?;
                let mut details = window(m.initial_window, m.max_packet);
                details.push(detail("its number for it", m.sender.to_string()));
                (format!("opens a channel of type {}", text(m.kind)), details)
            }
            number::CHANNEL_OPEN_CONFIRMATION => {
                let m = ChannelOpenConfirmation::decode(payload)?;
                let mut details = window(m.initial_window, m.max_packet);
                details.push(detail("its number for it", m.sender.to_string()));
                ("the channel stands".to_owned(), details)
            }
            number::CHANNEL_OPEN_FAILURE => {
                let m = ChannelOpenFailure::decode(payload)?;
                plain(format!("refuses the channel: {} (reason {})", text(m.description), m.reason))
            }
            number::CHANNEL_REQUEST => self.channel_request(&ChannelRequest::decode(payload)?)?,
            number::CHANNEL_SUCCESS => plain("says yes to the channel request"),
            number::CHANNEL_FAILURE => plain("says no to the channel request"),
            number::CHANNEL_EOF => plain("will send no more data on the channel"),
            number::CHANNEL_CLOSE => plain("closes the channel"),
            number::CHANNEL_DATA => plain(format!("sends {} bytes of data", ChannelData::decode(payload)?.data.len())),
            number::CHANNEL_EXTENDED_DATA => {
                let size = ChannelExtendedData::decode(payload)?.data.len();
                plain(format!("sends {size} bytes of standard error"))
            }
            number::CHANNEL_WINDOW_ADJUST => {
                let bytes = ChannelWindowAdjust::decode(payload)?.bytes;
                plain(format!("gives room for {bytes} bytes more"))
            }
            number::PING => plain("asks for a sign of life"),
            number::PONG => plain("gives a sign of life"),
            _ => plain("is a message that is not known here"),
        })
    }

    fn channel_request(&self, request: &ChannelRequest<'_>) -> Result<Said, DecodeError> {
        let kind = text(request.kind);
        let mut details = vec![detail("answer wanted", yes_or_no(request.want_reply))];
        let sentence = match SessionRequest::decode(request.kind, request.rest.0)? {
            SessionRequest::PtyReq { term, size, modes } => {
                details.push(detail("terminal", text(term.as_bytes())));
                details.push(detail("size", format!("{} columns, {} rows", size.columns, size.rows)));
                details.push(detail("modes", modes.len().to_string()));
                "wants a terminal".to_owned()
            }
            SessionRequest::Env { name, value } => {
                details.extend(self.secret("variable", &[name.as_slice(), b"=", value.as_slice()].concat()));
                "sets a variable of the environment".to_owned()
            }
            SessionRequest::Shell => "wants a shell".to_owned(),
            SessionRequest::Exec { command } => {
                details.extend(self.secret("command", &command));
                "wants a command to be run".to_owned()
            }
            SessionRequest::Subsystem { name } => format!("wants the subsystem {}", text(name.as_bytes())),
            SessionRequest::WindowChange { size } => {
                format!("the terminal is now {} columns by {} rows", size.columns, size.rows)
            }
            SessionRequest::Signal { name } => format!("sends the signal {}", text(name.as_bytes())),
            SessionRequest::ExitStatus { status } => format!("the program ended with status {status}"),
            SessionRequest::ExitSignal { name, .. } => {
                format!("the program was ended by the signal {}", text(name.as_bytes()))
            }
            _ => format!("makes the channel request {kind}"),
        };
        details.insert(0, detail("request", kind));
        Ok((sentence, details))
    }

    fn secret(&self, label: &str, value: &[u8]) -> Option<(String, String)> {
        self.secrets.then(|| detail(label, text(value)))
    }
}

fn transport(number: u8, payload: &[u8]) -> Result<Said, DecodeError> {
    Ok(match number {
        number::DISCONNECT => {
            let m = Disconnect::decode(payload)?;
            (format!("ends the connection: {}", text(m.description)), vec![detail("reason", m.reason.to_string())])
        }
        number::IGNORE => plain("sends bytes that mean nothing, so that who listens learns less"),
        number::UNIMPLEMENTED => {
            plain(format!("does not know packet {} of the other side", Unimplemented::decode(payload)?.sequence))
        }
        number::DEBUG => plain(text(Debug::decode(payload)?.message)),
        number::SERVICE_REQUEST => {
            plain(format!("asks for the service {}", text(ServiceRequest::decode(payload)?.service)))
        }
        number::SERVICE_ACCEPT => {
            plain(format!("accepts the service {}", text(ServiceAccept::decode(payload)?.service)))
        }
        number::EXT_INFO => {
            let extensions = ext_info::decode(payload)?;
            let details = extensions.iter().map(|(name, value)| (text(name), text(value))).collect();
            ("tells what else it can do".to_owned(), details)
        }
        number::KEXINIT => {
            let m = KexInit::decode(payload)?;
            let mut details = super::negotiation::Offer::of(&m).details();
            details.insert(0, detail("cookie", hex(&m.cookie)));
            details.push(detail("a guess follows", yes_or_no(m.first_kex_packet_follows)));
            ("offers its algorithms, best first".to_owned(), details)
        }
        number::NEWKEYS => plain("switches to the new keys: from here on its packets are encrypted and authenticated"),
        number::KEX_ECDH_INIT => {
            let public = KexEcdhInit::decode(payload)?.public;
            let sentence = "sends its half of the key exchange, a public value; the private half never leaves it";
            (sentence.to_owned(), vec![sized("public value", public)])
        }
        number::KEX_ECDH_REPLY => {
            let m = KexEcdhReply::decode(payload)?;
            let details = vec![
                sized("public value", m.public),
                sized("host key", m.host_key),
                sized("signature of the exchange hash", m.signature),
            ];
            ("sends its half too, its host key, and a signature over all that was said".to_owned(), details)
        }
        _ => plain("is a message that is not known here"),
    })
}

/// A value that has a length to be told.
fn sized(label: &str, value: &[u8]) -> (String, String) {
    (format!("{label}, {} bytes", value.len()), hex(value))
}

fn window(initial: u32, max_packet: u32) -> Details {
    vec![
        detail("window", format!("{initial} bytes may be sent to it before credit comes back")),
        detail("largest message", format!("{max_packet} bytes")),
    ]
}

const fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
