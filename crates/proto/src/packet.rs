//! The binary packet protocol, RFC 4253 §6: one half for each direction.

use crate::algorithm::CompressionMethod;
use crate::compress::{Deflater, Inflater};
use crate::crypto::{CryptoError, Open, PacketShape, Provider, Seal};
use crate::error::{Error, Limit, Misbehaviour};
use crate::limits;
use crate::transmit::TransmitBuffer;
use bytes::{Bytes, BytesMut};

/// Bytes before the payload: `uint32 packet_length, byte padding_length`.
const HEAD: usize = 5;
/// RFC 4253 §6: at least four bytes of padding.
const MIN_PADDING: usize = 4;
/// Random bytes that padding is cut from; drawn once per set of keys.
const PADDING_POOL: usize = 256;

/// Packets before the first NEWKEYS.
const PLAIN: PacketShape = PacketShape { block_len: 8, length_in_block: true, head_len: 4, tag_len: 0 };

/// What has passed under the present keys.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Bytes on the wire.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

impl Usage {
    fn count(&mut self, bytes: usize) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.packets = self.packets.saturating_add(1);
        // Twice the bound at which a rekey starts: by then the peer has ignored our KEXINIT.
        if self.packets > 2 * limits::MAX_PACKETS_PER_KEY { Err(Error::Limit(Limit::Packets)) } else { Ok(()) }
    }
}

/// What is done to the payloads of one direction, once it may begin (OpenSSH PROTOCOL §1.2).
struct Codec<T> {
    method: CompressionMethod,
    /// The login is done.
    begun: bool,
    stream: Option<Box<T>>,
}

impl<T> Codec<T> {
    const fn new() -> Self {
        Self { method: CompressionMethod::None, begun: false, stream: None }
    }

    /// New keys come with a new stream (RFC 4253 §6.2).
    fn rekey(&mut self, method: CompressionMethod, make: fn() -> T) {
        self.method = method;
        self.stream = (self.begun && method == CompressionMethod::Zlib).then(|| Box::new(make()));
    }

    fn begin(&mut self, make: fn() -> T) {
        self.begun = true;
        self.rekey(self.method, make);
    }
}

/// Opens what comes in.
pub(crate) struct Inbound {
    opener: Option<Box<dyn Open>>,
    codec: Codec<Inflater>,
    /// Bytes that came out of compressed packets; for whoever bounds what waits at once.
    pub(crate) inflated: usize,
    /// Sequence number of the next packet, modulo 2^32.
    sequence: u32,
    /// `packet_length` of the next packet once its head has been read.
    length: Option<usize>,
    /// The packet that is being read, or was read last, as it came; for an observer that wants packets.
    wire: Option<Vec<u8>>,
    pub usage: Usage,
}

impl Inbound {
    pub(crate) fn new() -> Self {
        let usage = Usage::default();
        Self { opener: None, codec: Codec::new(), inflated: 0, sequence: 0, length: None, wire: None, usage }
    }

    /// Copies each packet from here on, before it is opened.
    pub(crate) fn keep_wire(&mut self) {
        self.wire = Some(Vec::new());
    }

    /// The packet that [`Inbound::next`] returned last, as it came, if packets are kept.
    pub(crate) fn wire(&self) -> Option<&[u8]> {
        self.wire.as_deref()
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.opener.is_some()
    }

    /// The sequence number of the packet that [`Inbound::next`] returned last.
    pub(crate) fn last_sequence(&self) -> u32 {
        self.sequence.wrapping_sub(1)
    }

    /// Takes new keys (RFC 4253 §7.3); strict key exchange starts counting anew.
    pub(crate) fn rekey(&mut self, opener: Box<dyn Open>, compression: CompressionMethod, reset_sequence: bool) {
        self.opener = Some(opener);
        self.codec.rekey(compression, Inflater::new);
        self.usage = Usage::default();
        if reset_sequence {
            self.sequence = 0;
        }
    }

    /// The login is done: what comes next is compressed, if that was agreed.
    pub(crate) fn begin_compression(&mut self) {
        self.codec.begin(Inflater::new);
    }

