//! A connection as a pcap file: the bytes, addresses, ports and times are real, the headers around them are made here.

use super::capture::Segment;
use nacre_wire::Role;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Packets begin with their IP header (LINKTYPE_RAW).
const LINK_TYPE: u32 = 101;
/// Bytes of data in one TCP segment: what fits an Ethernet frame.
const MAX_SEGMENT: usize = 1440;
const TCP_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const TCP: u8 = 6;

/// Both ends of a connection, and when it began by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// The end that connected.
    pub client: SocketAddr,
    /// The end that listened.
    pub server: SocketAddr,
    /// When it began.
    pub start: Instant,
    /// The same moment on the calendar.
    pub date: SystemTime,
}

/// The file.
pub fn write(line: &Line, segments: &[Segment]) -> Vec<u8> {
    let mut file = File { out: header(), line: *line, sequence: [0, 0] };
    let end = segments.last().map_or(line.start, |segment| segment.at);
    file.packet(line.start, Role::Client, SYN, &[]);
    file.packet(line.start, Role::Server, SYN | ACK, &[]);
    file.packet(line.start, Role::Client, ACK, &[]);
    for segment in segments {
        for part in segment.bytes.chunks(MAX_SEGMENT) {
            file.packet(segment.at, segment.by, PSH | ACK, part);
        }
    }
    file.packet(end, Role::Client, FIN | ACK, &[]);
    file.packet(end, Role::Server, FIN | ACK, &[]);
    file.packet(end, Role::Client, ACK, &[]);
    file.out
}

/// Version 2.4, microseconds, little-endian, whole packets.
fn header() -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
    out.extend_from_slice(&2_u16.to_le_bytes());
    out.extend_from_slice(&4_u16.to_le_bytes());
    for value in [0, 0, 0x4_0000, LINK_TYPE] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out
}

struct File {
    out: Vec<u8>,
    line: Line,
    /// The next sequence number of the client and of the server.
    sequence: [u32; 2],
}

impl File {
    fn packet(&mut self, at: Instant, by: Role, flags: u8, data: &[u8]) {
        let [client, server] = self.sequence;
        let (from, to, sequence, acknowledged) = match by {
            Role::Client => (self.line.client, self.line.server, client, server),
            Role::Server => (self.line.server, self.line.client, server, client),
        };
        let packet = ip(from, to, &tcp(from, to, sequence, acknowledged, flags, data));
        let at = self.line.date.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
            + at.saturating_duration_since(self.line.start);
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        for value in [u32::try_from(at.as_secs()).unwrap_or(u32::MAX), at.subsec_micros(), length, length] {
            self.out.extend_from_slice(&value.to_le_bytes());
        }
        self.out.extend_from_slice(&packet);
        let used = u32::try_from(data.len()).unwrap_or(u32::MAX) + u32::from(flags & (SYN | FIN) != 0);
        let [client, server] = &mut self.sequence;
        let counter = if by == Role::Client { client } else { server };
        *counter = counter.wrapping_add(used);
    }
}

/// A TCP segment with its checksum (RFC 9293 §3.1).
fn tcp(from: SocketAddr, to: SocketAddr, sequence: u32, acknowledged: u32, flags: u8, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(TCP_HEADER + data.len());
    out.extend_from_slice(&from.port().to_be_bytes());
    out.extend_from_slice(&to.port().to_be_bytes());
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&(if flags & ACK == 0 { 0 } else { acknowledged }).to_be_bytes());
    // Five words of header, the flags, a window, room for the checksum, nothing urgent.
    out.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    out.extend_from_slice(data);
    let mut summed = addresses(from.ip(), to.ip());
    summed.extend_from_slice(&u32::try_from(out.len()).unwrap_or_default().to_be_bytes());
    summed.extend_from_slice(&u32::from(TCP).to_be_bytes());
    summed.extend_from_slice(&out);
    if let Some(room) = out.get_mut(16..18) {
        room.copy_from_slice(&checksum(&summed).to_be_bytes());
    }
    out
}

fn addresses(from: IpAddr, to: IpAddr) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
        (from, to) => [v6(from), v6(to)].concat(),
    }
}

const fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// An IP packet (RFC 791 §3.1, RFC 8200 §3).
fn ip(from: SocketAddr, to: SocketAddr, content: &[u8]) -> Vec<u8> {
    let addresses = addresses(from.ip(), to.ip());
    let mut out = Vec::with_capacity(IPV6_HEADER + content.len());
    if addresses.len() == 8 {
        let total = u16::try_from(20 + content.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&[0x45, 0]);
        out.extend_from_slice(&total.to_be_bytes());
        // No fragments; 64 routers at most; room for the checksum.
        out.extend_from_slice(&[0, 0, 0x40, 0, 64, TCP, 0, 0]);
        out.extend_from_slice(&addresses);
        let sum = checksum(&out).to_be_bytes();
        if let Some(room) = out.get_mut(10..12) {
            room.copy_from_slice(&sum);
        }
    } else {
        let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&[0x60, 0, 0, 0]);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&[TCP, 64]);
        out.extend_from_slice(&addresses);
    }
    out.extend_from_slice(content);
    out
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        let word = match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            [high] => u16::from_be_bytes([*high, 0]),
            _ => 0,
        };
        sum += u32::from(word);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        // The sum of the example in its section 3 is ddf2.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[0xff]), !0xff00);
    }
}
