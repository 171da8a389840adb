//! The conversation of pam_conv(3): what a module wants to say or to know, and the answers.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use super::ffi::{self, RawConversation, RawMessage, RawResponse};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A question whose answer must not be seen.
    Secret,
    /// A question whose answer may be seen.
    Visible,
    /// Something that went wrong.
    Error,
    /// Something to know.
    Info,
}

/// One message of a module. The text is any bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub style: Style,
    /// What it says.
    pub text: Vec<u8>,
}

impl Message {
    /// Whether it wants an answer.
    pub fn is_prompt(&self) -> bool {
        matches!(self.style, Style::Secret | Style::Visible)
    }
}

/// An answer, wiped when it is gone: at most 511 bytes, none of them NUL.
pub type Answer = Zeroizing<Vec<u8>>;

/// Whoever answers: it gets the messages of one round and gives an answer for each [prompt](Message::is_prompt), in
/// their order; `None` breaks the conversation off, and so do answers of the wrong number or length.
pub type Conversation<'a> = dyn FnMut(&[Message]) -> Option<Vec<Answer>> + 'a;

/// What the C side is given to find the conversation by. It stays where it is for as long as the transaction.
#[derive(Default)]
pub(super) struct Link {
    /// A `&mut Conversation` on the stack of [`Link::during`]; null when nobody answers.
    current: Cell<*mut c_void>,
    /// What the conversation panicked with; it goes on when C has returned.
    panic: RefCell<Option<Box<dyn Any + Send>>>,
    /// What the last attempt should cost whoever failed.
    delay: Cell<Duration>,
}

impl Link {
    /// The `struct pam_conv` that leads here.
    pub fn as_raw(&self) -> RawConversation {
        RawConversation { talk, data: ptr::from_ref(self).cast_mut().cast() }
    }

    /// The function for PAM_FAIL_DELAY, as pam_set_item(3) takes it.
    pub fn delay_function() -> *const c_void {
        note_delay as ffi::RawDelay as *const c_void
    }

    /// The wait that modules asked for during the last call.
    pub fn delay(&self) -> Duration {
        self.delay.get()
    }

    /// Makes a call of libpam during which `conversation` answers.
    pub fn during<T>(&self, mut conversation: &mut Conversation<'_>, call: impl FnOnce() -> T) -> T {
        self.delay.set(Duration::ZERO);
        self.current.set((&raw mut conversation).cast());
        let result = call();
        self.current.set(ptr::null_mut());
        if let Some(panic) = self.panic.borrow_mut().take() {
            resume_unwind(panic);
        }
        result
    }

    /// Asks whoever answers now. A panic stays here.
    fn ask(&self, messages: &[Message]) -> Option<Vec<Answer>> {
        let current = self.current.replace(ptr::null_mut()).cast::<&mut Conversation<'_>>();
        if current.is_null() {
            return None;
        }
        // SAFETY: set by `during`, which is still on the stack below and touches it no more until libpam returns; taken
        // out of the cell above, so nobody else has it.
        let conversation = unsafe { &mut *current };
        let answered = catch_unwind(AssertUnwindSafe(|| conversation(messages)));
        match answered {
            Ok(answers) => {
                self.current.set(current.cast());
                answers
            }
            Err(panic) => {
                *self.panic.borrow_mut() = Some(panic);
                None
            }
        }
    }
}

/// The conversation function (pam_conv(3)).
///
/// # Safety
/// As libpam calls it: `count` messages, room for one pointer, and the address of the transaction's [`Link`].
unsafe extern "C" fn talk(
    count: c_int,
    messages: *mut *const RawMessage,
    responses: *mut *mut RawResponse,
    data: *mut c_void,
) -> c_int {
    if messages.is_null() || responses.is_null() || data.is_null() {
        return ffi::CONV_ERR;
    }
    let count = usize::try_from(count).unwrap_or(0);
    if !(1..=ffi::MAX_MESSAGES).contains(&count) {
        return ffi::CONV_ERR;
    }
    // SAFETY: the data is what `Link::as_raw` gave, and the link lives as long as the transaction that calls.
    let link = unsafe { &*data.cast::<Link>() };
    // SAFETY: libpam passes an array of so many pointers, as Linux-PAM has it (not one pointer to an array).
    let pointers = unsafe { std::slice::from_raw_parts(messages, count) };
    let Some(messages) = pointers.iter().map(|message| read(*message)).collect::<Option<Vec<_>>>() else {
        return ffi::CONV_ERR;
    };
    let answers = link.ask(&messages).and_then(|answers| allocate(&messages, answers));
    let Some(array) = answers else { return ffi::CONV_ERR };
    // SAFETY: not null (checked), and room for the pointer that this function is called for.
    unsafe { responses.write(array) };
    ffi::SUCCESS
}

