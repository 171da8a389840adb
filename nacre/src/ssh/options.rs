//! What the command line and the configuration files come to, and the transport's settings from that.

use super::offer;
use crate::cli::setting::Setting;
use crate::cli::ssh::SshArgs;
use crate::version;
use crate::world::Machine;
use nacre_config::client::{ClientOptions, ConfigFile, Invocation, resolve};
use nacre_config::{Check, Errors, World};
use nacre_proto::algorithm::{CipherAlgorithm, CompressionMethod, KexMethod, MacAlgorithm, SignatureAlgorithm};
use nacre_proto::{Keepalive, RekeyPolicy, TransportConfig};
use std::path::Path;
use std::time::Duration;

/// The machine's configuration file.
const MACHINE_FILE: &str = "/etc/ssh/ssh_config";
/// How long the host may take to show its key when ConnectTimeout does not say.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(120);
/// The same with a program in between, which may ask the person for passwords first.
const PROXY_PATIENCE: Duration = Duration::from_secs(600);

/// Reads everything that holds for the destination.
///
/// # Errors
/// Every mistake in the command line's options and in the files, with file and line.
pub fn effective(args: &SshArgs) -> Result<ClientOptions, Errors> {
    let host = args.destination.as_ref().map(|d| d.host.clone()).unwrap_or_default();
    let command = String::from_utf8_lossy(&args.command_bytes().unwrap_or_default()).into_owned();
    let fallbacks = match args.stdio_forward {
        Some(_) => &["ClearAllForwardings yes", "ExitOnForwardFailure yes"][..],
        None if args.chat => &["Port 2223", "RequestTTY yes"],
        None => &[],
    };
    let fallbacks = fallbacks.iter().map(|line| (*line).to_owned()).collect();
    let files = files(args.config_file.as_deref());
    resolved(Invocation { host, options: args.option_lines(), fallbacks, command, files, version: String::new() })
}

/// Reads everything that holds for a host, from lines of configuration and the files.
///
/// # Errors
/// As [`effective`].
pub fn effective_for(
    host: String,
    options: Vec<String>,
    command: String,
    config_file: Option<&Path>,
) -> Result<ClientOptions, Errors> {
    resolved(Invocation { host, options, command, files: files(config_file), ..Invocation::default() })
}

fn resolved(invocation: Invocation) -> Result<ClientOptions, Errors> {
    let version = version::COMPATIBLE_WITH.to_owned();
    resolve(&Machine, &offer::client_sets(), &Invocation { version, ..invocation })
}

fn files(config_file: Option<&Path>) -> Vec<ConfigFile> {
    let home = format!("{}/.ssh", Machine.account().home);
    let file = |path: String, include_base: &str, check, required| ConfigFile {
        path,
        include_base: include_base.to_owned(),
        check,
        required,
    };
    match config_file {
        Some(path) if path.as_os_str().eq_ignore_ascii_case("none") => Vec::new(),
        Some(path) => vec![file(path.to_string_lossy().into_owned(), &home, Check::None, true)],
        None => vec![
            file(format!("{home}/config"), &home, Check::OwnerAndMode, false),
            file(MACHINE_FILE.to_owned(), "/etc/ssh", Check::None, false),
        ],
    }
}

/// The transport's settings. `on_record` are the key types known for the host: they are asked for
/// first, so that the host shows the key that can be checked (threat H6).
pub fn transport(options: &ClientOptions, on_record: &[String]) -> TransportConfig {
    let mut host_keys = offer::by_name(&options.host_key_algorithms, SignatureAlgorithm::from_name);
    if !options.host_key_algorithms_set {
        let recorded = |algorithm: &SignatureAlgorithm| on_record.iter().any(|known| known == algorithm.key_type());
        // Without a CA to check it a certificate says no more than the key inside.
        host_keys.retain(|algorithm| !algorithm.is_certificate() || recorded(algorithm));
        host_keys.sort_by_key(|algorithm| (!algorithm.is_certificate(), !recorded(algorithm)));
    }
    let keepalive = Keepalive { interval: options.server_alive_interval, count_max: options.server_alive_count_max };
    let rekey = options.rekey_limit;
    let proxied = options.proxy_command.is_some() || !options.proxy_jump.is_empty();
    let patience = if proxied { PROXY_PATIENCE } else { HANDSHAKE_PATIENCE };
    TransportConfig {
        comment: options.version_addendum.clone().unwrap_or_default(),
        kex: offer::by_name(&options.kex_algorithms, KexMethod::from_name),
        host_key_algorithms: host_keys,
        ciphers: offer::by_name(&options.ciphers, CipherAlgorithm::from_name),
        macs: offer::by_name(&options.macs, MacAlgorithm::from_name),
        compression: match options.compression {
            true => vec![CompressionMethod::Zlib, CompressionMethod::None],
            false => vec![CompressionMethod::None],
        },
        rekey: RekeyPolicy {
            bytes: Some(rekey.bytes).filter(|bytes| *bytes > 0),
            time: Some(Duration::from_secs(rekey.seconds)).filter(|time| !time.is_zero()),
        },
        kex_timeout: options.connect_timeout.unwrap_or(patience),
        keepalive: Some(keepalive).filter(|k| !k.interval.is_zero()),
        ..TransportConfig::default()
    }
}

/// Leaves compression out where connections of others go through: who sees how long packets are and chooses what
/// stands beside a secret learns the secret (threat T15). Returns what to tell about it.
pub fn leave_out_compression(options: &mut ClientOptions, args: &SshArgs) -> Option<&'static str> {
    let forwards = args.stdio_forward.is_some() || !options.forwards.is_empty();
    if !forwards || !std::mem::take(&mut options.compression) {
        return None;
    }
    // What goes through a jump is encrypted, and nobody asked for each stop.
    let told = args.stdio_forward.is_none();
    told.then_some("Compression is left out beside forwarding: the length of packets would tell what is in them")
}

/// What is asked for and cannot be done, or must not be.
///
/// # Errors
/// The line to show.
pub fn check(options: &ClientOptions, args: &SshArgs) -> Result<(), String> {
    if let Some(reason) = &options.refuse_connection {
        return Err(format!("RefuseConnection: {reason}"));
    }
    if args.tunnel.is_some() {
        return Err("ssh: -w is not done yet".to_owned());
    }
    Ok(())
}

/// Refuses names from the command line that a shell would read as something else (threat H8):
/// `Match exec` and the like hand them to one. The command line's own reading has refused all other
/// such characters already.
///
/// # Errors
/// The line to show.
pub fn check_names(args: &SshArgs) -> Result<(), String> {
    let users = args.settings.iter().filter_map(|setting| match setting {
        Setting::Value { keyword: "User", argument, .. } => Some(argument),
        Setting::Value { .. } | Setting::Line(_) => None,
    });
    let mut names = users.chain(args.destination.as_ref().map(|destination| &destination.host));
    match names.find(|name| name.contains(['$', '\\'])) {
        Some(name) => Err(format!(
            "ssh: '{}': a name with '$' or '\\' is not taken from the command line; write it into the configuration file",
            nacre_wire::text::clean_line(name.as_bytes(), 64)
        )),
        None => Ok(()),
    }
}
