//! Reading users' files with users' rights, and who else could have written them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nacre_sys::account::Account;
use nacre_sys::user_files::{read_file_as, with_rights_of};
use support::root_or_say_so;
use tempfile::TempDir;

const NOBODY: u32 = 65534;

/// A home directory under / that only its user and root can write, which /tmp is not.
struct Home {
    _dir: TempDir,
    account: Account,
}

impl Home {
    fn of_nobody() -> Self {
        Self::new(Account::by_uid(NOBODY).unwrap().expect("account nobody"))
    }

    fn new(mut account: Account) -> Self {
        let parent = Path::new(if nacre_sys::privileges::is_root() { "/var" } else { "/tmp" });
        let dir = tempfile::Builder::new().prefix("nacre-home").tempdir_in(parent).unwrap();
        account.home = dir.path().to_path_buf();
        own(dir.path(), account.uid, 0o755);
        std::fs::create_dir(dir.path().join(".ssh")).unwrap();
        own(&dir.path().join(".ssh"), account.uid, 0o700);
        Self { _dir: dir, account }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.account.home.join(name)
    }

    fn file(&self, name: &str, owner: u32, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, "ssh-ed25519 AAAA\n").unwrap();
        own(&path, owner, mode);
        path
    }
}

fn own(path: &Path, uid: u32, mode: u32) {
    if nacre_sys::privileges::is_root() {
        chown(path, Some(uid), Some(uid)).unwrap();
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn verdict(home: &Home, path: &Path) -> Result<(), PathBuf> {
    let read = read_file_as(&home.account, path, 1 << 20).unwrap();
    assert_eq!(read.bytes, b"ssh-ed25519 AAAA\n");
    read.strict_modes.map_err(|bad| {
        assert!(bad.to_string().contains(&bad.path.display().to_string()));
        bad.path
    })
}

#[test]
fn a17_private_file_is_read_and_passes_strict_modes() {
    if !root_or_say_so("a17_private_file_is_read_and_passes_strict_modes") {
        return;
    }
    let home = Home::of_nobody();
    for mode in [0o600, 0o644, 0o400] {
        assert_eq!(verdict(&home, &home.file(".ssh/authorized_keys", NOBODY, mode)), Ok(()), "{mode:o}");
    }
    assert_eq!(verdict(&home, &home.file(".ssh/of_root", 0, 0o644)), Ok(()));
}

#[test]
fn a17_writable_or_foreign_file_fails_strict_modes() {
    if !root_or_say_so("a17_writable_or_foreign_file_fails_strict_modes") {
        return;
    }
    let home = Home::of_nobody();
    for mode in [0o666, 0o660, 0o620, 0o602] {
        let path = home.file(".ssh/authorized_keys", NOBODY, mode);
        assert_eq!(verdict(&home, &path), Err(path), "{mode:o}");
    }
    let path = home.file(".ssh/other_owner", 1, 0o644);
    assert_eq!(verdict(&home, &path), Err(path));
}

#[test]
fn a17_writable_directory_fails_strict_modes_up_to_home() {
    if !root_or_say_so("a17_writable_directory_fails_strict_modes_up_to_home") {
        return;
    }
    let home = Home::of_nobody();
    let path = home.file(".ssh/authorized_keys", NOBODY, 0o600);
    own(&home.path(".ssh"), NOBODY, 0o775);
    assert_eq!(verdict(&home, &path), Err(home.path(".ssh")));
    own(&home.path(".ssh"), NOBODY, 0o700);
    own(&home.account.home, NOBODY, 0o777);
    assert_eq!(verdict(&home, &path), Err(home.account.home.clone()));
    // What is above the home directory is not the user's business.
    own(&home.account.home, NOBODY, 0o755);
    let mut inner = Home { _dir: home._dir, account: home.account };
    inner.account.home = inner.path(".ssh");
    own(inner.account.home.parent().unwrap(), NOBODY, 0o777);
    assert_eq!(verdict(&inner, &path), Ok(()));
}

#[test]
fn a17_file_outside_home_is_checked_up_to_the_root() {
    if !root_or_say_so("a17_file_outside_home_is_checked_up_to_the_root") {
        return;
    }
    let home = Home::of_nobody();
    let shared = tempfile::tempdir_in("/tmp").unwrap();
    own(shared.path(), NOBODY, 0o755);
    let path = shared.path().join("keys");
    std::fs::write(&path, "ssh-ed25519 AAAA\n").unwrap();
    own(&path, NOBODY, 0o600);
    // /tmp is writable by all, sticky or not.
    assert_eq!(verdict(&home, &path), Err("/tmp".into()));
}

#[test]
fn a17_link_is_followed_as_the_user_and_judged_by_its_target() {
    if !root_or_say_so("a17_link_is_followed_as_the_user_and_judged_by_its_target") {
        return;
    }
    let home = Home::of_nobody();
    let secret = home.file("secret_of_root", 0, 0o600);
    let link = home.path(".ssh/authorized_keys");
    symlink(&secret, &link).unwrap();
    let err = read_file_as(&home.account, &link, 1 << 20).unwrap_err();
    assert_eq!(err.kind(), ErrorKind::PermissionDenied, "root's rights were used: {err}");
    std::fs::remove_file(&link).unwrap();
    symlink("/etc/shadow", &link).unwrap();
    assert_eq!(read_file_as(&home.account, &link, 1 << 20).unwrap_err().kind(), ErrorKind::PermissionDenied);
    std::fs::remove_file(&link).unwrap();
    let open = home.file("writable", NOBODY, 0o666);
    symlink(&open, &link).unwrap();
    assert_eq!(verdict(&home, &link), Err(open));
}

#[test]
fn a17_fifo_device_socket_and_directory_are_refused_without_waiting() {
    let account =
        if nacre_sys::privileges::is_root() { Home::of_nobody() } else { Home::new(Account::current().unwrap()) };
    let (home, owner) = (&account, account.account.uid);
    let fifo = home.path(".ssh/fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    own(&fifo, owner, 0o600);
    let socket = home.path(".ssh/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    own(&socket, owner, 0o600);
    let start = Instant::now();
    for path in [fifo, socket, "/dev/null".into(), "/dev/zero".into(), home.path(".ssh")] {
        let err = read_file_as(&home.account, &path, 1 << 20).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::InvalidInput, "{}: {err}", path.display());
    }
    assert!(start.elapsed().as_secs() < 60);
}

#[test]
fn a17_size_is_bounded() {
    let home = Home::new(Account::current().unwrap());
    let path = home.path("big");
    std::fs::write(&path, vec![b'a'; 4096]).unwrap();
    assert_eq!(read_file_as(&home.account, &path, 4096).unwrap().bytes.len(), 4096);
    assert_eq!(read_file_as(&home.account, &path, 4095).unwrap_err().kind(), ErrorKind::FileTooLarge);
    assert_eq!(read_file_as(&home.account, Path::new("/proc/kmsg-none"), 1).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a18_rights_are_the_users_and_other_threads_keep_theirs() {
    if !root_or_say_so("a18_rights_are_the_users_and_other_threads_keep_theirs") {
        return;
    }
    let account = Account::by_uid(NOBODY).unwrap().unwrap();
    let credentials = nacre_sys::account::Credentials { groups: vec![100], ..account.credentials().unwrap() };
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    own(dir.path(), NOBODY, 0o700);
    let status = with_rights_of(&credentials, || {
        assert!(std::fs::read("/etc/shadow").is_err());
        std::fs::write(dir.path().join("made"), "")?;
        std::fs::read_to_string("/proc/thread-self/status")
    })
    .unwrap();
    let field = |status: &str, name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_owned())).unwrap()
    };
    assert_eq!(field(&status, "Groups:"), "100");
    assert!(field(&status, "Uid:").ends_with("65534") && field(&status, "Gid:").ends_with("65534"));
    assert_eq!(std::fs::metadata(dir.path().join("made")).unwrap().uid(), NOBODY);
    let ours = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    assert_eq!(field(&ours, "Uid:"), "0\t0\t0\t0");
    assert!(std::fs::read("/etc/shadow").is_ok());
}

#[test]
fn panicking_work_is_an_error() {
    if !root_or_say_so("panicking_work_is_an_error") {
        return;
    }
    let credentials = Account::by_uid(NOBODY).unwrap().unwrap().credentials().unwrap();
    let result: std::io::Result<()> = with_rights_of(&credentials, || panic!("on purpose"));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Other);
}