fn read(message: *const RawMessage) -> Option<Message> {
    // SAFETY: null or a message that is alive during the call; modules build it.
    let message = unsafe { message.as_ref() }?;
    let style = match message.style {
        ffi::PROMPT_ECHO_OFF => Style::Secret,
        ffi::PROMPT_ECHO_ON => Style::Visible,
        ffi::ERROR_MSG => Style::Error,
        ffi::TEXT_INFO => Style::Info,
        _ => return None,
    };
    let text = if message.text.is_null() {
        Vec::new()
    } else {
        // SAFETY: not null, so a string with its NUL.
        unsafe { CStr::from_ptr(message.text) }.to_bytes().to_vec()
    };
    Some(Message { style, text })
}

/// The responses in memory that libpam's modules give to free(3); `None` when the answers do not fit the messages.
fn allocate(messages: &[Message], answers: Vec<Answer>) -> Option<*mut RawResponse> {
    let usable = |answer: &Answer| answer.len() < ffi::MAX_ANSWER && !answer.contains(&0);
    let prompts = messages.iter().filter(|message| message.is_prompt()).count();
    if prompts != answers.len() || !answers.iter().all(usable) {
        return None;
    }
    // SAFETY: plain allocation; zeroed, so that every text is null and every code 0.
    let array = unsafe { libc::calloc(messages.len(), size_of::<RawResponse>()) }.cast::<RawResponse>();
    if array.is_null() {
        return None;
    }
    let mut answers = answers.iter();
    for (place, message) in messages.iter().enumerate() {
        let Some(answer) = message.is_prompt().then(|| answers.next()).flatten() else { continue };
        let Some(text) = copy(answer) else {
            give_up(array, messages.len());
            return None;
        };
        // SAFETY: within the array, which has as many places as there are messages.
        let response = unsafe { array.add(place) };
        // SAFETY: a place of the array, allocated above and aligned as calloc does; nobody else has it.
        unsafe { response.write(RawResponse { text, code: 0 }) };
    }
    Some(array)
}

/// A string with its NUL, allocated as C wants it.
fn copy(answer: &[u8]) -> Option<*mut c_char> {
    // SAFETY: plain allocation of one byte more than the answer, zeroed.
    let text = unsafe { libc::calloc(answer.len().checked_add(1)?, 1) }.cast::<u8>();
    if text.is_null() {
        return None;
    }
    // SAFETY: room for the answer and its NUL, allocated above; two allocations do not overlap.
    unsafe { ptr::copy_nonoverlapping(answer.as_ptr(), text, answer.len()) };
    Some(text.cast())
}

/// Wipes and frees responses that nobody gets.
fn give_up(array: *mut RawResponse, count: usize) {
    // SAFETY: `allocate` made it, of so many places, zeroed or written.
    let responses = unsafe { std::slice::from_raw_parts(array, count) };
    for response in responses.iter().filter(|response| !response.text.is_null()) {
        // SAFETY: a string that `copy` made.
        let length = unsafe { libc::strlen(response.text) };
        // SAFETY: the same string without its NUL; nobody else has it.
        unsafe { std::slice::from_raw_parts_mut(response.text.cast::<u8>(), length) }.zeroize();
        // SAFETY: from calloc, and not used after.
        unsafe { libc::free(response.text.cast()) };
    }
    // SAFETY: from calloc, and not used after.
    unsafe { libc::free(array.cast()) };
}

/// Notes the wait instead of waiting (pam_fail_delay(3)), so that the caller can choose when to wait.
///
/// # Safety
/// As libpam calls it: the data is the address of the transaction's [`Link`], or null.
unsafe extern "C" fn note_delay(_result: c_int, microseconds: c_uint, data: *mut c_void) {
    // SAFETY: null, or what `Link::as_raw` gave; the link lives as long as the transaction that calls.
    if let Some(link) = unsafe { data.cast::<Link>().as_ref() } {
        link.delay.set(Duration::from_micros(u64::from(microseconds)));
    }
}
