//! `nacre chat admin`: for operators at the machine. What shows reads the chat's file; the rest asks the server.

mod show;

use super::{FILE, folder};
use crate::cli::chat::{AdminArgs, AdminOrder};
use crate::failure::Failure;
use nacre_chat::{AdminAnswer, AdminRequest, RoomName, Time};
use nacre_chat_server::{Archive, admin};
use nacre_crypto::PublicKey;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The socket of operators at the machine, in the chat's folder.
pub(super) const SOCKET: &str = "chat.sock";

/// Does what was asked for.
///
/// # Errors
/// There is no such chat, its server does not run or refuses, or nobody reads what is printed.
pub fn run(args: &AdminArgs) -> Result<ExitCode, Failure> {
    let folder = folder(args.state.as_deref())?;
    match &args.order {
        AdminOrder::Accounts => show::accounts(&archive(&folder)?, args.json)?,
        AdminOrder::Rooms => show::rooms(&archive(&folder)?, args.json)?,
        AdminOrder::Bans => show::bans(&archive(&folder)?, args.json, now())?,
        AdminOrder::Export { room, since } => {
            let room = room.as_deref().map(room_name).transpose()?;
            let since = since.map_or(Time(0), |since| now().before(since));
            show::lines(&archive(&folder)?, args.json, room.as_ref(), since)?;
        }
        AdminOrder::Add { nick, key } => {
            let (nick, key) = (Arc::from(nick.as_str()), Arc::from(fingerprint(key)?));
            ask(&folder, args.json, &AdminRequest::AddAccount { nick, key })?;
        }
        AdminOrder::Ask(request) => ask(&folder, args.json, request)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn archive(folder: &Path) -> Result<Archive, Failure> {
    let failed = |error: nacre_chat_server::StoreError| {
        Failure::new(format!("no chat can be read: {error}"))
            .hint("`--state DIR` names the folder of `nacre chat serve`")
    };
    Archive::open(&folder.join(FILE)).map_err(failed)
}

fn room_name(text: &str) -> Result<RoomName, Failure> {
    RoomName::parse(text)
        .map_err(|why| Failure::new(format!("{}: {why}", nacre_wire::text::clean_line(text.as_bytes(), 64))))
}

/// A key's name, or that of the key in a file.
fn fingerprint(key: &str) -> Result<String, Failure> {
    if key.starts_with("SHA256:") {
        return Ok(key.to_owned());
    }
    let text = std::fs::read_to_string(key).map_err(|error| Failure::new(format!("{key}: {error}")))?;
    let public = PublicKey::parse_line(text.trim()).map_err(|why| Failure::new(format!("{key}: {why}")))?;
    Ok(public.fingerprint_sha256())
}

fn ask(folder: &Path, json: bool, request: &AdminRequest) -> Result<(), Failure> {
    let socket = folder.join(SOCKET);
    let answer = admin::ask(&socket, request).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Failure::new(format!("no server of the chat in {} runs, and only it can do that", folder.display()))
                .hint("start it with `nacre chat serve`; `--state DIR` names its folder")
        }
        _ => Failure::new(format!("{}: {error}", socket.display())),
    })?;
    match answer {
        AdminAnswer::Done if json => crate::output::print("{\"done\":true}\n"),
        AdminAnswer::Done => Ok(()),
        AdminAnswer::Refused(why) => Err(Failure::new(why.to_string())),
    }
}
