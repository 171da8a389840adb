//! Which requests a client may make: the one gate that every request goes through (threat F5).

use super::refusal::Refusal;
use nacre_sftp::extended::{self, CheckedFile};
use nacre_sftp::request::{FXF_EXCL, FXF_READ};
use nacre_sftp::{Code, Extended, Extensions, Request};

/// Every request by the name that OpenSSH's `-p`, `-P` and `-Q requests` have for it (the last four are ours), and
/// whether it changes the disk.
const REQUESTS: [(&str, bool); 33] = [
    ("open", false),
    ("close", false),
    ("read", false),
    ("write", true),
    ("lstat", false),
    ("fstat", false),
    ("setstat", true),
    ("fsetstat", true),
    ("opendir", false),
    ("readdir", false),
    ("remove", true),
    ("mkdir", true),
    ("rmdir", true),
    ("realpath", false),
    ("stat", false),
    ("rename", true),
    ("readlink", false),
    ("symlink", true),
    ("posix-rename", true),
    ("statvfs", false),
    ("fstatvfs", false),
    ("hardlink", true),
    ("fsync", true),
    ("lsetstat", true),
    ("limits", false),
    ("expand-path", false),
    ("copy-data", true),
    ("home-directory", false),
    ("users-groups-by-id", false),
    ("check-file-handle", false),
    ("check-file-name", false),
    ("link-count", false),
    ("data-ranges", false),
];

/// The names of all requests.
pub fn request_names() -> impl Iterator<Item = &'static str> {
    REQUESTS.iter().map(|(name, _)| *name)
}

/// Whether a request goes by this name.
pub fn known_request(name: &str) -> bool {
    request_names().any(|known| known == name)
}

/// What a client may ask.
pub(super) struct Policy {
    read_only: bool,
    allowed: Option<Vec<String>>,
    denied: Vec<String>,
}

impl Policy {
    pub fn new(read_only: bool, allowed: Option<Vec<String>>, denied: Vec<String>) -> Self {
        Self { read_only, allowed, denied }
    }

    /// Whether the request may be answered. What no server knows is not refused here.
    pub fn judge(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let Some(name) = name_of(request) else { return Ok(()) };
        // An allow list of flags: whatever is not plainly reading may create, cut or write.
        let opens_to_write = matches!(request, Request::Open { flags, .. } if flags & !(FXF_READ | FXF_EXCL) != 0);
        let refused = (self.read_only && opens_to_write) || !self.permits(name);
        if refused { Err(Refusal::code(Code::PermissionDenied)) } else { Ok(()) }
    }

    fn permits(&self, name: &str) -> bool {
        let writes = REQUESTS.iter().any(|(known, writes)| *known == name && *writes);
        let listed = |list: &[String]| list.iter().any(|listed| listed == name);
        let closed = (self.read_only && writes) || listed(&self.denied);
        !closed && self.allowed.as_deref().is_none_or(listed)
    }

    /// Only what may be asked is announced.
    pub fn announced(&self) -> Extensions {
        Extensions::ours().only(|name| match str::from_utf8(name) {
            Ok(extended::CHECK_FILE) => {
                self.permits(extended::CHECK_FILE_HANDLE) || self.permits(extended::CHECK_FILE_NAME)
            }
            Ok(name) => self.permits(name.split('@').next().unwrap_or(name)),
            Err(_) => false,
        })
    }
}

/// The request's name in [`REQUESTS`].
pub(super) fn name_of(request: &Request<'_>) -> Option<&'static str> {
    Some(match request {
        Request::Open { .. } => "open",
        Request::Close { .. } => "close",
        Request::Read { .. } => "read",
        Request::Write { .. } => "write",
        Request::Lstat { .. } => "lstat",
        Request::Fstat { .. } => "fstat",
        Request::Setstat { .. } => "setstat",
        Request::Fsetstat { .. } => "fsetstat",
        Request::Opendir { .. } => "opendir",
        Request::Readdir { .. } => "readdir",
        Request::Remove { .. } => "remove",
        Request::Mkdir { .. } => "mkdir",
        Request::Rmdir { .. } => "rmdir",
        Request::Realpath { .. } => "realpath",
        Request::Stat { .. } => "stat",
        Request::Rename { .. } => "rename",
        Request::Readlink { .. } => "readlink",
        Request::Symlink { .. } => "symlink",
        Request::Extended(extended) => return extension_name(extended),
        Request::Unknown { .. } => return None,
    })
}

fn extension_name(request: &Extended<'_>) -> Option<&'static str> {
    Some(match request {
        Extended::PosixRename { .. } => "posix-rename",
        Extended::Statvfs { .. } => "statvfs",
        Extended::Fstatvfs { .. } => "fstatvfs",
        Extended::Hardlink { .. } => "hardlink",
        Extended::Fsync { .. } => "fsync",
        Extended::Lsetstat { .. } => "lsetstat",
        Extended::Limits => "limits",
        Extended::ExpandPath { .. } => "expand-path",
        Extended::CopyData { .. } => "copy-data",
        Extended::HomeDirectory { .. } => "home-directory",
        Extended::UsersGroupsById { .. } => "users-groups-by-id",
        Extended::CheckFile { file: CheckedFile::Handle(_), .. } => "check-file-handle",
        Extended::CheckFile { file: CheckedFile::Path(_), .. } => "check-file-name",
        Extended::LinkCount { .. } => "link-count",
        Extended::DataRanges { .. } => "data-ranges",
        Extended::Unknown { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn f05_all_that_is_announced_has_a_name_in_the_table() {
        let policy = Policy::new(false, Some(request_names().map(str::to_owned).collect()), Vec::new());
        assert_eq!(policy.announced(), Extensions::ours());
        let nothing = Policy::new(false, Some(Vec::new()), Vec::new());
        assert_eq!(nothing.announced().iter().count(), 0);
        let read_only = Policy::new(true, None, Vec::new());
        for name in ["posix-rename@openssh.com", "hardlink@openssh.com", "fsync@openssh.com", "copy-data"] {
            assert!(policy.announced().has(name) && !read_only.announced().has(name), "{name}");
        }
        assert!(read_only.announced().has("check-file"));
    }

    #[test]
    fn f05_every_flag_but_reading_opens_to_write() {
        let policy = Policy::new(true, None, Vec::new());
        let open = |flags| Request::Open { path: b"x", flags, attributes: nacre_sftp::Attributes::default() };
        for flags in 0..64 {
            assert_eq!(policy.judge(&open(flags)).is_ok(), flags & 0b01_1110 == 0, "{flags:#b}");
        }
        assert!(policy.judge(&open(FXF_READ | 0x40)).is_err(), "a flag of the future");
    }

    #[test]
    fn the_deny_list_wins_over_the_allow_list() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let policy = Policy::new(false, Some(list(&["stat", "read"])), list(&["read"]));
        assert!(policy.permits("stat"));
        assert!(!policy.permits("read") && !policy.permits("write"));
    }
}
