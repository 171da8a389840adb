//! Operators at the machine: a JSON object a line over a Unix socket, and one in answer.

use crate::hub::Hub;
use crate::json_text::Fields;
use nacre_chat::command::BanOrder;
use nacre_chat::{AdminAnswer, AdminRequest};
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, unix};

/// The longest line of a request.
const REQUEST_BYTES: u64 = 64 * 1024;
/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers whoever connects and is root or this account, for as long as the listener lives.
pub async fn serve(hub: Hub, listener: UnixListener, own: u32) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // The kernel's word, whatever the folder's rights became.
        match stream.peer_cred().map(|peer| peer.uid()) {
            Ok(uid) if uid == 0 || uid == own => {
                let hub = hub.clone();
                tokio::spawn(async move {
                    let (reader, writer) = stream.into_split();
                    let _ = answer_all(&hub, reader, writer).await;
                });
            }
            peer => {
                tracing::warn!("chat: somebody who is neither root nor this account wants to be an operator: {peer:?}")
            }
        }
    }
}

async fn answer_all(hub: &Hub, reader: unix::OwnedReadHalf, mut writer: unix::OwnedWriteHalf) -> io::Result<()> {
    let mut reader = tokio::io::BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        (&mut reader).take(REQUEST_BYTES).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Ok(());
        }
        let answer = match read_request(&line) {
            Ok(request) => hub.admin(request).await,
            Err(why) => AdminAnswer::Refused(why.into()),
        };
        hub.settled().await;
        let answer = match answer {
            AdminAnswer::Done => json!({"done": true}),
            AdminAnswer::Refused(why) => json!({"done": false, "why": &*why}),
        };
        writer.write_all(format!("{answer}\n").as_bytes()).await?;
    }
}

/// Asks the server that serves this socket.
///
/// # Errors
/// Nobody serves it, or what answers is no such server.
pub fn ask(socket: &Path, request: &AdminRequest) -> io::Result<AdminAnswer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{}\n", write_request(request)).as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer: Value = serde_json::from_str(&line)?;
    let fields = Fields(&answer);
    match (fields.flag("done"), fields.shared("why")) {
        (Some(true), _) => Ok(AdminAnswer::Done),
        (Some(false), Some(why)) => Ok(AdminAnswer::Refused(why)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// A request as the line's object.
pub fn write_request(request: &AdminRequest) -> Value {
    match request {
        AdminRequest::Ban { order, room } => json!({
            "do": "ban", "target": &*order.target, "seconds": order.time.map(|time| time.as_secs()),
            "reason": &*order.reason, "mute": order.mute, "room": room.as_deref(),
        }),
        AdminRequest::Unban { target, mute, room } => {
            json!({"do": "unban", "target": &**target, "mute": mute, "room": room.as_deref()})
        }
        AdminRequest::AddAccount { nick, key } => json!({"do": "add", "nick": &**nick, "key": &**key}),
        AdminRequest::DeleteAccount(nick) => json!({"do": "delete", "nick": &**nick}),
        AdminRequest::DeleteRoom(room) => json!({"do": "delete-room", "room": &**room}),
        AdminRequest::Keep { room, time } => {
            json!({"do": "keep", "room": &**room, "seconds": time.map(|time| time.as_secs())})
        }
        AdminRequest::Announce(text) => json!({"do": "announce", "text": &**text}),
        AdminRequest::Shutdown(why) => json!({"do": "shutdown", "why": &**why}),
    }
}

/// A request from its line.
///
/// # Errors
/// What is wrong with it.
pub fn read_request(line: &[u8]) -> Result<AdminRequest, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("not a JSON object: {error}"))?;
    let fields = Fields(&value);
    let text = |name: &str| fields.shared(name).ok_or_else(|| format!("{name}: a string is needed"));
    let room = || {
        let room = fields.maybe("room", |room| room.as_str().map(Arc::from));
        room.ok_or_else(|| "room: a string or nothing is needed".to_owned())
    };
    let time = || {
        let time = fields.maybe("seconds", |seconds| seconds.as_u64().map(Duration::from_secs));
        time.ok_or_else(|| "seconds: a number or nothing is needed".to_owned())
    };
    let mute = fields.flag("mute").unwrap_or(false);
    Ok(match &*text("do")? {
        "ban" => {
            let reason = fields.shared("reason").unwrap_or_default();
            AdminRequest::Ban {
                order: BanOrder { target: text("target")?, time: time()?, reason, mute },
                room: room()?,
            }
        }
        "unban" => AdminRequest::Unban { target: text("target")?, mute, room: room()? },
        "add" => AdminRequest::AddAccount { nick: text("nick")?, key: text("key")? },
        "delete" => AdminRequest::DeleteAccount(text("nick")?),
        "delete-room" => AdminRequest::DeleteRoom(text("room")?),
        "keep" => AdminRequest::Keep { room: text("room")?, time: time()? },
        "announce" => AdminRequest::Announce(text("text")?),
        "shutdown" => AdminRequest::Shutdown(text("why")?),
        other => return Err(format!("do: `{other}` is nothing that an operator can ask")),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn requests_cross_as_they_are() {
        let (a, room): (Arc<str>, Option<Arc<str>>) = (Arc::from("a\n\"b"), Some(Arc::from("#r")));
        let order = |time| BanOrder { target: a.clone(), time, reason: a.clone(), mute: true };
        for request in [
            AdminRequest::Ban { order: order(Some(Duration::from_secs(9))), room: room.clone() },
            AdminRequest::Ban { order: order(None), room: None },
            AdminRequest::Unban { target: a.clone(), mute: false, room },
            AdminRequest::AddAccount { nick: a.clone(), key: a.clone() },
            AdminRequest::DeleteAccount(a.clone()),
            AdminRequest::DeleteRoom(a.clone()),
            AdminRequest::Keep { room: a.clone(), time: Some(Duration::from_secs(1)) },
            AdminRequest::Keep { room: a.clone(), time: None },
            AdminRequest::Announce(a.clone()),
            AdminRequest::Shutdown(a.clone()),
        ] {
            let line = write_request(&request).to_string();
            assert!(!line.contains('\n'));
            assert_eq!(read_request(line.as_bytes()).unwrap(), request);
        }
    }

    #[test]
    fn what_is_none_is_named() {
        for (line, why) in [
            ("nonsense", "not a JSON object"),
            ("{}", "do: a string is needed"),
            ("{\"do\":\"dance\"}", "do: `dance` is nothing"),
            ("{\"do\":\"ban\"}", "target: a string is needed"),
            ("{\"do\":\"ban\",\"target\":\"a\",\"room\":7}", "room: a string or nothing"),
            ("{\"do\":\"keep\",\"room\":\"#r\",\"seconds\":\"long\"}", "seconds: a number or nothing"),
        ] {
            assert!(read_request(line.as_bytes()).unwrap_err().contains(why), "{line}");
        }
    }
}
