//! `nacre serve --install`: what makes the server a service of the machine, printed for somebody who
//! looks at it and puts it in place. Nothing is written.

use crate::cli::serve::ServeArgs;
use crate::failure::Failure;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The folder of the password file and of host keys that are made, as a service has it.
const STATE: &str = "/var/lib/nacre";

/// Everything, in the order it is needed.
///
/// # Errors
/// The path of this program cannot be told or cannot stand in a unit file.
pub fn text(args: &ServeArgs) -> Result<String, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::new(format!("where is this program? {error}")))?;
    let mut command = word(&program)?;
    command.push_str(" serve");
    for (flag, path) in [("-f", &args.config_file), ("--state", &args.state)] {
        if let Some(path) = path {
            let _ = write!(command, " {flag} {}", word(&absolute(path)?)?);
        }
    }
    let mut out = STEPS.replace("PROGRAM", &program.display().to_string());
    for (name, unit) in [("nacre.service", service(&command)), ("nacre.socket", SOCKET.to_owned())] {
        let _ = write!(out, "\n# ======== /etc/systemd/system/{name} ========\n{unit}");
    }
    Ok(out)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// A path as one word of ExecStart= (systemd.service(5)): quoted, with what it would expand doubled.
fn word(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().filter(|text| !text.contains(char::is_control));
    let text = text.ok_or_else(|| {
        let failure = Failure::new(format!("{}: a unit file cannot name this path", path.display()));
        failure.hint("move it to a folder with a plain name")
    })?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    if text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    let doubled = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    Ok(format!("\"{doubled}\""))
}

const STEPS: &str = "\
# How this program becomes a service. Nothing has been written; do these steps as root.
#
# 1. The program, where only root can write. It is now PROGRAM
# 2. An account without rights, which the processes that talk to the network become:
#      useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin nacre
# 3. The folders:
#      install -d -m 0755 /etc/nacre
#      install -d -m 0700 /var/lib/nacre
# 4. The configuration, if the defaults are not what you want: /etc/nacre/sshd_config. Host keys are those
#    of /etc/ssh if there are any, else they are made in /var/lib/nacre. Check both:
#      PROGRAM serve -t && PROGRAM serve -T --why
# 5. The unit files below, each into the file that its heading names.
# 6. Another server may have port 22: stop it (systemctl disable --now ssh.socket ssh.service; keep a session
#    open until a new login has worked), or write another Port into the configuration.
# 7. Either the server opens its sockets itself:
#      systemctl daemon-reload && systemctl enable --now nacre.service
#    or the service manager does, and starts the server with the first connection:
#      systemctl daemon-reload && systemctl enable --now nacre.socket
# 8. See what it does:
#      systemctl status nacre; journalctl -u nacre -f
#
# Later: `systemctl reload nacre` reads the configuration again, a wrong one changes nothing. `systemctl restart
# nacre` leaves running sessions alone. A new version may replace the program while the server runs: connections
# go on with the old one until the restart.
";

fn service(command: &str) -> String {
    format!(
        "\
[Unit]
Description=Nacre secure shell server
After=network.target nss-user-lookup.target auditd.service

[Service]
# The server says when it listens, reads its configuration again and stops. A systemd before 253 knows no
# notify-reload: write Type=notify and ExecReload=/bin/kill -HUP $MAINPID
Type=notify-reload
NotifyAccess=main
ExecStart={command}

# Sessions are processes of their own and stay when the server is stopped, restarted or upgraded: only the
# server gets a signal, and the one that does not end them.
KillMode=process
KillSignal=SIGQUIT
TimeoutStopSec=45
Restart=on-failure
RestartSec=1
# 255 is a wrong configuration, which trying again does not mend.
RestartPreventExitStatus=255
# When memory is short and a process of some session is killed, the server goes on.
OOMPolicy=continue
# Sessions count as tasks and need descriptors; what bounds them is MaxStartups and the users' own limits.
TasksMax=infinity
LimitNOFILE=524288:524288
# {STATE}, for root alone.
StateDirectory=nacre
StateDirectoryMode=0700
# Messages carry their severity.
StandardError=journal
SyslogIdentifier=nacre

# The processes that strangers talk to confine themselves: an account without rights, no files, no new
# connections, few system calls. What stands below would hold for every session too, since sessions are
# children of the server, so it is off. Take away the # where sessions can do without.
#   no sudo, su, passwd or other set-user-id program:
#NoNewPrivileges=yes
#   nobody, root included, loads kernel modules, sets the clock, reads the kernel's log, changes its settings:
#ProtectKernelModules=yes
#ProtectClock=yes
#ProtectKernelLogs=yes
#ProtectKernelTunables=yes
#   /usr, /boot and /etc cannot be written, so nobody installs or configures anything:
#ProtectSystem=full
#   a /tmp that other services do not share:
#PrivateTmp=yes
#   no programs of other architectures, no other personalities, no realtime scheduling:
#SystemCallArchitectures=native
#LockPersonality=yes
#RestrictRealtime=yes

[Install]
WantedBy=multi-user.target
"
    )
}

const SOCKET: &str = "\
[Unit]
Description=Nacre secure shell server: its sockets

[Socket]
# While the manager listens, ListenAddress and Port of the configuration do not count.
ListenStream=22
# IPv4 and IPv6 by one socket.
BindIPv6Only=both
# One server for all connections, which counts them and remembers who failed. For one process a connection
# (Accept=yes) a template nacre@.service has to run `nacre serve -i`; then nothing is counted.
Accept=no
Backlog=1024
FileDescriptorName=ssh
# Many connections at once are the server's business (MaxStartups), not a reason to give up the socket.
TriggerLimitIntervalSec=0

[Install]
WantedBy=sockets.target
";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_whatever_it_holds() {
        assert_eq!(word(Path::new("/usr/bin/nacre")).unwrap(), "/usr/bin/nacre");
        assert_eq!(word(Path::new("/a b/100%/$x/\"q\"")).unwrap(), "\"/a b/100%%/$$x/\\\"q\\\"\"");
        assert!(word(Path::new("/a\nExecStart=/bin/sh")).is_err());
    }
}
