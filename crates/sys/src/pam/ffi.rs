//! libpam as C sees it: the types, constants and functions of Linux-PAM's `security/_pam_types.h` and `security/pam_appl.h`.

use std::ffi::{c_char, c_int, c_uint, c_void};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

/// A `pam_handle_t`, of which nothing is known.
#[repr(C)]
pub struct Handle {
    _opaque: [u8; 0],
}

/// A `struct pam_message`.
#[repr(C)]
pub struct RawMessage {
    pub style: c_int,
    pub text: *const c_char,
}

/// A `struct pam_response`. PAM frees the text and the array that it is in.
#[repr(C)]
pub struct RawResponse {
    pub text: *mut c_char,
    pub code: c_int,
}

/// The conversation function of pam_conv(3).
pub type RawTalk =
    unsafe extern "C" fn(c_int, *mut *const RawMessage, *mut *mut RawResponse, data: *mut c_void) -> c_int;

/// The function of pam_fail_delay(3): the result, the wait in microseconds, the conversation's data.
pub type RawDelay = unsafe extern "C" fn(c_int, c_uint, *mut c_void);

/// A `struct pam_conv`.
#[repr(C)]
pub struct RawConversation {
    pub talk: RawTalk,
    pub data: *mut c_void,
}

pub const SUCCESS: c_int = 0;
pub const SYSTEM_ERR: c_int = 4;
pub const PERM_DENIED: c_int = 6;
pub const AUTH_ERR: c_int = 7;
pub const CRED_INSUFFICIENT: c_int = 8;
pub const USER_UNKNOWN: c_int = 10;
pub const MAXTRIES: c_int = 11;
pub const NEW_AUTHTOK_REQD: c_int = 12;
pub const ACCT_EXPIRED: c_int = 13;
pub const CONV_ERR: c_int = 19;

pub const USER: c_int = 2;
pub const TTY: c_int = 3;
pub const RHOST: c_int = 4;
pub const RUSER: c_int = 8;
pub const FAIL_DELAY: c_int = 10;

pub const DISALLOW_NULL_AUTHTOK: c_int = 0x1;
pub const ESTABLISH_CRED: c_int = 0x2;
pub const DELETE_CRED: c_int = 0x4;
pub const CHANGE_EXPIRED_AUTHTOK: c_int = 0x20;
pub const SILENT: c_int = 0x8000;

pub const PROMPT_ECHO_OFF: c_int = 1;
pub const PROMPT_ECHO_ON: c_int = 2;
pub const ERROR_MSG: c_int = 3;
pub const TEXT_INFO: c_int = 4;

/// Most messages of one conversation (PAM_MAX_NUM_MSG).
pub const MAX_MESSAGES: usize = 32;
/// Longest answer in bytes, its NUL among them (PAM_MAX_RESP_SIZE).
pub const MAX_ANSWER: usize = 512;

/// A call that takes the transaction and flags.
pub type Step = unsafe extern "C" fn(*mut Handle, c_int) -> c_int;

macro_rules! functions {
    ($($field:ident = $symbol:literal: $kind:ty,)*) => {
        /// The functions of libpam, and the library that they are in.
        pub struct Functions {
            $(pub $field: $kind,)*
            _library: Library,
        }

        impl Functions {
            /// Finds all of them in the machine's libpam. Its symbols become global: some modules were built without
            /// saying that they need libpam, and count on a program that brings it.
            pub fn load(name: &str) -> Result<Self, libloading::Error> {
                // SAFETY: libpam's initialisers touch nothing but libpam; the name has no slash, so only the system's
                // library path is searched.
                let library = unsafe { Library::open(Some(name), RTLD_NOW | RTLD_GLOBAL) }?;
                Ok(Self {
                    $($field: {
                        // SAFETY: libpam.so.0 has had this function with this signature since it was first called so.
                        *unsafe { library.get::<$kind>($symbol) }?
                    },)*
                    _library: library,
                })
            }
        }
    };
}

functions! {
    start = b"pam_start\0": unsafe extern "C" fn(*const c_char, *const c_char, *const RawConversation, *mut *mut Handle) -> c_int,
    end = b"pam_end\0": Step,
    set_item = b"pam_set_item\0": unsafe extern "C" fn(*mut Handle, c_int, *const c_void) -> c_int,
    get_item = b"pam_get_item\0": unsafe extern "C" fn(*const Handle, c_int, *mut *const c_void) -> c_int,
    put_env = b"pam_putenv\0": unsafe extern "C" fn(*mut Handle, *const c_char) -> c_int,
    env_list = b"pam_getenvlist\0": unsafe extern "C" fn(*mut Handle) -> *mut *mut c_char,
    error_text = b"pam_strerror\0": unsafe extern "C" fn(*mut Handle, c_int) -> *const c_char,
    authenticate = b"pam_authenticate\0": Step,
    account = b"pam_acct_mgmt\0": Step,
    change_password = b"pam_chauthtok\0": Step,
    credentials = b"pam_setcred\0": Step,
    open_session = b"pam_open_session\0": Step,
    close_session = b"pam_close_session\0": Step,
}
