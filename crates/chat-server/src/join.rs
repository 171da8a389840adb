//! Sessions that other processes of this machine bring over a Unix socket. One line of JSON introduces them; then frames go both
//! ways: a byte that says what, two bytes of length, and so many bytes.

use crate::face::Size;
use crate::hub::Hub;
use crate::json_text::Fields;
use crate::session::Arrival;
use nacre_chat::{LineId, Proof};
use serde_json::{Value, json};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream, unix};
use tokio::sync::{Semaphore, watch};

type Reader = BufReader<unix::OwnedReadHalf>;
type Writer = unix::OwnedWriteHalf;

/// The longest introduction.
const INTRODUCTION_BYTES: u64 = 16 * 1024;
/// How long one may be on its way.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a frame.
pub const FRAME_BYTES: usize = 8 * 1024;
/// Those who may be on their way at once.
const INTRODUCING: usize = 64;
/// Bytes between a session and its socket.
const BETWEEN: usize = 32 * 1024;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// What was typed, or what is shown.
    Data,
    /// To the chat: the terminal's size, columns and rows of two bytes each.
    Size,
    /// From the chat, as the last one: the exit code.
    Exit,
}

impl Frame {
    const ALL: [Self; 3] = [Self::Data, Self::Size, Self::Exit];

    fn number(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Size => 1,
            Self::Exit => 2,
        }
    }

    /// The frame's first three bytes; none for one that is too long.
    pub fn head(self, length: usize) -> Option<[u8; 3]> {
        let length = u16::try_from(length).ok().filter(|length| usize::from(*length) <= FRAME_BYTES)?;
        let [high, low] = length.to_be_bytes();
        Some([self.number(), high, low])
    }

    /// What a frame is and how many bytes follow, from its first three.
    pub fn read([kind, high, low]: [u8; 3]) -> Option<(Self, usize)> {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let kind = Self::ALL.into_iter().find(|known| known.number() == kind)?;
        (length <= FRAME_BYTES).then_some((kind, length))
    }
}

/// A terminal's size in a frame.
pub fn size_bytes(size: Size) -> [u8; 4] {
    let ([a, b], [c, d]) = (size.columns.to_be_bytes(), size.rows.to_be_bytes());
    [a, b, c, d]
}

fn size_of(bytes: &[u8]) -> Option<Size> {
    let [a, b, c, d] = *bytes else { return None };
    Some(Size { columns: u16::from_be_bytes([a, b]), rows: u16::from_be_bytes([c, d]) })
}

/// Who comes, and with what: the first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The login name that was proven. Only the word of root and of the chat's own account counts for it.
    pub login: String,
    /// Whence.
    pub address: Option<IpAddr>,
    /// The type of the terminal, if there is one.
    pub term: Option<String>,
    /// Its size.
    pub size: Size,
    /// Rooms to go to.
    pub rooms: Vec<String>,
    /// A program: JSON lines.
    pub json: bool,
    /// Show what came after this line.
    pub since: Option<LineId>,
    /// Colours are wanted.
    pub colours: bool,
}

impl Introduction {
    /// The line, with its end.
    pub fn to_line(&self) -> String {
        let value = json!({
            "login": self.login, "address": self.address.map(|address| address.to_string()), "term": self.term,
            "columns": self.size.columns, "rows": self.size.rows, "rooms": self.rooms, "json": self.json,
            "since": self.since.map(|line| line.to_string()), "colours": self.colours,
        });
        format!("{value}\n")
    }

    /// From the line; none if it is none.
    pub fn read(line: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(line).ok()?;
        let fields = Fields(&value);
        let number = |name: &str| value.get(name)?.as_u64().and_then(|number| u16::try_from(number).ok());
        Some(Self {
            login: fields.text("login")?.to_owned(),
            address: fields.maybe("address", |address| address.as_str()?.parse().ok())?,
            term: fields.maybe("term", |term| term.as_str().map(str::to_owned))?,
            size: Size { columns: number("columns")?, rows: number("rows")? },
            rooms: fields.texts("rooms")?.into_iter().map(str::to_owned).collect(),
            json: fields.flag("json")?,
            since: fields.maybe("since", |since| since.as_str()?.parse().ok())?,
            colours: fields.flag("colours")?,
        })
    }
}

/// Takes sessions for as long as the listener lives. `own` is this account; whoever else connects is who the kernel says,
/// as `name_of` knows that account.
pub async fn serve<F>(hub: Hub, listener: UnixListener, own: u32, name_of: F)
where
    F: Fn(u32) -> Option<String> + Send + Sync + 'static,
{
    let (name_of, introducing) = (Arc::new(name_of), Arc::new(Semaphore::new(INTRODUCING)));
    loop {
        let Ok(permit) = introducing.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (hub, name_of) = (hub.clone(), name_of.clone());
        tokio::spawn(async move {
            let attended = async {
                let (who, reader, writer) = introduced(stream, own, name_of).await?;
                drop(permit);
                attend(&hub, who, reader, writer).await
            };
            if let Err(error) = attended.await {
                tracing::debug!("chat: a session of this machine: {error}");
            }
        });
    }
}

