//! The files that say which key belongs to which host: read, and appended to.

use super::known_hosts_command;
use super::log::Log;
use crate::atomic::{self, Existing};
use nacre_config::client::ClientOptions;
use nacre_config::known_hosts::{KnownHosts, Verdict, new_line, record_name};
use nacre_config::origin::Origin;
use nacre_crypto::{PublicKey, hmac_sha1};
use nacre_proto::algorithm::SignatureAlgorithm;
use rustix::fs::{FlockOperation, OFlags, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The largest record file read, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// How often the file may be replaced by others while we wait for its lock.
const MAX_TRIES: u32 = 16;
/// What stands for a file's name in messages about lines of a program.
const KNOWN_HOSTS_COMMAND: &str = "KnownHostsCommand";

/// What is on record, and under which name the host is looked for.
pub struct Records {
    known: KnownHosts,
    /// What KnownHostsCommand told before there was a key: which types to ask the host for.
    order: KnownHosts,
    /// The files of the user.
    user_files: Vec<String>,
    /// The name without port, as typed or as `HostKeyAlias` has it.
    pub name: String,
    /// The port, 22 when an alias stands for name and port.
    pub port: u16,
}

impl Records {
    /// Reads the user's files and the machine's. A missing file is as good as empty.
    ///
    /// # Errors
    /// A file is there and cannot be read. Going on would make a changed or revoked key look new
    /// (threat H2), so this ends the connection; the text is the line to show.
    pub fn load(options: &ClientOptions, log: &Log) -> Result<Self, String> {
        let (name, port) = match &options.host_key_alias {
            Some(alias) => (alias.clone(), 22),
            None => (options.host_name.clone(), options.port),
        };
        let mut records =
            Self { known: KnownHosts::default(), order: KnownHosts::default(), user_files: Vec::new(), name, port };
        for path in &options.user_known_hosts_files {
            records.add(path)?;
            records.user_files.push(path.clone());
        }
        for path in &options.global_known_hosts_files {
            records.add(path)?;
        }
        // A list of one's own is asked for as it stands, so there is nothing to put in order.
        if let Some(command) = options.known_hosts_command.as_ref().filter(|_| !options.host_key_algorithms_set) {
            let told = known_hosts_command::run(command, &records.name, None)?;
            records.order.add(KNOWN_HOSTS_COMMAND, &told);
        }
        for warning in &records.known.warnings {
            log.debug(|| warning.to_string());
        }
        Ok(records)
    }

    fn add(&mut self, path: &str) -> Result<(), String> {
        match read(Path::new(path)) {
            Ok(content) => self.known.add(path, &content),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => {
                return Err(format!("{path}: {}: host keys cannot be checked", super::connect::plain(&error)));
            }
        }
        Ok(())
    }

    /// Adds what KnownHostsCommand tells of a key that the host shows.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn ask_command(&mut self, options: &ClientOptions, key: &PublicKey) -> Result<(), String> {
        let Some(command) = &options.known_hosts_command else { return Ok(()) };
        let told = known_hosts_command::run(command, &self.recorded_name(), Some(key))?;
        self.known.add(KNOWN_HOSTS_COMMAND, &told);
        Ok(())
    }

    /// What is on record about a key.
    pub fn verdict(&self, blob: &[u8]) -> Verdict {
        self.known.lookup_for_connection(&self.name, self.port, blob, hmac_sha1)
    }

    /// What is on record about a key under the host's address.
    pub fn verdict_of_address(&self, address: &str, blob: &[u8]) -> Verdict {
        self.known.lookup(address, self.port, blob, hmac_sha1)
    }

    /// The key types on record for the host; certificates are among them when a CA is trusted for it.
    pub fn key_types(&self) -> Vec<String> {
        let mut types = self.plain_key_types();
        if [&self.known, &self.order].iter().any(|known| known.has_authority(&self.name, self.port, hmac_sha1)) {
            types.extend(SignatureAlgorithm::CERTIFICATES.iter().map(|algorithm| algorithm.key_type().to_owned()));
        }
        types
    }

    /// The types of plain keys on record for the host.
    pub fn plain_key_types(&self) -> Vec<String> {
        let mut types = self.known.key_types(&self.name, self.port, hmac_sha1);
        types.extend(self.order.key_types(&self.name, self.port, hmac_sha1));
        types
    }

    /// The line that trusts this key as a CA for the host.
    pub fn authority(&self, ca: &[u8]) -> Option<Origin> {
        self.known.authority(&self.name, self.port, ca, hmac_sha1)
    }

    /// The type of the key on a line.
    pub fn key_type_at(&self, origin: &Origin) -> Option<&str> {
        self.known.entries.iter().find(|entry| entry.origin == *origin).map(|entry| entry.key_type.as_str())
    }

    /// Other names under which this key is on record, each with its place; hashed ones as they stand.
    pub fn other_names(&self, blob: &[u8]) -> Vec<String> {
        let same = self.known.entries.iter().filter(|entry| entry.blob == blob);
        same.map(|entry| format!("{}: {}", entry.origin.place(), shown(&entry.hosts))).collect()
    }

    /// Whether the line stands in a file of the user.
    pub fn is_users(&self, origin: &Origin) -> bool {
        self.user_files.iter().any(|file| *file == origin.file())
    }

    /// The name as recorded, `[host]:port` unless the port is 22.
    pub fn recorded_name(&self) -> String {
        record_name(&self.name, self.port)
    }
}

