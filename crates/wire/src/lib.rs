//! SSH's data types (RFC 4251 §5), its message numbers, names and messages. No cryptography and no
//! input or output: bytes in, values out, and back.

pub mod name_list;
pub mod names;
pub mod reader;
pub mod text;
pub mod writer;

pub use name_list::NameList;
pub use reader::{DecodeError, DecodeErrorKind, Reader};
pub use writer::WriteExt;