    /// The next packet's payload, opened in place and split off without a copy unless it is compressed; `None` until
    /// all of it is there.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, Error> {
        let shape = self.opener.as_ref().map_or(PLAIN, |o| o.shape());
        let length = match self.length {
            Some(length) => length,
            None => match self.read_length(shape, input)? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        let total = 4 + length + shape.tag_len;
        if input.len() < total {
            return Ok(None);
        }
        let mut packet = input.split_to(total);
        if let Some(wire) = &mut self.wire {
            wire.extend_from_slice(packet.get(shape.head_len..).unwrap_or_default());
        }
        if let Some(opener) = &mut self.opener {
            opener.open(self.sequence, &mut packet).map_err(|CryptoError| Error::Integrity)?;
        }
        self.length = None;
        self.usage.count(total)?;
        // A wrap in the first exchange would let an attacker line numbers up (threat T19).
        self.sequence = match self.sequence.checked_add(1) {
            Some(next) => next,
            None if self.opener.is_none() => return Err(Error::Limit(Limit::Packets)),
            None => 0,
        };
        let padding = usize::from(packet.get(4).copied().unwrap_or(0));
        // The payload holds one byte at least, its message number.
        if padding < MIN_PADDING || padding + 2 > length {
            return Err(Error::PeerMisbehaved(Misbehaviour::BadPacketLength));
        }
        let payload = packet.freeze().slice(HEAD..4 + length - padding);
        let Some(inflater) = &mut self.codec.stream else { return Ok(Some(payload)) };
        let payload = inflater.inflate(&payload)?;
        self.inflated += payload.len();
        Ok(Some(payload))
    }

    fn read_length(&mut self, shape: PacketShape, input: &mut BytesMut) -> Result<Option<usize>, Error> {
        let Some(head) = input.get_mut(..shape.head_len) else { return Ok(None) };
        if let Some(wire) = &mut self.wire {
            wire.clear();
            wire.extend_from_slice(head);
        }
        let length = match &mut self.opener {
            Some(opener) => opener.packet_length(self.sequence, head)?,
            None => {
                let head: [u8; 4] = head.get(..4).and_then(|h| h.try_into().ok()).unwrap_or_default();
                u32::from_be_bytes(head)
            }
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !Self::is_possible(shape, length) {
            // Under encryption a bad length is indistinguishable from a bad tag (threat T7).
            let plain = self.opener.is_none();
            return Err(if plain { Error::PeerMisbehaved(Misbehaviour::BadPacketLength) } else { Error::Integrity });
        }
        self.length = Some(length);
        Ok(self.length)
    }

    fn is_possible(shape: PacketShape, length: usize) -> bool {
        if !(1 + 1 + MIN_PADDING..=limits::MAX_PACKET_LENGTH).contains(&length) {
            return false;
        }
        let padded = if shape.length_in_block { 4 + length } else { length };
        padded.is_multiple_of(shape.block_len) && length + 4 >= shape.head_len
    }
}

/// Seals what goes out.
pub(crate) struct Outbound {
    sealer: Option<Box<dyn Seal>>,
    codec: Codec<Deflater>,
    shape: PacketShape,
    sequence: u32,
    padding: [u8; PADDING_POOL],
    pub usage: Usage,
}

impl Outbound {
    pub(crate) fn new() -> Self {
        let padding = [0; PADDING_POOL];
        Self { sealer: None, codec: Codec::new(), shape: PLAIN, sequence: 0, padding, usage: Usage::default() }
    }

    /// Takes new keys (RFC 4253 §7.3), and fresh bytes for padding: RFC 4253 §6 wants padding
    /// random, and every cipher here hides it whatever it is, so one draw per key is enough.
    pub(crate) fn rekey(
        &mut self,
        sealer: Box<dyn Seal>,
        compression: CompressionMethod,
        reset_sequence: bool,
        provider: &dyn Provider,
    ) -> Result<(), Error> {
        provider.random(&mut self.padding)?;
        self.shape = sealer.shape();
        self.sealer = Some(sealer);
        self.codec.rekey(compression, Deflater::new);
        self.usage = Usage::default();
        if reset_sequence {
            self.sequence = 0;
        }
        Ok(())
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.sealer.is_some()
    }

    /// The login is done: what is sealed next is compressed, if that was agreed.
    pub(crate) fn begin_compression(&mut self) {
        self.codec.begin(Deflater::new);
    }

    /// Seals one payload.
    pub(crate) fn seal(&mut self, payload: &[u8], out: &mut TransmitBuffer) -> Result<(), Error> {
        let Some(mut deflater) = self.codec.stream.take() else {
            let copy = |space: &mut [u8]| {
                space.copy_from_slice(payload);
                payload.len()
            };
            return self.seal_in_place(payload.len(), out, copy).map(|_| ());
        };
        let result = self.seal_deflated(&mut deflater, payload, out);
        self.codec.stream = Some(deflater);
        result
    }

