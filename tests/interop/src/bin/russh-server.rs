//! A server on russh's library: it lets one key in, and passes commands to `sh -c`.
//!
//! `russh-server --port N --host-key FILE ... --authorized FILE [--password P] [--code C]
//! [--rekey BYTES]`
//!
//! Every key of the `--authorized` file is let in; with `--password` so is who knows it; with
//! `--code` a key is not enough: the code is asked for after it.

use interop::words::Words;
use russh::keys::{PublicKey, load_secret_key};
use russh::server::{self, Auth, ChannelOpenHandle, Handle, Msg, Response, Server as _, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, MethodKind, MethodSet, Preferred, Sig, cipher, kex, mac};
use std::borrow::Cow;
use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::{ChildStdin, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Problem = Box<dyn std::error::Error + Send + Sync>;

#[derive(Default)]
struct Rules {
    authorized: Vec<PublicKey>,
    password: Option<String>,
    code: Option<String>,
}

#[derive(Clone)]
struct House {
    rules: Arc<Rules>,
}

impl server::Server for House {
    type Handler = Guest;

    fn new_client(&mut self, _: Option<std::net::SocketAddr>) -> Guest {
        Guest { rules: self.rules.clone(), key_held: false, inputs: HashMap::new() }
    }

    fn handle_session_error(&mut self, error: russh::Error) {
        eprintln!("russh-server: {error:?}");
    }
}

/// One connection.
struct Guest {
    rules: Arc<Rules>,
    key_held: bool,
    /// What commands are to read. Unbounded: the session must not wait for a command that itself
    /// waits for the session to take its output.
    inputs: HashMap<ChannelId, UnboundedSender<Vec<u8>>>,
}

impl Guest {
    fn more(&self) -> Auth {
        let methods = MethodSet::from([MethodKind::KeyboardInteractive].as_slice());
        Auth::Reject { proceed_with_methods: Some(methods), partial_success: true }
    }
}

impl server::Handler for Guest {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        eprintln!("russh-server: key {}", key.algorithm);
        let known = self.rules.authorized.iter().any(|known| known.key_data() == key.public_key.key_data());
        self.key_held |= known;
        Ok(match (known, &self.rules.code) {
            (false, _) => Auth::reject(),
            (true, Some(_)) => self.more(),
            (true, None) => Auth::Accept,
        })
    }

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, Self::Error> {
        let right = self.rules.password.as_deref() == Some(password);
        Ok(if right { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(code) = self.rules.code.as_deref().filter(|_| self.key_held) else { return Ok(Auth::reject()) };
        let Some(mut answers) = response else {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: Cow::Borrowed(&[(Cow::Borrowed("One-time code: "), false)]),
            });
        };
        let right = answers.next().is_some_and(|answer| answer == code.as_bytes());
        Ok(if right { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        let mut sh = Command::new("sh");
        sh.args(["-c", &command]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let Ok(mut child) = sh.kill_on_drop(true).spawn() else { return session.channel_failure(id) };
        session.channel_success(id)?;
        if let Some(input) = child.stdin.take() {
            let (sender, receiver) = unbounded_channel();
            self.inputs.insert(id, sender);
            tokio::spawn(feed(input, receiver));
        }
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let handle = session.handle();
        tokio::spawn(async move {
            tokio::join!(pass(&handle, id, out, false), pass(&handle, id, err, true));
            if let Ok(status) = child.wait().await {
                tell(&handle, id, status).await;
            }
            let _ = handle.eof(id).await;
            let _ = handle.close(id).await;
        });
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn data(&mut self, id: ChannelId, data: &[u8], _: &mut Session) -> Result<(), Self::Error> {
        if let Some(input) = self.inputs.get(&id) {
            // A command that reads no more leaves the rest to nobody.
            let _ = input.send(data.to_vec());
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.inputs.remove(&id);
        Ok(())
    }
}

/// Passes what came from the client on to a command until either ends.
async fn feed(mut input: ChildStdin, mut blocks: UnboundedReceiver<Vec<u8>>) {
    while let Some(block) = blocks.recv().await {
        if input.write_all(&block).await.is_err() {
            break;
        }
    }
}

/// Passes one of a command's streams on until it ends.
async fn pass(handle: &Handle, id: ChannelId, stream: Option<impl AsyncRead + Unpin>, is_error: bool) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let data = buffer[..count].to_vec();
        let sent = if is_error { handle.extended_data(id, 1, data).await } else { handle.data(id, data).await };
        if sent.is_err() {
            break;
        }
    }
}

async fn tell(handle: &Handle, id: ChannelId, status: ExitStatus) {
    let _ = match (status.code(), status.signal()) {
        (Some(code), _) => handle.exit_status_request(id, u32::from(code.unsigned_abs() as u8)).await,
        (None, Some(15)) => handle.exit_signal_request(id, Sig::TERM, false, String::new(), String::new()).await,
        (None, _) => handle.exit_signal_request(id, Sig::KILL, false, String::new(), String::new()).await,
    };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Problem> {
    let words = Words::read(std::env::args().skip(1))?;
    let mut rules = Rules {
        password: words.first("password").map(str::to_owned),
        code: words.first("code").map(str::to_owned),
        ..Default::default()
    };
    for line in std::fs::read_to_string(words.need::<String>("authorized")?)?.lines() {
        rules.authorized.push(PublicKey::from_openssh(line)?);
    }
    let config = Arc::new(config(&words)?);
    let listener = TcpListener::bind(("127.0.0.1", words.need("port")?)).await?;
    House { rules: Arc::new(rules) }.run_on_socket(config, &listener).await?;
    Ok(())
}

/// Everything that both russh and Nacre know is on: the client picks.
fn config(words: &Words) -> Result<server::Config, Problem> {
    let all_kex = [
        kex::MLKEM768X25519_SHA256,
        kex::CURVE25519,
        kex::CURVE25519_PRE_RFC_8731,
        kex::ECDH_SHA2_NISTP256,
        kex::ECDH_SHA2_NISTP384,
        kex::ECDH_SHA2_NISTP521,
        kex::DH_G14_SHA256,
        kex::DH_G16_SHA512,
        kex::DH_G18_SHA512,
        kex::EXTENSION_SUPPORT_AS_SERVER,
        kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
    ];
    let ciphers = [
        cipher::AES_256_GCM,
        cipher::AES_128_GCM,
        cipher::CHACHA20_POLY1305,
        cipher::AES_256_CTR,
        cipher::AES_192_CTR,
        cipher::AES_128_CTR,
    ];
    let macs = [mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM, mac::HMAC_SHA256, mac::HMAC_SHA512];
    let mut config = server::Config {
        auth_rejection_time: Duration::ZERO,
        preferred: Preferred {
            kex: Cow::Owned(all_kex.to_vec()),
            cipher: Cow::Owned(ciphers.to_vec()),
            mac: Cow::Owned(macs.to_vec()),
            ..Preferred::DEFAULT
        },
        nodelay: true,
        ..Default::default()
    };
    for path in words.all("host-key") {
        config.keys.push(load_secret_key(path, None)?);
    }
    if words.first("rekey").is_some() {
        config.limits.rekey_write_limit = words.need("rekey")?;
        config.limits.rekey_read_limit = words.need("rekey")?;
    }
    Ok(config)
}