/// Hears who comes, and believes it as far as the kernel says so.
async fn introduced<F>(stream: UnixStream, own: u32, name_of: Arc<F>) -> io::Result<(Introduction, Reader, Writer)>
where
    F: Fn(u32) -> Option<String> + Send + Sync + 'static,
{
    let uid = stream.peer_cred()?.uid();
    let (reader, writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    let mut bounded = (&mut reader).take(INTRODUCTION_BYTES);
    tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await??;
    let mut who = Introduction::read(&line).ok_or(io::ErrorKind::InvalidData)?;
    if uid != 0 && uid != own {
        let named = tokio::task::spawn_blocking(move || name_of(uid)).await.unwrap_or_default();
        who.login = named.ok_or_else(|| io::Error::other(format!("uid {uid} has no account")))?;
    }
    Ok((who, reader, writer))
}

async fn attend(hub: &Hub, who: Introduction, reader: Reader, mut writer: Writer) -> io::Result<()> {
    let size = watch::Sender::new(who.size);
    let arrival = Arrival {
        proof: Proof::Login,
        login: who.login.into_bytes(),
        rooms: who.rooms,
        address: who.address,
        client: Vec::new(),
        term: who.term,
        json: who.json,
        since: who.since,
        colours: who.colours,
    };
    let (near, far) = tokio::io::duplex(BETWEEN);
    let (mut shown, typed) = tokio::io::split(far);
    let session = hub.serve(near, size.subscribe(), arrival);
    let showing = async {
        let mut bytes = vec![0; FRAME_BYTES];
        while let Ok(count @ 1..) = shown.read(&mut bytes).await {
            write_frame(&mut writer, Frame::Data, bytes.get(..count).unwrap_or_default()).await?;
        }
        Ok::<_, io::Error>(())
    };
    let both = async { tokio::join!(session, showing) };
    let (ended, shown) = tokio::select! {
        both = both => both,
        never = take_frames(reader, typed, &size) => match never {},
    };
    shown?;
    write_frame(&mut writer, Frame::Exit, &[ended.code()]).await
}

async fn write_frame(to: &mut (impl AsyncWrite + Unpin), kind: Frame, bytes: &[u8]) -> io::Result<()> {
    let head = kind.head(bytes.len()).ok_or(io::ErrorKind::InvalidInput)?;
    to.write_all(&head).await?;
    to.write_all(bytes).await
}

/// Passes on what comes. After its end, or what is no frame, nothing more is typed.
async fn take_frames(
    mut reader: Reader,
    mut typed: impl AsyncWrite + Unpin,
    size: &watch::Sender<Size>,
) -> std::convert::Infallible {
    let mut bytes = vec![0; FRAME_BYTES];
    let mut take = async || {
        loop {
            let mut head = [0; 3];
            reader.read_exact(&mut head).await?;
            let (kind, length) = Frame::read(head).ok_or(io::ErrorKind::InvalidData)?;
            let bytes = bytes.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
            reader.read_exact(bytes).await?;
            match kind {
                Frame::Data => typed.write_all(bytes).await?,
                Frame::Size => drop(size_of(bytes).map(|new| size.send_replace(new))),
                Frame::Exit => return Err::<(), io::Error>(io::ErrorKind::InvalidData.into()),
            }
        }
    };
    let _ = take().await;
    let _ = typed.shutdown().await;
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn introductions_cross_as_they_are() {
        let whole = Introduction {
            login: "ann\n\u{1b}".to_owned(),
            address: Some([127, 0, 0, 1].into()),
            term: Some("xterm".to_owned()),
            size: Size { columns: 80, rows: 24 },
            rooms: vec!["#rust".to_owned()],
            json: true,
            since: Some(LineId(7)),
            colours: true,
        };
        let least = Introduction { address: None, term: None, since: None, rooms: Vec::new(), ..whole.clone() };
        for one in [whole, least] {
            let line = one.to_line();
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(Introduction::read(line.as_bytes()), Some(one));
        }
        for bad in [&b""[..], b"{}", b"{\"login\":7}", b"\xff", b"[]"] {
            assert_eq!(Introduction::read(bad), None);
        }
    }

    #[test]
    fn frames_say_what_they_are() {
        for kind in Frame::ALL {
            assert_eq!(kind.head(5).and_then(Frame::read), Some((kind, 5)));
        }
        assert_eq!(Frame::Data.head(FRAME_BYTES + 1), None);
        assert_eq!(Frame::read([9, 0, 0]), None);
        assert_eq!(Frame::read([0, 255, 255]), None);
        let size = Size { columns: 300, rows: 2 };
        assert_eq!(size_of(&size_bytes(size)), Some(size));
        assert_eq!(size_of(&[1, 2]), None);
    }
}
