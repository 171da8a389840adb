//! SIGHUP: the log file is opened again and the configuration read again. A wrong one changes nothing.

use super::audit::{self, Event};
use super::configuration::{self, Place};
use super::listener::Listener;
use super::shared::Shared;
use super::{log, notify, pam_can_be_used, style};
use crate::cli::serve::ServeArgs;
use crate::failure::Failure;
use nacre_config::kind::Keyword as _;
use nacre_config::server::{Keyword, ServerOptions};

/// What a server that runs took in hand when it was started.
const FIXED: &[Keyword] = &[
    Keyword::Port,
    Keyword::ListenAddress,
    Keyword::AddressFamily,
    Keyword::HostKey,
    Keyword::HostKeyAgent,
    Keyword::HostCertificate,
    Keyword::PidFile,
    Keyword::Sandbox,
    Keyword::SyslogFacility,
];

/// What a chat did, too.
const FIXED_FOR_CHAT: &[Keyword] =
    &[Keyword::ChatBackplane, Keyword::ChatBackplaneCredentials, Keyword::ChatBackplaneAuthorities, Keyword::ChatNode];

/// Does it; the log says what came of it.
pub(super) fn reload(args: &ServeArgs, place: &Place, shared: &Shared, listener: &mut Listener) {
    notify::reloading();
    log::reopen();
    let event = match read(args, place, shared) {
        Ok(options) => {
            let log::Style { level, json, .. } = style(args, &options);
            log::change(level, json);
            let fixed = fixed(place, shared, &options);
            shared.reload(options);
            Event::ServerReloaded { fixed }
        }
        Err(failure) => Event::ReloadFailed { reason: failure.message().to_owned() },
    };
    listener.reload();
    audit::write(&event);
    notify::ready(&event.line().text);
}

fn read(args: &ServeArgs, place: &Place, shared: &Shared) -> Result<ServerOptions, Failure> {
    let options = configuration::read(args, place)?;
    pam_can_be_used(&options, place)?;
    // Last, since it takes what it is given.
    if let Some(chat) = shared.chat.get() {
        chat.reload(&options.chat)?;
    }
    Ok(options)
}

/// The keywords that say something else now than when the server was started, and cannot be taken in while it runs.
fn fixed(place: &Place, shared: &Shared, options: &ServerOptions) -> Vec<&'static str> {
    let chats = if place.chat { FIXED_FOR_CHAT } else { &[] };
    let changed = FIXED.iter().chain(chats).filter(|keyword| options.differs(&shared.started, **keyword));
    changed.map(|keyword| keyword.name()).collect()
}
