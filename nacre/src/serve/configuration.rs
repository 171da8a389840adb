//! Where the server's configuration is, and reading it.

use super::{mode, revoked, shared::Mode, state_folder};
use crate::cli::serve::{ConnectionSpec, ServeArgs};
use crate::cli::setting::server_lines;
use crate::failure::Failure;
use crate::version;
use crate::world::Machine;
use crate::{algorithms, state};
use nacre_config::server::{self, ConfigFile, Invocation, MatchContext, ServerOptions};
use std::path::{Path, PathBuf};

/// What depends on who runs the server and how it was called.
pub struct Place {
    /// Whom it serves.
    pub mode: Mode,
    /// The folder of the password file and of keys that are made.
    pub state: PathBuf,
    /// It serves nothing but the chat.
    pub chat: bool,
    /// The configuration file, which need not exist unless it was named.
    file: ConfigFile,
}

impl Place {
    /// Finds out.
    ///
    /// # Errors
    /// The account or its home folder cannot be told.
    pub fn of(args: &ServeArgs) -> Result<Self, Failure> {
        let mode = mode(args)?;
        let state = state_folder(args, &mode)?;
        let file = config_file(args, &mode)?;
        Ok(Self { mode, state, chat: args.chat, file })
    }

    /// True when it serves the machine.
    pub fn mode_is_root(&self) -> bool {
        matches!(self.mode, Mode::Root)
    }

    /// Host keys that a machine usually has; nothing for a server of one account.
    pub fn system_host_keys(&self) -> Vec<PathBuf> {
        let names = ["ed25519", "rsa", "ecdsa"];
        match self.mode {
            Mode::Root => names.iter().map(|kind| format!("/etc/ssh/ssh_host_{kind}_key").into()).collect(),
            Mode::User(_) => Vec::new(),
        }
    }
}

fn config_file(args: &ServeArgs, mode: &Mode) -> Result<ConfigFile, Failure> {
    let (path, required) = match (&args.config_file, mode) {
        (Some(path), _) => (absolute(path)?, true),
        (None, Mode::Root) if args.as_sshd => (PathBuf::from("/etc/ssh/sshd_config"), true),
        (None, Mode::Root) => (PathBuf::from("/etc/nacre/sshd_config"), false),
        (None, Mode::User(_)) => (user_config()?, false),
    };
    let text = |path: &Path| {
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| Failure::new(format!("{}: the path is not UTF-8", path.display())))
    };
    let base = path.parent().unwrap_or(Path::new("/"));
    let include_base = if required { "/etc/ssh".to_owned() } else { text(base)? };
    Ok(ConfigFile { path: text(&path)?, include_base, required })
}

/// A server that detaches leaves its folder, so relative names are resolved first.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn user_config() -> Result<PathBuf, Failure> {
    let xdg = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base = match xdg {
        Some(base) => base,
        None => state::home()?.join(".config"),
    };
    Ok(base.join("nacre/sshd_config"))
}

/// Reads the configuration: flags first, then our defaults' file.
///
/// # Errors
/// Every bad line, with file, line and the nearest word.
pub fn read(args: &ServeArgs, place: &Place) -> Result<ServerOptions, Failure> {
    let invocation = Invocation {
        file: Some(place.file.clone()),
        options: server_lines(&args.settings),
        version: version::compatible(),
    };
    let options = server::parse(&Machine, &algorithms::sets(), &invocation);
    let options = options.map_err(|errors| Failure::new(errors.to_string()))?;
    revoked::check(&options)?;
    Ok(options)
}

/// What `-T` prints.
pub fn dump(options: &ServerOptions, connection: Option<&ConnectionSpec>, why: bool) -> String {
    let context = connection.map(context);
    if why { options.dump_why(context.as_ref()) } else { options.dump(context.as_ref()) }
}

fn context(spec: &ConnectionSpec) -> MatchContext {
    let groups = spec.user.as_deref().and_then(|user| nacre_sys::account::Account::by_name(user).ok().flatten());
    MatchContext {
        user: spec.user.clone(),
        invalid_user: spec.invalid_user,
        groups: groups.and_then(|account| account.group_names().ok()).unwrap_or_default(),
        host: spec.host.clone(),
        address: spec.address.as_deref().and_then(|text| text.parse().ok()),
        local_address: spec.local_address.as_deref().and_then(|text| text.parse().ok()),
        local_port: spec.local_port,
        rdomain: spec.rdomain.clone(),
    }
}