fn shown(hosts: &nacre_config::known_hosts::Hosts) -> String {
    match hosts {
        nacre_config::known_hosts::Hosts::Plain(list) => nacre_wire::text::clean_line(list.as_bytes(), 200),
        nacre_config::known_hosts::Hosts::Hashed(_) => "[hashed name]".to_owned(),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut content)?;
    match content.len() as u64 > MAX_FILE {
        true => Err(ErrorKind::FileTooLarge.into()),
        false => Ok(content),
    }
}

/// Lines for keys of a host: one a key and name when names are hashed, else one a key.
///
/// # Errors
/// The system has no randomness for the salts.
pub fn lines(names: &[String], keys: &[(&str, &[u8])], hashed: bool) -> io::Result<String> {
    let mut out = String::new();
    for (key_type, blob) in keys {
        if !hashed {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            out.push_str(&new_line(&names, key_type, blob, None));
            continue;
        }
        for name in names {
            let salt = nacre_crypto::random_bytes::<20>().map_err(io::Error::other)?;
            out.push_str(&new_line(&[name], key_type, blob, Some((&salt, hmac_sha1))));
        }
    }
    Ok(out)
}

/// Appends whole lines under a lock (threat H5). A missing file is made with mode 0600, a missing
/// folder `~/.ssh` with mode 0700.
///
/// # Errors
/// The file cannot be opened safely, locked or written.
pub fn append(path: &Path, lines: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| folder.ends_with(".ssh") && !folder.exists()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = locked(path)?;
    let end = file.seek(SeekFrom::End(0))?;
    let mut text = String::new();
    let mut last = [b'\n'];
    // A last line without its end must not grow into the new one.
    if end > 0 && file.read_at(&mut last, end - 1)? == 1 && last != *b"\n" {
        text.push('\n');
    }
    text.push_str(lines);
    file.write_all(text.as_bytes())
}

/// A file's content; a missing one is as good as empty.
///
/// # Errors
/// It is there and cannot be read, or is too large.
pub fn content(path: &Path) -> io::Result<Vec<u8>> {
    match read(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
        other => other,
    }
}

/// Changes a whole file under its lock: others see the old one or the new one, never a part. It keeps its mode; a
/// link is followed only where [`append`] would follow it. Nothing is written when nothing changes.
///
/// # Errors
/// The file cannot be locked, read or replaced, or it is another user's, whom a new file would not belong to.
pub fn rewrite(path: &Path, change: impl FnOnce(&[u8]) -> Vec<u8>) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let file = locked(path)?;
    let metadata = file.metadata()?;
    let old = read(path)?;
    let new = change(&old);
    if new == old {
        return Ok(());
    }
    if metadata.uid() != nacre_sys::privileges::effective_uid() {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    let target = fs::canonicalize(path)?;
    atomic::write(&target, &new, metadata.mode() & 0o777, Existing::Replace)
}

/// Opens for appending and locks the file that has the name now: while we wait for the lock, another
/// program may put a new file in its place.
fn locked(path: &Path) -> io::Result<File> {
    for _ in 0..MAX_TRIES {
        let file = open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        let (ours, there) = (file.metadata()?, fs::metadata(path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
    Err(io::Error::new(ErrorKind::ResourceBusy, "other programs keep replacing it"))
}

/// Opens without following a link at the end of the path (threat K2). A link that only this user or
/// root can have put there, as people have who keep their settings elsewhere, is resolved first.
fn open(path: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    let open = |path: &Path| {
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).custom_flags(no_follow).open(path)
    };
    match open(path) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => open(&resolved(path)?),
        other => other,
    }
}

fn resolved(link: &Path) -> io::Result<PathBuf> {
    let trusted = [0, nacre_sys::privileges::effective_uid()];
    let folder = link.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder_is_ours = trusted.contains(&fs::metadata(folder)?.uid()) && fs::metadata(folder)?.mode() & 0o022 == 0;
    if !folder_is_ours || !trusted.contains(&fs::symlink_metadata(link)?.uid()) {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it is a link that others could have made"));
    }
    fs::canonicalize(link)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("nacre-records-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn k02_the_file_is_made_for_its_owner_alone() {
        let folder = folder("made");
        let path = folder.join(".ssh/known_hosts");
        append(&path, "a x y\n").unwrap();
        append(&path, "b x y\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a x y\nb x y\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o7777, 0o700);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn h05_a_last_line_without_its_end_stays_whole() {
        let folder = folder("end");
        let path = folder.join("known_hosts");
        fs::write(&path, "a x y").unwrap();
        append(&path, "b x y\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a x y\nb x y\n");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn h05_lines_of_many_writers_stay_whole() {
        let folder = folder("many");
        let path = folder.join("known_hosts");
        let line = |n: usize| format!("{} x y\n", char::from(b'a' + u8::try_from(n).unwrap()).to_string().repeat(3000));
        std::thread::scope(|scope| {
            for n in 0..8 {
                let path = &path;
                scope.spawn(move || append(path, &line(n)).unwrap());
            }
        });
        let mut found: Vec<String> =
            fs::read_to_string(&path).unwrap().lines().map(|found| format!("{found}\n")).collect();
        found.sort();
        assert_eq!(found, (0..8).map(line).collect::<Vec<_>>());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn k02_a_link_in_a_folder_open_to_others_is_not_followed() {
        let folder = folder("link");
        let (target, path) = (folder.join("target"), folder.join("known_hosts"));
        fs::write(&target, "").unwrap();
        symlink(&target, &path).unwrap();
        append(&path, "a x y\n").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "a x y\n", "the user's own link is followed");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(append(&path, "b x y\n").unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(fs::read_to_string(&target).unwrap(), "a x y\n");
        fs::remove_dir_all(&folder).unwrap();
    }
}
