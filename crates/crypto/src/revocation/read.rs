//! Reading a list. What is not understood could revoke something, so it is an error and nothing is passed over, save
//! what says of itself that it may be.

use super::{FORMAT_VERSION, MAGIC, RevocationError, RevocationList, RevokedCertificates, section};
use nacre_wire::{DecodeError, DecodeErrorKind, Reader};

/// The longest bitmap of serial numbers, in bytes, as OpenSSH has it.
const MAX_BITMAP: usize = 2048;

impl RevocationList {
    /// Reads a list. Signatures on it are not verified: whoever can write the file can leave them out.
    ///
    /// # Errors
    /// See [`RevocationError`]. What it may cost is bounded by its length and by the number of ranges that are kept.
    pub fn read(bytes: &[u8]) -> Result<Self, RevocationError> {
        let mut reader = Reader::new(bytes.strip_prefix(MAGIC).ok_or(RevocationError::NotAList)?);
        match reader.u32("format version")? {
            FORMAT_VERSION => {}
            other => return Err(RevocationError::Version(other)),
        }
        let mut list = Self { version: reader.u64("list version")?, ..Self::default() };
        list.generated = reader.u64("date")?;
        reader.u64("flags")?;
        reader.string("reserved")?;
        list.comment = String::from_utf8_lossy(reader.string("comment")?).into_owned();
        let mut signed = false;
        while reader.remaining() > 0 {
            let kind = reader.u8("section type")?;
            let mut data = Reader::new(reader.string("section")?);
            if signed && kind != section::SIGNATURE {
                return Err(RevocationError::AfterSignature);
            }
            match kind {
                section::CERTIFICATES => list.merge(RevokedCertificates::read(&mut data)?)?,
                section::EXPLICIT_KEY => each(&mut data, |key| list.read_key(key))?,
                section::SHA1 => each(&mut data, |hash| {
                    list.revoke_sha1(sized(hash)?);
                    Ok(())
                })?,
                section::SHA256 => each(&mut data, |hash| {
                    list.revoke_sha256(sized(hash)?);
                    Ok(())
                })?,
                section::EXTENSION => extension(data)?,
                section::SIGNATURE => {
                    // The section's data is the key that signed.
                    reader.string("signature")?;
                    signed = true;
                }
                other => return Err(RevocationError::UnknownSection(other)),
            }
        }
        Ok(list)
    }

    fn read_key(&mut self, blob: &[u8]) -> Result<(), RevocationError> {
        Reader::new(blob).string("revoked key")?;
        self.revoke_key(blob);
        Ok(())
    }
}

impl RevokedCertificates {
    fn read(data: &mut Reader<'_>) -> Result<Self, RevocationError> {
        let ca = data.string("CA key")?;
        let mut own = Self::of(if ca.is_empty() { None } else { Some(ca) });
        data.string("reserved")?;
        while data.remaining() > 0 {
            let kind = data.u8("section type")?;
            let mut part = Reader::new(data.string("section")?);
            match kind {
                section::SERIAL_LIST => {
                    while part.remaining() > 0 {
                        let number = part.u64("serial number")?;
                        own.revoke_serials(number, number)?;
                    }
                }
                section::SERIAL_RANGE => {
                    let (first, last) = (part.u64("first serial")?, part.u64("last serial")?);
                    part.finish()?;
                    own.revoke_serials(first, last)?;
                }
                section::SERIAL_BITMAP => {
                    let offset = part.u64("serial offset")?;
                    let bits = part.mpint("serial bitmap")?;
                    part.finish()?;
                    own.read_bitmap(offset, bits)?;
                }
                section::KEY_ID => each(&mut part, |id| {
                    own.key_ids.insert(id.to_vec());
                    Ok(())
                })?,
                section::CERTIFICATES_EXTENSION => extension(part)?,
                other => return Err(RevocationError::UnknownSection(other)),
            }
        }
        Ok(own)
    }

    /// The lowest bit, which stands last, is the offset's own number.
    fn read_bitmap(&mut self, offset: u64, bits: &[u8]) -> Result<(), RevocationError> {
        if bits.len() > MAX_BITMAP {
            return Err(bad("serial bitmap").into());
        }
        let bits = bits.iter().rev().flat_map(|byte| (0..8).map(move |shift| byte >> shift & 1 == 1));
        for (is_set, distance) in bits.zip(0u64..) {
            if is_set {
                let number = offset.checked_add(distance).ok_or(bad("serial bitmap"))?;
                self.revoke_serials(number, number)?;
            }
        }
        Ok(())
    }
}

/// Every string of a section; `take` keeps it.
fn each(
    data: &mut Reader<'_>,
    mut take: impl FnMut(&[u8]) -> Result<(), RevocationError>,
) -> Result<(), RevocationError> {
    while data.remaining() > 0 {
        take(data.string("revoked item")?)?;
    }
    Ok(())
}

fn extension(mut data: Reader<'_>) -> Result<(), RevocationError> {
    data.string("extension name")?;
    let critical = data.bool("extension")?;
    data.string("extension contents")?;
    data.finish()?;
    if critical { Err(RevocationError::CriticalExtension) } else { Ok(()) }
}

fn sized<const N: usize>(hash: &[u8]) -> Result<[u8; N], DecodeError> {
    hash.try_into().map_err(|_| bad("hash"))
}

fn bad(field: &'static str) -> DecodeError {
    DecodeError { kind: DecodeErrorKind::BadValue, field }
}
