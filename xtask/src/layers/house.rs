//! What is allowed: the tables every checker reads.

/// One of our crates and those of ours that its code may use.
pub struct Room {
    /// The package's name.
    pub name: &'static str,
    /// Packages of ours it may depend on.
    pub uses: &'static [&'static str],
}

/// The house, top row first. A crate that is not here is an error, so that each new one gets a row.
pub const ROOMS: &[Room] = &[
    Room {
        name: "nacre",
        uses: &[
            "nacre-wire",
            "nacre-proto",
            "nacre-crypto",
            "nacre-sftp",
            "nacre-agent",
            "nacre-config",
            "nacre-sys",
            "nacre-net",
            "nacre-files",
            "nacre-chat",
            "nacre-chat-server",
            "nacre-lab",
        ],
    },
    Room {
        name: "nacre-net",
        uses: &["nacre-wire", "nacre-proto", "nacre-sftp", "nacre-agent", "nacre-config", "nacre-sys"],
    },
    // Hashes for verification are the one thing of crypto's that moving files needs.
    Room { name: "nacre-files", uses: &["nacre-wire", "nacre-sftp", "nacre-sys", "nacre-crypto"] },
    Room { name: "nacre-lab", uses: &["nacre-wire", "nacre-proto", "nacre-crypto"] },
    Room { name: "nacre-chat-server", uses: &["nacre-chat"] },
    Room { name: "nacre-config", uses: &["nacre-wire", "nacre-crypto"] },
    Room { name: "nacre-crypto", uses: &["nacre-wire", "nacre-proto"] },
    Room { name: "nacre-proto", uses: &["nacre-wire"] },
    Room { name: "nacre-sftp", uses: &["nacre-wire"] },
    Room { name: "nacre-agent", uses: &["nacre-wire"] },
    Room { name: "nacre-wire", uses: &[] },
    Room { name: "nacre-chat", uses: &[] },
    Room { name: "nacre-sys", uses: &[] },
    Room { name: "nacre-testkit", uses: &["nacre-wire", "nacre-proto", "nacre-crypto"] },
    Room { name: "xtask", uses: &[] },
];

/// Crates that may be a dependency for tests only, with the reason.
pub const ONLY_FOR_TESTS: &[(&str, &str)] =
    &[("nacre-testkit", "peers made for tests have no business in a program that ships")];

/// The crates that take bytes and time as arguments and give bytes back.
pub const SANS_IO: &[&str] = &["nacre-wire", "nacre-proto", "nacre-sftp", "nacre-agent", "nacre-chat"];

/// Crates whose own code is as those above, but which name the cryptography themselves.
pub const SANS_IO_CODE: &[&str] = &["nacre-lab"];

/// Packages that none of the sans-IO crates may reach, however far down, with the reason.
pub const NO_IO_PACKAGES: &[(&str, &str)] = &[
    ("tokio", "a state machine has no runtime"),
    ("mio", "a state machine has no sockets"),
    ("socket2", "a state machine has no sockets"),
    ("async-io", "a state machine has no runtime"),
    ("rustix", "a state machine makes no system calls"),
    ("nix", "a state machine makes no system calls"),
    ("libc", "a state machine makes no system calls"),
    ("getrandom", "randomness comes in through the crypto traits, so that tests can fix it"),
    ("rand", "randomness comes in through the crypto traits, so that tests can fix it"),
    ("aws-lc-rs", "the core owns the crypto traits, not the crypto"),
    ("ring", "the core owns the crypto traits, not the crypto"),
    ("tracing", "steps are told to an Observer, not to a global"),
    ("log", "steps are told to an Observer, not to a global"),
];

/// A package that only some of our crates may name in their dependencies of any kind.
pub struct Reserved {
    /// The package.
    pub package: &'static str,
    /// The same as an identifier in code.
    pub ident: &'static str,
    /// Crates of ours that may name it.
    pub only: &'static [&'static str],
    /// Why the others may not.
    pub why: &'static str,
}

/// Packages reserved to some crates.
pub const RESERVED: &[Reserved] = &[
    Reserved {
        package: "aws-lc-rs",
        ident: "aws_lc_rs",
        only: &["nacre-crypto", "nacre-lab"],
        why: "one crate answers for the cryptography; the others ask it",
    },
    Reserved {
        package: "chacha20",
        ident: "chacha20",
        only: &["nacre-crypto"],
        why: "one crate answers for the cryptography; the others ask it",
    },
    Reserved {
        package: "poly1305",
        ident: "poly1305",
        only: &["nacre-crypto"],
        why: "one crate answers for the cryptography; the others ask it",
    },
    Reserved {
        package: "ssh-key",
        ident: "ssh_key",
        only: &["nacre-crypto"],
        why: "one crate answers for key formats; the others ask it",
    },
];

/// A path that code of the sans-IO crates may not name outside tests.
pub struct NoPath {
    /// Its segments; a longer path that begins or ends with them counts.
    pub path: &'static [&'static str],
    /// Why not.
    pub why: &'static str,
}

/// Paths that sans-IO code may not name.
pub const NO_IO_PATHS: &[NoPath] = &[
    NoPath { path: &["std", "net"], why: "a state machine has no sockets" },
    NoPath { path: &["std", "fs"], why: "a state machine has no files" },
    NoPath { path: &["std", "env"], why: "a state machine has no environment" },
    NoPath { path: &["std", "thread"], why: "a state machine has no threads" },
    NoPath { path: &["std", "process"], why: "a state machine starts nothing" },
    NoPath { path: &["std", "os"], why: "a state machine has no operating system" },
    NoPath { path: &["Instant", "now"], why: "time comes in as an argument, so that tests can move it" },
    NoPath { path: &["SystemTime", "now"], why: "time comes in as an argument, so that tests can move it" },
];

/// Methods that read a clock without naming one.
pub const CLOCK_METHODS: &[&str] = &["elapsed"];

/// An identifier that only some crates' code may hold outside tests.
pub struct ReservedIdent {
    /// The identifier.
    pub ident: &'static str,
    /// Crates of ours whose code may hold it, the one that defines it among them.
    pub only: &'static [&'static str],
    /// Why the others may not.
    pub why: &'static str,
}

/// Identifiers reserved to some crates.
pub const RESERVED_IDENTS: &[ReservedIdent] = &[ReservedIdent {
    ident: "dangerous_without_strict_kex",
    only: &["nacre-proto", "nacre-lab", "nacre-testkit"],
    why: "without strict key exchange a prefix of the conversation can be cut away unseen",
}];

/// The crate that alone may hold `unsafe`, tests included.
pub const UNSAFE_ONLY_IN: &str = "nacre-sys";

/// The most lines a source file may have.
pub const MOST_LINES: usize = 700;

/// File stems that name no idea.
pub const NO_NAMES: &[&str] = &["utils", "util"];
