//! The system's records of who is and was logged in: utmp and wtmp (utmp(5)), lastlog (lastlog(8)) and the audit login id.

use std::ffi::{CString, c_char};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::mem::offset_of;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::error::Doing;

/// A login on a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The account's name; cut to 32 bytes in the records.
    pub user: String,
    /// The terminal without `/dev/`: `pts/3`; cut to 32 bytes.
    pub line: String,
    /// Where the user comes from, a name or an address; cut to 256 bytes. An address is also recorded as such.
    pub host: String,
    /// The process that leads the session.
    pub pid: i32,
    /// When it began, or ended. Recorded in seconds (lastlog) and microseconds.
    pub time: SystemTime,
}

/// An account's previous login, from lastlog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastLogin {
    /// When, to the second.
    pub time: SystemTime,
    /// The terminal without `/dev/`; control characters are `?`.
    pub line: String,
    /// Where from; may be empty; control characters are `?`.
    pub host: String,
}

/// Where the records are. A file that does not exist is not kept on this system: nothing is written and that is no error.
#[derive(Clone, Debug)]
pub struct Records {
    /// Who is logged in.
    pub utmp: PathBuf,
    /// Who was, appended to.
    pub wtmp: PathBuf,
    /// Each account's last login, by user id.
    pub lastlog: PathBuf,
    /// The audit system's name for this process's user.
    pub loginuid: PathBuf,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            utmp: "/var/run/utmp".into(),
            wtmp: "/var/log/wtmp".into(),
            lastlog: "/var/log/lastlog".into(),
            loginuid: "/proc/self/loginuid".into(),
        }
    }
}

/// The C library keeps one current utmp file and one position in it for the whole process.
static UTMP: Mutex<()> = Mutex::new(());

/// One `struct lastlog`: the time, the terminal, the host. The C library's time here is 32 bits wide where 32-bit programs
/// share the file.
const LASTLOG_TIME: usize = if cfg!(target_arch = "aarch64") { 8 } else { 4 };
const LASTLOG_LINE: usize = 32;
const LASTLOG_HOST: usize = 256;
const LASTLOG_BYTES: usize = LASTLOG_TIME + LASTLOG_LINE + LASTLOG_HOST;

impl Records {
    /// Records a login in utmp and wtmp. Both are tried.
    ///
    /// # Errors
    /// The first errno of open or write, naming the file.
    pub fn login(&self, login: &Login) -> io::Result<()> {
        self.enter(&entry(login, libc::USER_PROCESS, &login.user, &login.host))
    }

    /// Records the end of a login; `time` says when. Both files are tried.
    ///
    /// # Errors
    /// As [`Records::login`].
    pub fn logout(&self, login: &Login) -> io::Result<()> {
        self.enter(&entry(login, libc::DEAD_PROCESS, "", ""))
    }

    fn enter(&self, entry: &libc::utmpx) -> io::Result<()> {
        let utmp = put_utmp(&self.utmp, entry).doing(|| format!("record in {}", self.utmp.display()));
        let wtmp = append(&self.wtmp, entry).doing(|| format!("record in {}", self.wtmp.display()));
        utmp.and(wtmp)
    }

    /// The account's last login on record, if there is one.
    ///
    /// # Errors
    /// The errno of open or read.
    pub fn last_login(&self, uid: u32) -> io::Result<Option<LastLogin>> {
        let doing = || format!("read {}", self.lastlog.display());
        let Some(file) = existing(OpenOptions::new().read(true), &self.lastlog).doing(doing)? else { return Ok(None) };
        let mut record = [0_u8; LASTLOG_BYTES];
        match file.read_exact_at(&mut record, position(uid)) {
            Ok(()) => Ok(decode_lastlog(&record)),
            // The file ends before this account's place: it never logged in.
            Err(err) if err.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(err) => Err(err).doing(doing),
        }
    }

    /// Puts `login` in the place of the account's last one, which [`Records::last_login`] tells before.
    ///
    /// # Errors
    /// The errno of open or write.
    pub fn set_last_login(&self, uid: u32, login: &Login) -> io::Result<()> {
        let doing = || format!("record in {}", self.lastlog.display());
        let file = existing(OpenOptions::new().write(true), &self.lastlog).doing(doing)?;
        file.map_or(Ok(()), |file| file.write_all_at(&encode_lastlog(login), position(uid))).doing(doing)
    }

    /// Tells the audit system that this process and what it starts works for `uid`. It cannot be undone without CAP_AUDIT_CONTROL.
    ///
    /// # Errors
    /// EPERM when it is set already and may not be changed (also in some containers), or the errno of open.
    pub fn set_loginuid(&self, uid: u32) -> io::Result<()> {
        let doing = || format!("set the login id in {}", self.loginuid.display());
        let file = existing(OpenOptions::new().write(true), &self.loginuid).doing(doing)?;
        file.map_or(Ok(()), |mut file| file.write_all(uid.to_string().as_bytes())).doing(doing)
    }
}

