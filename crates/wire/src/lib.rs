//! SSH's data types (RFC 4251 §5), its message numbers, names and messages. No cryptography and no
//! input or output: bytes in, values out, and back.

pub mod ext_info;
pub mod forward;
pub mod message;
pub mod name_list;
pub mod names;
pub mod number;
pub mod pattern;
pub mod reader;
pub mod reason;
pub mod session;
pub mod share;
pub mod text;
pub mod userauth;
pub mod writer;

pub use message::{Message, Rest};
pub use name_list::NameList;
pub use number::Role;
pub use reader::{DecodeError, DecodeErrorKind, Reader};
pub use writer::WriteExt;
