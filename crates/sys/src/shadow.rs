//! The shadow entry of an account: its hash and the dates after which it, or its password, is no longer good (shadow(5)).

use std::ffi::{CStr, CString};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use crate::error::{Doing, refused};

const FIRST_BUFFER: usize = 1024;
const LARGEST_BUFFER: usize = 1 << 20;
const SECONDS_PER_DAY: u64 = 86_400;

/// One shadow entry. Dates are days since 1970-01-01, spans are days; `None` where the field is empty.
#[derive(Clone)]
pub struct Shadow {
    /// The password field: a crypt(5) hash, or `*`, `!...` and the like. For [`crate::password::Verifier`] only.
    pub hash: Zeroizing<String>,
    /// Day of the last password change; 0 asks for a change at the next login.
    pub last_change: Option<i64>,
    /// Days after which the password must be changed.
    pub max_age: Option<i64>,
    /// Days before that on which to warn.
    pub warn: Option<i64>,
    /// Days after [`Shadow::max_age`] until the account is shut.
    pub inactive: Option<i64>,
    /// Day from which the account is shut.
    pub expire: Option<i64>,
}

impl fmt::Debug for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shadow")
            .field("locked", &self.is_locked())
            .field("last_change", &self.last_change)
            .field("max_age", &self.max_age)
            .field("inactive", &self.inactive)
            .field("expire", &self.expire)
            .finish_non_exhaustive()
    }
}

impl Shadow {
    /// Looks up the shadow entry of `name` (needs root). `None`: there is none.
    ///
    /// # Errors
    /// `PermissionDenied` when not allowed to read shadow; otherwise the errno of the name service.
    pub fn by_name(name: &str) -> io::Result<Option<Self>> {
        let doing = || format!("look up the shadow entry of {name:?}");
        let c_name = CString::new(name).doing(doing)?;
        let mut size = FIRST_BUFFER;
        while size <= LARGEST_BUFFER {
            match lookup(&c_name, size) {
                Err(libc::ERANGE) => size = size.saturating_mul(2),
                Err(libc::ENOENT | libc::ESRCH) => return Ok(None),
                Err(errno) => return Err(io::Error::from_raw_os_error(errno)).doing(doing),
                Ok(found) => return Ok(found),
            }
        }
        Err(refused(io::ErrorKind::InvalidData, doing(), "the entry is larger than 1 MiB; mend /etc/shadow"))
    }

    /// Whether the account is locked for every way of logging in, as `passwd -l` and `usermod -L` do it: a field that
    /// begins with `!`. (A bare `*` only means that no password works.)
    pub fn is_locked(&self) -> bool {
        self.hash.starts_with('!')
    }

    /// Whether the account itself has expired on `today`.
    pub fn is_expired(&self, today: i64) -> bool {
        self.expire.is_some_and(|day| day >= 0 && today > day) || self.is_inactive(today)
    }

    /// Whether the password must be changed before the account can be used on `today`.
    pub fn password_expired(&self, today: i64) -> bool {
        match (self.last_change, self.max_age) {
            (Some(0), _) => true,
            (Some(changed), Some(max)) if changed > 0 && max >= 0 => today > changed.saturating_add(max),
            _ => false,
        }
    }

    fn is_inactive(&self, today: i64) -> bool {
        match (self.last_change, self.max_age, self.inactive) {
            (Some(changed), Some(max), Some(inactive)) if changed > 0 && max >= 0 && inactive >= 0 => {
                today > changed.saturating_add(max).saturating_add(inactive)
            }
            _ => false,
        }
    }
}

/// Days since 1970-01-01, now.
pub fn today() -> i64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(seconds / SECONDS_PER_DAY).unwrap_or(i64::MAX)
}

fn lookup(name: &CStr, size: usize) -> Result<Option<Shadow>, i32> {
    let mut buffer: Zeroizing<Vec<libc::c_char>> = Zeroizing::new(vec![0; size]);
    let mut entry = MaybeUninit::<libc::spwd>::zeroed();
    let mut found: *mut libc::spwd = ptr::null_mut();
    // SAFETY: every pointer is to a live local; the buffer's true length goes with it, and getspnam_r keeps none of them.
    let errno = unsafe {
        libc::getspnam_r(name.as_ptr(), entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found)
    };
    if errno != 0 {
        return Err(errno);
    }
    if found.is_null() {
        return Ok(None);
    }
    // SAFETY: an all-zero spwd is valid, and getspnam_r has filled it since.
    let entry = unsafe { entry.assume_init() };
    if entry.sp_pwdp.is_null() {
        return Ok(None);
    }
    // SAFETY: sp_pwdp points to a NUL-terminated string inside `buffer`, which outlives this borrow.
    let hash = unsafe { CStr::from_ptr(entry.sp_pwdp) };
    Ok(Some(Shadow {
        // A field that is not text cannot be a hash; `*` matches nothing.
        hash: Zeroizing::new(hash.to_str().unwrap_or("*").to_owned()),
        last_change: field(entry.sp_lstchg),
        max_age: field(entry.sp_max),
        warn: field(entry.sp_warn),
        inactive: field(entry.sp_inact),
        expire: field(entry.sp_expire),
    }))
}

/// getspnam reports an empty field as -1.
fn field(value: libc::c_long) -> Option<i64> {
    let value: i64 = value;
    (value != -1).then_some(value)
}
