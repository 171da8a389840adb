//! What a connection tells its owner, in order. Values only: nothing in an event borrows from the
//! connection.

use crate::algorithm::SignatureAlgorithm;
use crate::crypto::SecretBytes;
use crate::exchange::{HostKeyQuestion, SignExchange};
use crate::login::client::{AnswerPrompts, ChangePassword, ChooseMethod, SignRequest};
use crate::login::server::{CheckKey, CheckKeyboardInteractive, CheckPassword, LookUpUser};
use crate::mux::channel::{LocalChannel, Stream};
use crate::mux::{GrantGlobal, GrantRequest, OpenChannel};
use crate::question::Pending;
use bytes::Bytes;
use nacre_wire::session::SessionRequest;
use nacre_wire::userauth::InfoRequest;

/// An event. Questions carry a [`Pending`] that goes back with the answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Client: is this the key of the host that was asked for? The server has proved it holds it.
    HostKey {
        /// Answer with a [`crate::HostKeyDecision`].
        pending: Pending<HostKeyQuestion>,
        /// The signature algorithm that was used.
        algorithm: SignatureAlgorithm,
        /// The public key blob.
        host_key: Vec<u8>,
    },
    /// Client: how to try to log in next.
    ChooseMethod {
        /// Answer with an [`crate::login::client::Attempt`].
        pending: Pending<ChooseMethod>,
        /// Methods that may go on; empty before the first attempt.
        methods: Vec<String>,
        /// The last attempt was right and more is wanted.
        partial_success: bool,
        /// Signature algorithms the server takes from users, when it said so.
        server_sig_algs: Option<Vec<String>>,
    },
    /// Client: sign this with the key of the present attempt.
    SignRequest {
        /// Answer with the signature blob, `None` to go on without.
        pending: Pending<SignRequest>,
        /// The signature algorithm.
        algorithm: SignatureAlgorithm,
        /// The public key blob.
        public_key: Vec<u8>,
        /// What to sign.
        data: Vec<u8>,
    },
    /// Client: the server asks for answers (RFC 4256).
    Prompts {
        /// Answer with as many as there are prompts, `None` to give up.
        pending: Pending<AnswerPrompts>,
        /// The questions, not cleaned.
        request: InfoRequest,
    },
    /// Client: the password must be changed (RFC 4252 §8).
    ChangePassword {
        /// Answer with (old, new), `None` to give up.
        pending: Pending<ChangePassword>,
        /// The server's text, not cleaned.
        prompt: Vec<u8>,
    },
    /// Client: the server's banner, not cleaned.
    Banner {
        /// The text.
        message: Vec<u8>,
    },
    /// Server: sign this exchange hash with the private half of `host_key`.
    SignExchange {
        /// Answer with the signature blob.
        pending: Pending<SignExchange>,
        /// The signature algorithm.
        algorithm: SignatureAlgorithm,
        /// The public key blob.
        host_key: Vec<u8>,
        /// What to sign.
        exchange_hash: Vec<u8>,
    },
    /// Server: somebody wants to log in. Asked once; an account that does not exist gets a policy
    /// like any other, so that nobody can tell (threat A12).
    LookUpUser {
        /// Answer with a [`crate::login::server::UserPolicy`].
        pending: Pending<LookUpUser>,
        /// The name, as it came.
        user: Vec<u8>,
    },
    /// Server: may this key log in? With a proof, the signature in it has been verified.
    CheckKey {
        /// Answer `true` or `false`.
        pending: Pending<CheckKey>,
        /// The signature algorithm.
        algorithm: SignatureAlgorithm,
        /// The public key blob.
        public_key: Vec<u8>,
        /// Absent from the question whether the key would do.
        proof: Option<crate::login::KeyProof>,
    },
    /// Server: is this the password?
    CheckPassword {
        /// Answer with a [`crate::login::server::PasswordVerdict`].
        pending: Pending<CheckPassword>,
        /// The password.
        password: SecretBytes,
        /// The new one, when a change was asked for.
        new_password: Option<SecretBytes>,
    },
    /// Server: keyboard-interactive goes on. The first time there are no answers.
    CheckKeyboardInteractive {
        /// Answer with a [`crate::login::server::KeyboardInteractiveVerdict`].
        pending: Pending<CheckKeyboardInteractive>,
        /// Answers to the prompts of the last round; `None` at the start.
        answers: Option<Vec<SecretBytes>>,
    },
    /// The first key exchange is done.
    Ready,
    /// Logged in; channels may be opened.
    Authenticated {
        /// The methods that succeeded, in order.
        methods: Vec<String>,
    },
    /// The peer wants a channel.
    OpenRequest {
        /// Answer with an [`crate::OpenAnswer`].
        pending: Pending<OpenChannel>,
        /// The number it will have.
        channel: LocalChannel,
        /// Its type, cleaned.
        kind: String,
        /// What the type adds.
        data: Vec<u8>,
    },
    /// A channel we asked for stands.
    Opened {
        /// Which.
        channel: LocalChannel,
        /// What we may send at first, bytes.
        window: u32,
        /// What one message may hold, bytes.
        max_packet: u32,
    },
    /// A channel we asked for was refused.
    OpenFailed {
        /// Which; it is gone.
        channel: LocalChannel,
        /// A code of RFC 4250 §4.3.
        reason: u32,
        /// The peer's text, cleaned.
        description: String,
    },
    /// Data came in. Its bytes count against the window until `consumed`.
    Data {
        /// Which channel.
        channel: LocalChannel,
        /// Which stream.
        stream: Stream,
        /// The bytes.
        data: Bytes,
    },
    /// The peer sends no more data.
    Eof {
        /// Which channel.
        channel: LocalChannel,
    },
    /// The channel carried nothing for too long ([`crate::ChannelMut::limit_idling`]) and is being closed: what it was joined with is to
    /// be let go. [`Event::Closed`] follows once the peer agrees.
    Expired {
        /// Which.
        channel: LocalChannel,
    },
    /// The channel is gone.
    Closed {
        /// Which.
        channel: LocalChannel,
    },
    /// There is room again on a channel that had none.
    Writable {
        /// Which.
        channel: LocalChannel,
    },
    /// A request on a channel.
    Request {
        /// Which channel.
        channel: LocalChannel,
        /// The request.
        request: SessionRequest,
        /// Answer `true` or `false`, when an answer is wanted.
        pending: Option<Pending<GrantRequest>>,
    },
    /// The answer to a request of ours.
    RequestReply {
        /// Which channel.
        channel: LocalChannel,
        /// The type of the request.
        kind: Vec<u8>,
        /// Granted or not.
        success: bool,
    },
    /// A global request.
    Global {
        /// Its name, cleaned.
        name: String,
        /// What the name adds.
        data: Vec<u8>,
        /// Answer with data or `None`, when an answer is wanted.
        pending: Option<Pending<GrantGlobal>>,
    },
    /// The answer to a global request of ours.
    GlobalReply {
        /// Its name.
        name: Vec<u8>,
        /// What it brought; `None` when refused.
        data: Option<Vec<u8>>,
    },
}
