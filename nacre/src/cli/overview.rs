//! What `nacre` alone says.

/// The first words to somebody who has just typed the program's name.
pub(crate) fn text() -> String {
    format!(
        "\
nacre {} - a secure shell whose every step can be seen

Three commands to begin with:
  nacre try              a server, a client and a session in one go, no set-up
  nacre serve            let ssh into this account, on 127.0.0.1 port 2222
  nacre ssh USER@HOST    log in to another machine

`nacre --help` lists all commands, `nacre COMMAND --help` tells about one.
",
        crate::version::VERSION
    )
}
