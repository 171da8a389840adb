//! Nacre's server as root, on accounts of our making: who gets in, and what they are then.
//!
//! These tests need root that may change its own view of the files (`unshare --mount`).

use interop::client::{Call, Secrets};
use interop::keys::{KeyType, Owner, key};
use interop::pty::Terminal;
use interop::server::{GUEST, Make, PASSWORD, Server, Setup};

/// The clients that all this is tried with.
const CLIENTS: [Make; 4] = [Make::OpenSsh, Make::Dropbear, Make::Russh, Make::Nacre];

fn root_server() -> Server {
    Setup::new(Make::Nacre).as_root().start()
}

fn guest(make: Make, server: &Server) -> Call<'_> {
    Call::new(make, server).user(GUEST)
}

fn password(text: &str) -> Secrets {
    Secrets { password: text.to_owned(), ..Secrets::default() }
}

fn says(call: &Call<'_>, command: &str) -> String {
    let done = call.run(command, b"");
    assert_eq!(done.code, 0, "{command}: {}", done.errors());
    done.text().trim().to_owned()
}

mod own_accounts {
    use super::*;

    #[test]
    fn a_guest_s_key_makes_every_client_the_guest() {
        let server = root_server();
        for make in CLIENTS {
            assert_eq!(says(&guest(make, &server), "id -un; id -u; id -g"), "interop\n54321\n54321", "{make:?}");
        }
    }

    #[test]
    fn a_guest_s_password_is_that_of_the_shadow_file() {
        let server = root_server();
        for make in CLIENTS {
            let call = guest(make, &server).no_key();
            assert_eq!(says(&call.clone().secrets(password(PASSWORD)), "id -u"), "54321", "{make:?}");
            // Dropbear's client ends with 0 where the server breaks off.
            assert_eq!(call.secrets(password("wrong")).run("echo in", b"").text(), "", "{make:?}");
        }
    }

    #[test]
    fn a_session_is_the_guest_s_in_every_respect() {
        let server = root_server();
        let call = guest(Make::OpenSsh, &server);
        let home = server.path("home");
        assert_eq!(says(&call, "echo $HOME; pwd"), format!("{0}\n{0}", home.display()));
        assert_eq!(says(&call, "echo $USER $LOGNAME $SHELL"), "interop interop /bin/sh");
        // Nobody's rights are left over: no groups, no capabilities, no open files of the server's.
        assert_eq!(says(&call, "id -G"), "54321");
        assert_eq!(
            says(&call, "grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | sort -u | awk '{print $2}' | sort -u"),
            "0000000000000000"
        );
        assert_eq!(says(&call, "ls /proc/self/fd | tr '\\n' ' '"), "0 1 2 3");
        assert_eq!(
            says(&call, "cat /proc/$$/environ | tr '\\0' '\\n' | cut -d= -f1 | sort | tr '\\n' ' '"),
            "HOME LOGNAME MAIL PATH SHELL SSH_CLIENT SSH_CONNECTION USER"
        );
        assert_ne!(call.run("cat /etc/shadow", b"").code, 0);
    }

    #[test]
    fn a_terminal_belongs_to_the_guest() {
        let server = root_server();
        let mut command = guest(Make::OpenSsh, &server).words(&["-t"]).command(&["stat -c 'owner %U mode %a' $(tty)"]);
        let mut terminal = Terminal::start(&mut command, 80, 24);
        terminal.expect("owner interop mode 6");
        assert_eq!(terminal.end(), 0);
    }

    #[test]
    fn root_s_password_does_not_do_unless_told_so() {
        let prohibited = Setup::new(Make::Nacre).as_root().line("PermitRootLogin prohibit-password").start();
        let call = Call::new(Make::OpenSsh, &prohibited).user("root");
        assert_ne!(call.clone().no_key().secrets(password(PASSWORD)).run("true", b"").code, 0);
        assert_eq!(says(&call, "id -u"), "0");
        let allowed = root_server();
        let call = Call::new(Make::OpenSsh, &allowed).user("root").no_key().secrets(password(PASSWORD));
        assert_eq!(says(&call, "id -u"), "0");
    }

    #[test]
    fn nobody_and_strangers_do_not_get_in() {
        let server = root_server();
        for user in ["no-such-user", "nobody", "daemon"] {
            let call = Call::new(Make::OpenSsh, &server).user(user);
            assert_ne!(call.run("true", b"").code, 0, "{user}");
            assert_ne!(call.no_key().secrets(password(PASSWORD)).run("true", b"").code, 0, "{user}");
        }
        let stranger = guest(Make::OpenSsh, &server).key(&key(Owner::Stranger, KeyType::Ed25519));
        assert_ne!(stranger.run("true", b"").code, 0);
        // A link that nobody but root could follow is not followed for the guest.
        assert_eq!(says(&guest(Make::OpenSsh, &server), "id -u"), "54321");
    }

    #[test]
    fn nacre_s_client_logs_in_to_openssh_by_the_same_password() {
        let server = Setup::new(Make::OpenSsh).as_root().start();
        let call = guest(Make::Nacre, &server).no_key();
        assert_eq!(says(&call.clone().secrets(password(PASSWORD)), "id -u"), "54321");
        assert_ne!(call.secrets(password("wrong")).run("true", b"").code, 0);
    }
}