fn existing(how: &OpenOptions, path: &Path) -> io::Result<Option<std::fs::File>> {
    match how.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn entry(login: &Login, kind: libc::c_short, user: &str, host: &str) -> libc::utmpx {
    // SAFETY: integers and arrays of them, for which zero is a value.
    let mut entry: libc::utmpx = unsafe { std::mem::zeroed() };
    entry.ut_type = kind;
    entry.ut_pid = login.pid;
    fill(&mut entry.ut_line, &login.line);
    fill(&mut entry.ut_id, id_of_line(&login.line));
    fill(&mut entry.ut_user, user);
    fill(&mut entry.ut_host, host);
    if let Ok(address) = host.parse::<IpAddr>() {
        entry.ut_addr_v6 = address_words(address);
    }
    let time = since_epoch(login.time);
    // The field is 32 bits wide on some architectures; a date past it is shown as its last.
    entry.ut_tv.tv_sec = time.as_secs().min(i32::MAX.unsigned_abs().into()).try_into().unwrap_or_default();
    entry.ut_tv.tv_usec = time.subsec_micros().try_into().unwrap_or_default();
    entry
}

/// The last four characters name a terminal uniquely: `pts/3` and `s/12` for `pts/12`; the convention others follow.
fn id_of_line(line: &str) -> &str {
    let short = line.strip_prefix("tty").unwrap_or(line);
    short.len().checked_sub(4).and_then(|start| short.get(start..)).unwrap_or(short)
}

fn fill(field: &mut [c_char], text: &str) {
    for (place, byte) in field.iter_mut().zip(text.bytes()) {
        *place = c_char::from_ne_bytes([printable(byte)]);
    }
}

/// Programs print these fields as they are.
fn printable(byte: u8) -> u8 {
    if byte.is_ascii_control() { b'?' } else { byte }
}

/// In network order, an IPv4 address in the first word alone.
fn address_words(address: IpAddr) -> [i32; 4] {
    let mut words = [0; 4];
    let bytes = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    for (word, four) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = i32::from_ne_bytes(four.try_into().unwrap_or_default());
    }
    words
}

fn put_utmp(path: &Path, entry: &libc::utmpx) -> io::Result<()> {
    // pututxline would not say so plainly.
    if existing(OpenOptions::new().read(true).write(true), path)?.is_none() {
        return Ok(());
    }
    let path = CString::new(path.as_os_str().as_bytes())?;
    let _alone = UTMP.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: a NUL-terminated path, which the C library copies; nobody else is in it (the lock).
    if unsafe { libc::utmpxname(path.as_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: rewinds the file; nobody else is in it (the lock).
    unsafe { libc::setutxent() };
    // SAFETY: reads one live entry; nobody else is in the file (the lock).
    let result = if unsafe { libc::pututxline(entry) }.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) };
    // SAFETY: closes the file; nobody else is in it (the lock).
    unsafe { libc::endutxent() };
    result
}

/// One write at the end, so that entries of several processes do not mix.
fn append(path: &Path, entry: &libc::utmpx) -> io::Result<()> {
    let Some(mut file) = existing(OpenOptions::new().append(true), path)? else { return Ok(()) };
    let bytes = bytes_of(entry);
    let before = file.metadata()?.len();
    match file.write(&bytes)? {
        written if written == bytes.len() => Ok(()),
        _ => {
            // Half an entry would shift all that follow.
            file.set_len(before)?;
            Err(io::ErrorKind::StorageFull.into())
        }
    }
}

/// The entry as the file has it. Field by field, because what is between them has no value in Rust.
fn bytes_of(entry: &libc::utmpx) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<libc::utmpx>()];
    let mut put = |offset: usize, field: &[u8]| {
        for (place, byte) in bytes.iter_mut().skip(offset).zip(field) {
            *place = *byte;
        }
    };
    let time = offset_of!(libc::utmpx, ut_tv);
    put(offset_of!(libc::utmpx, ut_type), &entry.ut_type.to_ne_bytes());
    put(offset_of!(libc::utmpx, ut_pid), &entry.ut_pid.to_ne_bytes());
    put(offset_of!(libc::utmpx, ut_line), &entry.ut_line.map(|c| c.to_ne_bytes()).concat());
    put(offset_of!(libc::utmpx, ut_id), &entry.ut_id.map(|c| c.to_ne_bytes()).concat());
    put(offset_of!(libc::utmpx, ut_user), &entry.ut_user.map(|c| c.to_ne_bytes()).concat());
    put(offset_of!(libc::utmpx, ut_host), &entry.ut_host.map(|c| c.to_ne_bytes()).concat());
    put(time, &entry.ut_tv.tv_sec.to_ne_bytes());
    put(time.saturating_add(size_of_val(&entry.ut_tv.tv_sec)), &entry.ut_tv.tv_usec.to_ne_bytes());
    put(offset_of!(libc::utmpx, ut_addr_v6), &entry.ut_addr_v6.map(i32::to_ne_bytes).concat());
    bytes
}

fn position(uid: u32) -> u64 {
    u64::from(uid).saturating_mul(LASTLOG_BYTES as u64)
}

fn encode_lastlog(login: &Login) -> Vec<u8> {
    let seconds = since_epoch(login.time).as_secs().min(i32::MAX.unsigned_abs().into());
    let low = u32::try_from(seconds).unwrap_or_default();
    let mut record = if LASTLOG_TIME == 8 { u64::from(low).to_ne_bytes().to_vec() } else { low.to_ne_bytes().to_vec() };
    for (text, length) in [(&login.line, LASTLOG_LINE), (&login.host, LASTLOG_HOST)] {
        let end = record.len().saturating_add(length);
        record.extend(text.bytes().take(length).map(printable));
        record.resize(end, 0);
    }
    record
}

/// `None` for a place never written (time 0).
fn decode_lastlog(record: &[u8; LASTLOG_BYTES]) -> Option<LastLogin> {
    let (time, rest) = record.split_at_checked(LASTLOG_TIME)?;
    let (line, host) = rest.split_at_checked(LASTLOG_LINE)?;
    let seconds = match time.len() {
        8 => u64::from_ne_bytes(time.try_into().ok()?),
        _ => u32::from_ne_bytes(time.try_into().ok()?).into(),
    };
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    (seconds != 0).then(|| LastLogin { time, line: text(line), host: text(host) })
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let clean: Vec<u8> = field.iter().take(end).copied().map(printable).collect();
    String::from_utf8_lossy(&clean).into_owned()
}
