//! A client on russh's library, called like a small ssh: it runs one command and passes its
//! streams and exit code on. Algorithms are forced, so that a login proves each of them.
//!
//! `russh-client --port N --user NAME --host-key FILE [--kex A] [--cipher A] [--mac A]
//! [--host-key-algorithm A] [--key FILE] [--key-algorithm A] [--password P] [--answer A]
//! [--rekey BYTES] [--tty COLUMNSxROWS] [--subsystem NAME] COMMAND`
//!
//! Exit code 254: this program failed; 253: the login was refused; 252: the request was refused;
//! 251: the command died by the signal named on standard error.

use interop::words::Words;
use russh::client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, load_secret_key};
use russh::{ChannelMsg, Preferred, kex};
use std::borrow::Cow;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::io::{AsyncWriteExt, stderr, stdin, stdout};

const FAILED: u8 = 254;
const LOGIN_REFUSED: u8 = 253;
const REQUEST_REFUSED: u8 = 252;
const DIED: u8 = 251;

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Knows the one host key that will do.
struct Judge {
    host_key: PublicKey,
}

impl client::Handler for Judge {
    type Error = russh::Error;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(match offered {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.key_data() == self.host_key.key_data(),
            PublicKeyOrCertificate::Certificate(_) => false,
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        // The reader of standard input may sit in a read for ever; the process need not wait for it.
        Ok(code) => std::process::exit(i32::from(code)),
        Err(problem) => {
            eprintln!("russh-client: {problem}");
            std::process::exit(i32::from(FAILED))
        }
    }
}

async fn run() -> Result<u8, Problem> {
    let words = Words::read(std::env::args().skip(1))?;
    let config = Arc::new(config(&words)?);
    let host_key = PublicKey::from_openssh(&std::fs::read_to_string(words.need::<String>("host-key")?)?)?;
    let address = ("127.0.0.1", words.need::<u16>("port")?);
    let mut session = client::connect(config, address, Judge { host_key }).await?;
    if !login(&mut session, &words).await? {
        eprintln!("russh-client: login refused");
        return Ok(LOGIN_REFUSED);
    }
    command(&session, &words).await
}

fn config(words: &Words) -> Result<client::Config, Problem> {
    let mut preferred = Preferred::DEFAULT;
    if let Some(name) = words.first("kex") {
        let name = kex::Name::try_from(name).map_err(|()| "unknown kex")?;
        preferred.kex =
            Cow::Owned(vec![name, kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT]);
    }
    if let Some(name) = words.first("cipher") {
        preferred.cipher = Cow::Owned(vec![russh::cipher::Name::try_from(name).map_err(|()| "unknown cipher")?]);
    }
    if let Some(name) = words.first("mac") {
        preferred.mac = Cow::Owned(vec![russh::mac::Name::try_from(name).map_err(|()| "unknown MAC")?]);
    }
    if let Some(name) = words.first("host-key-algorithm") {
        preferred.key = Cow::Owned(vec![Algorithm::new(name)?]);
    }
    let mut config = client::Config { preferred, nodelay: true, ..Default::default() };
    if words.first("rekey").is_some() {
        config.limits.rekey_write_limit = words.need("rekey")?;
        config.limits.rekey_read_limit = words.need("rekey")?;
    }
    Ok(config)
}

/// Goes through the factors given, in the order key, password, answer; each but the last may leave
/// more to be done.
async fn login(session: &mut Handle<Judge>, words: &Words) -> Result<bool, Problem> {
    let user: String = words.need("user")?;
    if let Some(path) = words.first("key") {
        let hash = match words.first("key-algorithm") {
            Some("rsa-sha2-256") => Some(HashAlg::Sha256),
            Some("rsa-sha2-512") => Some(HashAlg::Sha512),
            Some(_) => None,
            None => session.best_supported_rsa_hash().await?.flatten(),
        };
        let key = PrivateKeyWithHashAlg::new(Arc::new(load_secret_key(path, words.first("passphrase"))?), hash);
        match done(session.authenticate_publickey(&user, key).await?) {
            Some(verdict) => return Ok(verdict),
            None => eprintln!("russh-client: partial success"),
        }
    }
    if let Some(password) = words.first("password") {
        match done(session.authenticate_password(&user, password).await?) {
            Some(verdict) => return Ok(verdict),
            None => eprintln!("russh-client: partial success"),
        }
    }
    match words.first("answer") {
        Some(answer) => interactive(session, &user, answer).await,
        None => Ok(false),
    }
}

/// Whether the login is over and how; `None` if the server wants more.
fn done(result: AuthResult) -> Option<bool> {
    match result {
        AuthResult::Success => Some(true),
        AuthResult::Failure { partial_success: true, .. } => None,
        AuthResult::Failure { .. } => Some(false),
    }
}

/// Keyboard-interactive: the same answer to every question.
async fn interactive(session: &mut Handle<Judge>, user: &str, answer: &str) -> Result<bool, Problem> {
    let mut response = session.authenticate_keyboard_interactive_start(user, None).await?;
    loop {
        match response {
            KeyboardInteractiveAuthResponse::Success => return Ok(true),
            KeyboardInteractiveAuthResponse::Failure { .. } => return Ok(false),
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                let answers = prompts.iter().map(|_| answer.to_owned()).collect();
                response = session.authenticate_keyboard_interactive_respond(answers).await?;
            }
        }
    }
}

async fn command(session: &Handle<Judge>, words: &Words) -> Result<u8, Problem> {
    let channel = session.channel_open_session().await?;
    let (mut inbound, outbound) = channel.split();
    if let Some(size) = words.first("tty") {
        let (columns, rows) = size.split_once('x').ok_or("--tty COLUMNSxROWS")?;
        outbound.request_pty(true, "xterm", columns.parse()?, rows.parse()?, 0, 0, &[]).await?;
        if !accepted(inbound.wait().await) {
            return Ok(REQUEST_REFUSED);
        }
    }
    match words.first("subsystem") {
        Some(name) => outbound.request_subsystem(true, name).await?,
        None if words.rest.is_empty() => outbound.request_shell(true).await?,
        None => outbound.exec(true, words.rest.join(" ")).await?,
    }
    let mut code = None;
    let mut writer = outbound.make_writer();
    let mut feed = Some(tokio::spawn(async move {
        let mut input = stdin();
        let _ = tokio::io::copy(&mut input, &mut writer).await;
        let _ = outbound.eof().await;
        outbound
    }));
    let (mut out, mut err) = (stdout(), stderr());
    while let Some(message) = inbound.wait().await {
        match message {
            ChannelMsg::Data { data } => out.write_all(&data).await?,
            ChannelMsg::ExtendedData { data, .. } => err.write_all(&data).await?,
            ChannelMsg::ExitStatus { exit_status } => code = Some(u8::try_from(exit_status)?),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                err.write_all(format!("exit-signal {signal_name:?}\n").as_bytes()).await?;
                code = Some(DIED);
            }
            ChannelMsg::Failure => {
                eprintln!("russh-client: request refused");
                code = Some(REQUEST_REFUSED);
                break;
            }
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    out.flush().await?;
    err.flush().await?;
    if let Some(feed) = feed.take() {
        feed.abort();
    }
    code.ok_or_else(|| "the channel closed without an exit status".into())
}

fn accepted(message: Option<ChannelMsg>) -> bool {
    !matches!(message, None | Some(ChannelMsg::Failure | ChannelMsg::Close))
}