    fn seal_deflated(
        &mut self,
        deflater: &mut Deflater,
        payload: &[u8],
        out: &mut TransmitBuffer,
    ) -> Result<(), Error> {
        let room = Deflater::bound(payload.len());
        match self.seal_in_place(room, out, |space| deflater.deflate(payload, space))? {
            0 => Err(Error::Bug("deflated payload")),
            _ => Ok(()),
        }
    }

    /// Lets `fill` write up to `max` bytes of payload, then seals it. `fill` may be given less space and returns how
    /// many bytes it wrote; 0 makes no packet. Returns the same number.
    pub(crate) fn seal_with(
        &mut self,
        max: usize,
        out: &mut TransmitBuffer,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, Error> {
        let Some(mut deflater) = self.codec.stream.take() else { return self.seal_in_place(max, out, fill) };
        let seal = |deflater: &mut Deflater, payload: &[u8]| self.seal_deflated(deflater, payload, out);
        let result = deflater.fill(max, fill, seal);
        self.codec.stream = Some(deflater);
        result
    }

    /// Lets `fill` write up to `max` bytes of payload where the packet will stand, then seals it.
    fn seal_in_place(
        &mut self,
        max: usize,
        out: &mut TransmitBuffer,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, Error> {
        let room = HEAD + max + MIN_PADDING + self.shape.block_len + self.shape.tag_len;
        let space = out.spare(room);
        let bug = Error::Bug("packet room");
        let filled = fill(space.get_mut(HEAD..HEAD + max).ok_or(bug.clone())?).min(max);
        if filled == 0 {
            return Ok(0);
        }
        let padding = self.padding_for(filled);
        let length = 1 + filled + padding;
        let total = 4 + length + self.shape.tag_len;
        let packet = space.get_mut(..total).ok_or(bug.clone())?;
        let (head, tail) = packet.split_at_mut_checked(HEAD + filled).ok_or(bug.clone())?;
        let (length_bytes, rest) = head.split_at_mut_checked(4).ok_or(bug.clone())?;
        length_bytes.copy_from_slice(&u32::try_from(length).map_err(|_| bug.clone())?.to_be_bytes());
        if let Some(first) = rest.first_mut() {
            *first = u8::try_from(padding).map_err(|_| bug)?;
        }
        for (to, from) in tail.iter_mut().take(padding).zip(&self.padding) {
            *to = *from;
        }
        if let Some(sealer) = &mut self.sealer {
            sealer.seal(self.sequence, packet)?;
        }
        out.advance(total);
        self.sequence = self.sequence.wrapping_add(1);
        self.usage.count(total)?;
        Ok(filled)
    }

    fn padding_for(&self, payload: usize) -> usize {
        let head = if self.shape.length_in_block { HEAD } else { HEAD - 4 };
        let block = self.shape.block_len;
        let over = (head + payload) % block;
        let padding = block - over;
        if padding < MIN_PADDING { padding + block } else { padding }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn t06_plain_lengths_and_paddings_are_checked_before_anything_is_kept() {
        for length in [0u32, 1, 4, 5, 8, 11, 15, 16, 255, 1 << 20, 1 << 31, u32::MAX - 1, u32::MAX] {
            for padding in [0u8, 3, 255] {
                let mut input = BytesMut::new();
                input.extend_from_slice(&length.to_be_bytes());
                input.extend_from_slice(&[padding; 300]);
                let result = Inbound::new().next(&mut input);
                assert_eq!(
                    result,
                    Err(Error::PeerMisbehaved(Misbehaviour::BadPacketLength)),
                    "length {length}, padding {padding}"
                );
            }
        }
    }

    #[test]
    fn t06_large_legal_packets_pass() {
        for size in [1usize, 35_000, 256 * 1024 + 9] {
            let mut out = TransmitBuffer::new();
            Outbound::new().seal(&vec![7; size], &mut out).unwrap();
            let mut input = BytesMut::from(out.as_slice());
            assert_eq!(Inbound::new().next(&mut input).unwrap().unwrap().len(), size);
            assert!(input.is_empty());
        }
    }

    #[test]
    fn packets_arrive_whatever_the_split() {
        let mut out = TransmitBuffer::new();
        let mut outbound = Outbound::new();
        for n in 1..60u8 {
            outbound.seal(&vec![n; usize::from(n)], &mut out).unwrap();
        }
        let mut inbound = Inbound::new();
        let mut input = BytesMut::new();
        let mut next = 1u8;
        for byte in out.as_slice() {
            input.extend_from_slice(&[*byte]);
            while let Some(payload) = inbound.next(&mut input).unwrap() {
                assert_eq!(payload, vec![next; usize::from(next)]);
                next += 1;
            }
        }
        assert_eq!(next, 60);
    }
}
