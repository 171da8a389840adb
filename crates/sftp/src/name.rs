//! One entry of a NAME reply (draft §7).

use crate::Attributes;
use nacre_wire::{DecodeError, Reader, WriteExt};

/// A name in a folder, or the one answer to REALPATH and READLINK. Any bytes: whoever shows them cleans them, and
/// whoever makes a file of them checks them first (threats F7 and U2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name itself.
    pub name: Vec<u8>,
    /// A line as of `ls -l`, for people.
    pub long: Vec<u8>,
    /// What the server tells of the file.
    pub attributes: Attributes,
}

impl Name {
    /// The one answer to REALPATH and READLINK, of which nothing else is told.
    pub fn only(name: impl Into<Vec<u8>>) -> Self {
        let name = name.into();
        Self { long: name.clone(), name, attributes: Attributes::default() }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: reader.string("filename")?.to_vec(),
            long: reader.string("longname")?.to_vec(),
            attributes: Attributes::read(reader)?,
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_string(&self.name);
        out.put_string(&self.long);
        self.attributes.write(out);
    }

    /// Whether a file may be made under this name inside a folder: one component, not `.` nor `..` (threat F7).
    pub fn is_one_component(&self) -> bool {
        is_one_component(&self.name)
    }
}

/// Whether `name` is one component of a path, and neither `.` nor `..`.
pub fn is_one_component(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f07_names_that_lead_elsewhere_are_no_component() {
        for bad in [&b""[..], b".", b"..", b"/x", b"a/b", b"../x", b"a/", b"a\0b"] {
            assert!(!is_one_component(bad), "{bad:?}");
        }
        for good in [&b"a"[..], b"...", b".a", b"\xff\xfe", b"-rf", b"a b", b"a\x1b[2J"] {
            assert!(is_one_component(good), "{good:?}");
        }
    }
}
