//! Which question takes which answer, and where it goes.

use crate::connection::{Connection, Layer};
use crate::crypto::SecretBytes;
use crate::error::Error;
use crate::exchange::{HostKeyDecision, HostKeyQuestion, SignExchange};
use crate::login::{client, server};
use crate::mux::{GrantGlobal, GrantRequest, OpenAnswer, OpenChannel};
use crate::question::Pending;
use std::time::Instant;

/// A question of the core. The types that implement this are all there are.
pub trait Question: Sized {
    /// What answers it.
    type Answer;

    /// Takes the answer to where it is waited for.
    #[doc(hidden)]
    fn deliver(
        connection: &mut Connection,
        now: Instant,
        pending: &Pending<Self>,
        answer: Self::Answer,
    ) -> Result<(), Error>;
}

const NOT_OPEN: Error = Error::Misuse("this question is not open");

/// A question whose answer is handled by an expression over the connection.
macro_rules! question {
    ($name:ty, $answer:ty, |$connection:ident, $now:ident, $pending:ident, $a:ident| $body:expr) => {
        impl Question for $name {
            type Answer = $answer;

            fn deliver(
                $connection: &mut Connection,
                $now: Instant,
                $pending: &Pending<Self>,
                $a: Self::Answer,
            ) -> Result<(), Error> {
                $body
            }
        }
    };
}

/// A question of one of the two login machines.
macro_rules! login_question {
    ($side:ident, $settle:ident, $name:ty, $answer:ty, |$login:ident, $now:ident, $t:ident, $pending:ident, $a:ident| $body:expr) => {
        question!($name, $answer, |connection, $now, $pending, $a| {
            let Layer::$side($login) = &mut connection.layer else { return Err(NOT_OPEN) };
            let $t = &mut connection.transport;
            let outcome = $body?;
            connection.$settle($now, outcome)
        });
    };
}

question!(HostKeyQuestion, HostKeyDecision, |c, now, pending, a| c.transport.answer_host_key(now, pending, a));
question!(SignExchange, Option<Vec<u8>>, |c, now, pending, a| c.transport.answer_signature(now, pending, a));
question!(OpenChannel, OpenAnswer, |c, now, pending, a| {
    c.mux()?.answer_open(pending, a)?;
    c.settle_mux(now)
});
question!(GrantRequest, bool, |c, now, pending, a| {
    c.mux()?.answer_request(pending, a);
    c.settle_mux(now)
});
question!(GrantGlobal, Option<Vec<u8>>, |c, now, pending, a| {
    c.mux()?.answer_global(pending, a);
    c.settle_mux(now)
});

login_question!(Client, on_client_outcome, client::ChooseMethod, client::Attempt, |login, now, t, pending, a| {
    login.answer_choice(now, t, pending, a)
});
login_question!(Client, on_client_outcome, client::SignRequest, Option<Vec<u8>>, |login, now, t, pending, a| {
    login.answer_signature(now, t, pending, a)
});
login_question!(
    Client,
    on_client_outcome,
    client::AnswerPrompts,
    Option<Vec<SecretBytes>>,
    |login, _now, t, pending, a| login.answer_prompts(t, pending, a)
);
login_question!(
    Client,
    on_client_outcome,
    client::ChangePassword,
    client::PasswordChange,
    |login, now, t, pending, a| login.answer_password_change(now, t, pending, &a)
);
login_question!(Server, on_server_outcome, server::LookUpUser, server::UserPolicy, |login, now, t, pending, a| {
    login.answer_user(now, t, pending, a)
});
login_question!(Server, on_server_outcome, server::CheckKey, bool, |login, now, t, pending, a| {
    login.answer_key(now, t, pending, a)
});
login_question!(
    Server,
    on_server_outcome,
    server::CheckPassword,
    server::PasswordVerdict,
    |login, now, t, pending, a| login.answer_password(now, t, pending, &a)
);
login_question!(
    Server,
    on_server_outcome,
    server::CheckKeyboardInteractive,
    server::KeyboardInteractiveVerdict,
    |login, now, t, pending, a| login.answer_interactive(now, t, pending, a)
);
