//! AuthorizedKeysCommand and AuthorizedPrincipalsCommand: programs that tell which keys may log in, and whom a certificate
//! must name. They run as accounts of their own, get a clean environment, and have little time and room (sshd_config(5)).

use super::auth_info::key_type;
use super::login::{Ends, Login};
use nacre_config::server::{CertificateQuestion, KeysQuestion};
use nacre_crypto::{Certificate, base64_encode, fingerprint_sha256};
use nacre_proto::certificate::plain_key;
use nacre_sys::account::{Account, Credentials};
use nacre_sys::readiness::wait_readable;
use nacre_sys::spawn::{self, Child, ChildStdio, ExitStatus, SpawnSpec};
use nacre_sys::{privileges, strict_modes};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the program may take. A login waits for it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most that is read of it, in bytes (threat A17).
const MAX_OUTPUT: usize = 1024 * 1024;
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// What the configured program says of a user's keys, as authorized_keys has it, and its name for messages; `None`
/// when there is no program, or it failed.
pub fn output(login: &Login, account: &Account, ends: Ends, blob: &[u8]) -> Option<(PathBuf, Vec<u8>)> {
    let words = ask(account, ends, blob, None, |question| login.options.keys_command(question));
    let user = login.options.authorized_keys_command_user.as_deref();
    told("AuthorizedKeysCommand", user, words)?.ok()
}

/// What the configured program says of whom a certificate must name, as authorized_principals has it, and its name for
/// messages; `None` when there is no program.
///
/// # Errors
/// It failed, and the log says how.
pub fn principals(
    login: &Login,
    account: &Account,
    ends: Ends,
    certificate: &Certificate,
) -> Result<Option<(PathBuf, Vec<u8>)>, Failed> {
    let ca = certificate.ca().blob();
    let (id, ca_type, ca_key, ca_fingerprint) =
        (certificate.key_id(), key_type(ca), base64_encode(ca), fingerprint_sha256(ca));
    let more = CertificateQuestion {
        id: &id,
        serial: certificate.serial(),
        ca_type: &ca_type,
        ca_key: &ca_key,
        ca_fingerprint: &ca_fingerprint,
    };
    let words =
        ask(account, ends, certificate.blob(), Some(more), |question| login.options.principals_command(question));
    let user = login.options.authorized_principals_command_user.as_deref();
    told("AuthorizedPrincipalsCommand", user, words).transpose()
}

/// A program failed; the log says how.
#[derive(Debug)]
pub struct Failed;

/// The program's words for a login, from who fills them in; `None` when there is no program.
fn ask(
    account: &Account,
    ends: Ends,
    blob: &[u8],
    certificate: Option<CertificateQuestion<'_>>,
    fill_in: impl FnOnce(&KeysQuestion<'_>) -> Result<Option<Vec<String>>, String>,
) -> Result<Option<Vec<String>>, String> {
    let question = KeysQuestion {
        user: &account.name,
        uid: account.uid,
        home: account.home.to_str().ok_or("the home folder is not UTF-8")?,
        key_type: &key_type(blob),
        key: &base64_encode(blob),
        fingerprint: &fingerprint_sha256(&plain_key(blob)),
        peer: ends.peer,
        local: ends.local,
        certificate,
    };
    fill_in(&question)
}

/// Runs the program and gives its name and what it wrote; `None` when there is none.
fn told(
    keyword: &str,
    user: Option<&str>,
    words: Result<Option<Vec<String>>, String>,
) -> Option<Result<(PathBuf, Vec<u8>), Failed>> {
    let words = match words {
        Ok(words) => words?,
        Err(why) => {
            tracing::error!("{keyword}: {why}");
            return Some(Err(Failed));
        }
    };
    let [program, args @ ..] = words.as_slice() else { return None };
    let program = PathBuf::from(program);
    Some(run(keyword, user, &program, args).map(|bytes| (program.clone(), bytes)).map_err(|error| {
        tracing::error!("{keyword} {}: {error}", program.display());
        Failed
    }))
}

fn run(keyword: &str, user: Option<&str>, program: &Path, args: &[String]) -> io::Result<Vec<u8>> {
    let user = user.ok_or_else(|| io::Error::other(format!("there is no {keyword}User to run it")))?;
    let account = Account::by_name(user)?
        .ok_or_else(|| io::Error::other(format!("{keyword}User {user}: there is no such account")))?;
    check_program(program)?;
    let deadline = Instant::now() + TIMEOUT;
    let (child, output) = start(&account, program, args)?;
    let result = read(output, deadline).and_then(|bytes| ended(&child, deadline).map(|()| bytes));
    if result.is_err() {
        let _ = child.kill_group();
        let _ = child.wait();
    }
    result
}

/// The program decides who gets in, so nobody but root may have written it, or may put another in its place.
fn check_program(program: &Path) -> io::Result<()> {
    let file = File::open(program)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    strict_modes::check_open_file(&file, program, Path::new("/"), 0)?.map_err(io::Error::other)
}

fn start(account: &Account, program: &Path, args: &[String]) -> io::Result<(Child, OwnedFd)> {
    let own = privileges::effective_uid() == account.uid;
    let output = spawn::pipe_from_child()?;
    let env = [
        ("PATH", PATH.into()),
        ("USER", account.name.clone().into()),
        ("LOGNAME", account.name.clone().into()),
        ("HOME", account.home.clone().into_os_string()),
    ];
    let credentials: Option<Credentials> = if own { None } else { Some(account.credentials()?) };
    let child = spawn::spawn(SpawnSpec {
        program: program.to_owned(),
        arg0: program.as_os_str().to_owned(),
        args: args.iter().map(Into::into).collect(),
        env: env.map(|(name, value)| (name.into(), value)).to_vec(),
        cwd: "/".into(),
        stdio: ChildStdio::Fds { stdin: null(false)?, stdout: output.child, stderr: null(true)? },
        credentials,
        umask: None,
    })?;
    Ok((child, output.parent))
}

fn null(write: bool) -> io::Result<OwnedFd> {
    OpenOptions::new().read(!write).write(write).open("/dev/null").map(OwnedFd::from)
}

/// Everything the program writes, until it closes its output.
fn read(output: OwnedFd, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut output = File::from(output);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        wait(&output, deadline)?;
        match output.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(n) => bytes.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        if bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other(format!("it wrote more than {MAX_OUTPUT} bytes")));
        }
    }
}

/// A program that failed may have told only a part, and with it fewer limits than it meant.
fn ended(child: &Child, deadline: Instant) -> io::Result<()> {
    wait(child, deadline)?;
    match child.wait()? {
        ExitStatus::Exited(0) => Ok(()),
        ExitStatus::Exited(code) => Err(io::Error::other(format!("it ended with exit status {code}"))),
        ExitStatus::Signaled { signal, .. } => Err(io::Error::other(format!("signal {signal} ended it"))),
    }
}

fn wait(what: &impl AsFd, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    if !left.is_zero() && wait_readable(&[what.as_fd()], Some(left))? == [true] {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, format!("it takes more than {} s", TIMEOUT.as_secs())))
}
