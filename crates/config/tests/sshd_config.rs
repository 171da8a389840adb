//! `sshd_config` beyond what the `sshd` of this machine can be asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{MEMORY, machine_with};
use nacre_config::kind::{Keyword as _, Status};
use nacre_config::server::{
    self, AllowForwarding, CertificateQuestion, ConfigFile, Denied, Invocation, KeysQuestion, Keyword, Listen,
    MaxStartups, Overflow, PermitRootLogin, Permits,
};
use nacre_config::{AlgorithmSets, ConnectionOptions, Errors, MatchContext, Origin, ServerOptions};

fn with(config: &str) -> Result<ServerOptions, Errors> {
    let file = Some(ConfigFile { path: MEMORY.to_owned(), include_base: "/memory".to_owned(), required: true });
    let invocation = Invocation { file, options: Vec::new(), version: "OpenSSH_10.5".to_owned() };
    server::parse(&machine_with(config), &AlgorithmSets::default(), &invocation)
}

fn said(config: &str) -> String {
    let text = with(config).expect_err(config).to_string();
    text.lines().map(|line| line.split_once("/config: ").map_or(line, |(_, rest)| rest)).collect::<Vec<_>>().join("\n")
}

fn ann() -> MatchContext {
    MatchContext {
        user: Some("ann".to_owned()),
        groups: vec!["staff".to_owned(), "users".to_owned()],
        host: Some("web.example.com".to_owned()),
        address: Some("192.0.2.7".parse().unwrap()),
        local_address: Some("198.51.100.1".parse().unwrap()),
        local_port: Some(22),
        ..MatchContext::default()
    }
}

fn for_ann(config: &str) -> ConnectionOptions {
    with(config).unwrap_or_else(|errors| panic!("{errors}")).resolve(&ann())
}

#[test]
fn promises_of_the_defaults() {
    let server = with("").unwrap();
    assert_eq!(server.ports, [22]);
    assert_eq!(server.login_grace_time, Duration::from_secs(120));
    assert_eq!(server.max_startups, MaxStartups { start: 100, rate: 30, full: 1000 });
    assert_eq!(server.per_source_max_startups, None);
    assert_eq!((server.net_block_bits4, server.net_block_bits6), (32, 64));
    let p = &server.penalties;
    let seconds =
        [p.crash, p.auth_fail, p.invalid_user, p.refuse_connection, p.no_auth, p.grace_exceeded, p.min, p.max];
    assert_eq!(seconds.map(|d| d.as_secs()), [90, 5, 5, 10, 1, 10, 15, 600]);
    assert!(p.enabled && p.overflow == Overflow::Permissive && (p.max_sources4, p.max_sources6) == (65_536, 65_536));
    assert!(server.is_exempt("127.0.0.1".parse().unwrap()) && server.is_exempt("::1".parse().unwrap()));
    assert!(server.is_exempt("::ffff:127.0.0.1".parse().unwrap()) && !server.is_exempt("192.0.2.1".parse().unwrap()));
    assert!(server.strict_modes && !server.use_dns && server.warnings.is_empty());
    let one = server.resolve(&ann());
    assert_eq!((one.max_auth_tries, one.max_sessions, one.required_rsa_size), (6, 10, 2048));
    assert_eq!((one.client_alive_interval.as_secs(), one.client_alive_count_max), (60, 3));
    assert_eq!(one.unused_connection_timeout, Some(Duration::from_secs(600)));
    assert_eq!(one.permit_root_login, PermitRootLogin::ProhibitPassword);
    assert!(!one.permit_empty_passwords && !one.x11_forwarding && one.authentication_methods.is_empty());
    assert_eq!((one.rekey_limit.bytes, one.rekey_limit.seconds), (0, 3600));
}

#[test]
fn mistakes_name_the_place_and_the_way_out() {
    assert_eq!(
        said("Port 22\nPermitRootLogn no\nMatch User ann\nPort 22\n"),
        "line 2: Bad configuration option: PermitRootLogn (did you mean PermitRootLogin?)\n\
         line 4: Directive 'Port' is not allowed within a Match block: move it above the first Match\n\
         terminating, 2 bad configuration options"
    );
    let text = said("PasswordAuthentication off");
    assert!(text.starts_with("line 1: PasswordAuthentication: bad value \"off\": use yes, no"), "{text}");
    assert!(said("Match Usr ann").contains("did you mean user?"));
    assert!(said("Include config").contains("too many recursive"));
    assert!(said(&"Include config\n".repeat(9)).contains("too many recursive"));
}

#[test]
fn a20_what_would_widen_access_stops() {
    let line = "RDomain vrf1";
    assert!(said(line).contains("not done yet, and "));
    // Below a Match it may apply later: the start is the time to say so.
    assert!(said(&format!("Match User nobody\n{line}")).contains("not done yet"));
    for line in
        ["ChrootDirectory none", "ChrootDirectory /srv/%u", "ChannelTimeout none", "ChannelTimeout session:*=10m"]
    {
        assert!(with(line).is_ok(), "{line}");
    }
    for line in ["HostbasedAuthentication yes", "GSSAPIAuthentication yes", "PermitTunnel yes"] {
        let warnings = with(line).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].to_string().contains("line 1: "), "{line}: {warnings:?}");
        assert!(warnings[0].text.contains("not done yet"), "{line}");
    }
    // What a distribution ships says nothing.
    let stock = "Include /etc/ssh/no-such.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\nX11Forwarding yes\n\
        PrintMotd no\nAcceptEnv LANG LC_*\nSubsystem sftp /usr/lib/openssh/sftp-server\nGSSAPICleanupCredentials no\n\
        Protocol 2\nUsePrivilegeSeparation sandbox\nCompression delayed\n";
    assert_eq!(with(stock).unwrap().warnings.len(), 0);
    assert!(with(stock).unwrap().use_pam);
}

/// Per keyword: a value that is not the default, and how it prints (as written when empty).
const MATRIX: &[(&str, &str, &str)] = &[
    ("Port", "2200", ""),
    ("AddressFamily", "inet", ""),
    ("UsePAM", "yes", ""),
    ("PAMServiceName", "login", ""),
    ("LoginGraceTime", "1m", "60"),
    ("MaxAuthTries", "2", ""),
    ("MaxSessions", "3", ""),
    ("ClientAliveInterval", "5", ""),
    ("ClientAliveCountMax", "9", ""),
    ("RequiredRSASize", "4096", ""),
    ("ChannelTimeout", "session:shell=5m direct-*=1h", ""),
    ("HostKeyAgent", "/run/agent", ""),
    ("UnusedConnectionTimeout", "none", ""),
    ("PermitRootLogin", "no", ""),
    ("PubkeyAuthentication", "no", ""),
    ("PasswordAuthentication", "no", ""),
    ("KbdInteractiveAuthentication", "no", ""),
    ("PrintMotd", "no", ""),
    ("PrintLastLog", "no", ""),
    ("X11Forwarding", "yes", ""),
    ("PermitTTY", "no", ""),
    ("PermitUserRC", "no", ""),
    ("StrictModes", "no", ""),
    ("TCPKeepAlive", "no", ""),
    ("PermitEmptyPasswords", "yes", ""),
    ("GatewayPorts", "yes", ""),
    ("UseDNS", "yes", ""),
    ("AllowTcpForwarding", "local", ""),
    ("AllowAgentForwarding", "no", ""),
    ("DisableForwarding", "yes", ""),
    ("AllowStreamLocalForwarding", "no", ""),
    ("StreamLocalBindMask", "0117", ""),
    ("StreamLocalBindUnlink", "yes", ""),
    ("FingerprintHash", "md5", "MD5"),
    ("ExposeAuthInfo", "yes", ""),
    ("RefuseConnection", "yes", ""),
    ("PidFile", "/tmp/x.pid", ""),
    ("Ciphers", "aes128-ctr", ""),
    ("MACs", "hmac-sha2-512", ""),
    ("KexAlgorithms", "ecdh-sha2-nistp256", ""),
    ("HostKeyAlgorithms", "ecdsa-sha2-nistp256", ""),
    ("PubkeyAcceptedAlgorithms", "ssh-ed25519", ""),
    ("CASignatureAlgorithms", "ssh-ed25519,rsa-sha2-512", ""),
    ("TrustedUserCAKeys", "/etc/ssh/ca.pub", ""),
    ("RevokedKeys", "/etc/ssh/revoked", ""),
    ("PubkeyAuthOptions", "verify-required touch-required", "touch-required verify-required"),
    ("AuthorizedPrincipalsFile", "/etc/ssh/names/%u", ""),
    ("HostCertificate", "/etc/ssh/host-cert.pub", ""),
    ("Banner", "/etc/issue", ""),
    ("ForceCommand", "echo \"a  b\"", ""),
    ("VersionAddendum", "hello there", ""),
    ("LogLevel", "QUIET", ""),
    ("SyslogFacility", "LOCAL1", ""),
    ("AuthorizedKeysFile", "/etc/keys/%u", ""),
    ("AuthorizedKeysCommandUser", "nobody", ""),
    ("AuthorizedPrincipalsCommandUser", "nobody", ""),
    ("Sandbox", "no", ""),
    ("LogFormat", "json", ""),
    ("ChatGuests", "yes", ""),
    ("ChatRegistration", "closed", ""),
    ("ChatRooms", "closed", ""),
    ("ChatLobby", "hall", ""),
    ("ChatMotd", "/etc/nacre/motd", ""),
    ("ChatNames", "/etc/nacre/names", ""),
    ("ChatOperators", "/etc/nacre/operators SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", ""),
    ("ChatKeep", "30d", "2592000"),
    ("ChatBackplane", "tls://nats.example:4222", ""),
    ("ChatBackplaneCredentials", "/etc/nacre/nats.creds", ""),
    ("ChatBackplaneAuthorities", "/etc/nacre/ca.pem", ""),
    ("ChatNode", "north-1", ""),
    ("PermitUserEnvironment", "LANG,LC_*", ""),
    ("HostKey", "/tmp/key", ""),
    ("AllowUsers", "ann", ""),
    ("DenyUsers", "bob", ""),
    ("AllowGroups", "staff", ""),
    ("DenyGroups", "guests", ""),
    ("AcceptEnv", "LANG", ""),
    ("SetEnv", "A=1", ""),
    ("AuthenticationMethods", "publickey,password", ""),
    ("Subsystem", "sftp internal-sftp -R", ""),
    ("MaxStartups", "1:2:3", ""),
    ("PerSourceMaxStartups", "4", ""),
    ("PerSourceNetBlockSize", "24:48", ""),
    ("PerSourcePenaltyExemptList", "192.0.2.0/24", ""),
    ("IPQoS", "cs1 cs2", ""),
    ("RekeyLimit", "1K 1m", "1024 60"),
    ("Compression", "delayed", "yes"),
    ("ChrootDirectory", "/srv/%u", ""),
    ("PermitOpen", "db:1", ""),
    ("PermitListen", "*:1", ""),
];

#[test]
fn a20_every_option_in_and_out_of_match() {
    for (name, value, printed) in MATRIX {
        let keyword = Keyword::find(name).unwrap();
        let printed = if printed.is_empty() { value } else { printed };
        let line = format!("{} {printed}\n", name.to_ascii_lowercase());
        let of = |server: &ServerOptions, context: Option<&MatchContext>| {
            let prefix = format!("{} ", name.to_ascii_lowercase());
            server
                .dump(context)
                .lines()
                .filter(|l| l.starts_with(&prefix))
                .map(|l| format!("{l}\n"))
                .collect::<String>()
        };
        let plain = of(&with("").unwrap(), None);
        assert_ne!(plain, line, "{name}: the sample is the default");
        let global = with(&format!("{name} {value}\n")).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(of(&global, None), line, "{name}");
        assert_ne!(global.origin(keyword), Origin::Default, "{name}");
        let below = with(&format!("Match User ann\n{name} {value}\n"));
        if !keyword.row().in_match {
            assert!(below.unwrap_err().to_string().contains("not allowed within a Match block"), "{name}");
            continue;
        }
        let below = below.unwrap();
        assert_eq!(of(&below, Some(&ann())), line, "{name} for ann");
        let bob = MatchContext { user: Some("bob".to_owned()), ..ann() };
        assert_eq!(of(&below, Some(&bob)), plain, "{name} for bob");
        assert_eq!(of(&below, None), plain, "{name} for nobody");
    }
    // What is applied is in the matrix, or has a test of its own.
    let apart = [
        "Match",
        "Include",
        "ListenAddress",
        "PerSourcePenalties",
        "AuthorizedKeysCommand",
        "AuthorizedPrincipalsCommand",
    ];
    for keyword in Keyword::ALL.iter().filter(|keyword| keyword.row().status == Status::Applied) {
        let there = MATRIX.iter().any(|(name, ..)| *name == keyword.name()) || apart.contains(&keyword.name());
        assert!(there, "{} is in no test", keyword.name());
    }
}

#[test]
fn a_program_that_tells_keys_gets_what_its_line_says() {
    let question = KeysQuestion {
        user: "ann b",
        uid: 7,
        home: "/home/ann",
        key_type: "ssh-ed25519",
        key: "AAAA",
        fingerprint: "SHA256:x",
        peer: "192.0.2.7:4000".parse().unwrap(),
        local: "[2001:db8::1]:22".parse().unwrap(),
        certificate: None,
    };
    let words = |line: &str| {
        let text = format!("Match User ann\nAuthorizedKeysCommand {line}\nAuthorizedKeysCommandUser nobody\n");
        for_ann(&text).keys_command(&question).unwrap()
    };
    assert_eq!(words("none"), None);
    assert_eq!(words("/usr/bin/keys").unwrap(), ["/usr/bin/keys", "ann b"]);
    let all = "/usr/bin/keys %u '%h %U' \"a  b\" %t %k %f %C %% x%D";
    let connection = "192.0.2.7 4000 2001:db8::1 22";
    let given = ["ann b", "/home/ann 7", "a  b", "ssh-ed25519", "AAAA", "SHA256:x", connection, "%", "x"];
    assert_eq!(words(all).unwrap()[1..], given);
    let certificate = CertificateQuestion {
        id: "ann at work",
        serial: 7,
        ca_type: "ecdsa-sha2-nistp256",
        ca_key: "BBBB",
        ca_fingerprint: "SHA256:y",
    };
    let question = KeysQuestion { certificate: Some(certificate), ..question };
    let text =
        "AuthorizedPrincipalsCommand /usr/bin/names %u %i %s %T %K %F %f\nAuthorizedPrincipalsCommandUser nobody\n";
    let given = ["/usr/bin/names", "ann b", "ann at work", "7", "ecdsa-sha2-nistp256", "BBBB", "SHA256:y", "SHA256:x"];
    assert_eq!(for_ann(text).principals_command(&question).unwrap().unwrap(), given);
    for (line, why) in [
        ("AuthorizedPrincipalsCommand /usr/bin/names %u", "AuthorizedPrincipalsCommandUser"),
        ("AuthorizedKeysCommand /usr/bin/keys %i\nAuthorizedKeysCommandUser nobody", "unknown key %i"),
        ("AuthorizedKeysCommand /usr/bin/keys %u", "AuthorizedKeysCommandUser"),
        ("AuthorizedKeysCommand keys\nAuthorizedKeysCommandUser nobody", "the absolute path"),
        ("AuthorizedKeysCommand /usr/bin/keys %x\nAuthorizedKeysCommandUser nobody", "unknown key %x"),
        ("AuthorizedKeysCommand /usr/bin/keys 'x\nAuthorizedKeysCommandUser nobody", "quotes"),
    ] {
        assert!(said(line).contains(why), "{line}: {}", said(line));
    }
}

#[test]
fn a19_the_least_key_of_all_sections_is_known() {
    assert_eq!(with("").unwrap().least_rsa_size(), 2048);
    assert_eq!(with("RequiredRSASize 4096\nMatch User ann\nPermitTTY no\n").unwrap().least_rsa_size(), 4096);
    let three = "RequiredRSASize 3072\nMatch User ann\nRequiredRSASize 1024\nMatch User bob\nRequiredRSASize 4096\n";
    assert_eq!(with(three).unwrap().least_rsa_size(), 1024);
}

#[test]
fn users_set_their_own_variables_where_they_may() {
    let of = |line: &str| with(line).unwrap().permit_user_environment;
    assert_eq!((of(""), of("PermitUserEnvironment no")), (None, None));
    assert_eq!(of("PermitUserEnvironment yes").as_deref(), Some("*"));
    assert_eq!(of("PermitUserEnvironment LANG,LC_*").as_deref(), Some("LANG,LC_*"));
}

#[test]
fn a20_blocks_override_and_the_first_of_them_wins() {
    let one = for_ann(
        "MaxAuthTries 9\nAcceptEnv G\nMatch Group staff\nMaxAuthTries 2\nAcceptEnv A\nMatch User ann\nMaxAuthTries 3\n\
         AcceptEnv B\nMaxSessions 1\nMatch User bob\nMaxSessions 99\n",
    );
    assert_eq!((one.max_auth_tries, one.max_sessions), (2, 1));
    assert_eq!(one.accept_env, ["A", "B"]);
    let one = for_ann("Subsystem sftp internal-sftp\nSubsystem x /bin/x\nMatch User ann\nSubsystem sftp /bin/false\n");
    let of = |name: &str| one.subsystems.iter().find(|s| s.name == name).unwrap().command.clone();
    assert_eq!((of("sftp"), of("x")), ("/bin/false".to_owned(), "/bin/x".to_owned()));
    // Files can be moved when nothing is said of it, or only of something else.
    for lines in ["", "Subsystem x /bin/x\n", "Match User ann\nSubsystem x /bin/x\n"] {
        let one = for_ann(lines);
        let sftp = one.subsystems.iter().find(|s| s.name == "sftp").unwrap();
        assert_eq!(sftp.command, "internal-sftp");
        assert_eq!(one.subsystems.len(), if lines.is_empty() { 1 } else { 2 });
    }
}

#[test]
fn criteria() {
    let holds = |line: &str, context: &MatchContext| {
        with(&format!("Match {line}\nMaxAuthTries 2\n")).unwrap().resolve(context).max_auth_tries == 2
    };
    for (line, wanted) in [
        ("All", true),
        ("all", true),
        ("User ann", true),
        ("User !ann,*", false),
        ("User=ann", true),
        ("Group users", true),
        ("Group wheel", false),
        ("Group *,!staff", false),
        ("Host *.example.com", true),
        ("Host *.EXAMPLE.com", true),
        ("Host 192.0.2.*", false),
        ("Address 192.0.2.0/24", true),
        ("Address 192.0.2.*", true),
        ("Address *,!192.0.2.7", false),
        ("LocalAddress 198.51.100.0/24", true),
        ("LocalPort 22", true),
        ("LocalPort 23", false),
        ("RDomain *", false),
        ("Version OpenSSH_10*", true),
        ("Invalid-User", false),
        ("User ann Address 198.51.100.0/24", false),
        ("User ann Group staff LocalPort 22", true),
    ] {
        assert_eq!(holds(line, &ann()), wanted, "{line}");
    }
    let nobody = MatchContext::default();
    for line in ["User *", "Group *", "Host *", "Address *", "LocalAddress *", "LocalPort 22", "RDomain *"] {
        assert!(!holds(line, &nobody), "{line} for a connection of which nothing is known");
    }
    assert!(holds("Invalid-User", &MatchContext { invalid_user: true, ..ann() }));
    assert!(holds("Host 192.0.2.7", &MatchContext { host: None, ..ann() }), "without a name the address is the name");
    assert!(holds("Address 192.0.2.7", &MatchContext { address: Some("::ffff:192.0.2.7".parse().unwrap()), ..ann() }));
}

#[test]
fn a20_the_master_switch_covers_every_forwarding() {
    let all = "AllowTcpForwarding yes\nAllowStreamLocalForwarding yes\nAllowAgentForwarding yes\nX11Forwarding yes\n";
    let open = for_ann(all);
    assert_eq!(open.allow_tcp_forwarding, AllowForwarding { local: true, remote: true });
    assert!(open.x11_forwarding && open.allow_agent_forwarding);
    for config in [format!("{all}DisableForwarding yes\n"), format!("{all}Match User ann\nDisableForwarding yes\n")] {
        let shut = for_ann(&config);
        assert_eq!(shut.allow_tcp_forwarding, AllowForwarding::default());
        assert_eq!(shut.allow_stream_local_forwarding, AllowForwarding::default());
        assert!(!shut.x11_forwarding && !shut.allow_agent_forwarding && shut.disable_forwarding);
    }
    assert_eq!(for_ann("PermitOpen none").permit_open, Permits::None);
    assert!(matches!(for_ann("PermitListen 8080 *:9090").permit_listen, Permits::Only(list) if list.len() == 2));
}

#[test]
fn a20_limits_on_startups_and_penalties() {
    let of = |config: &str| with(config).unwrap();
    assert_eq!(of("MaxStartups 3").max_startups, MaxStartups { start: 3, rate: 30, full: 3 });
    for bad in ["0", "-1", "3:", "3:30:2", "3:0:5", "3:101:5", "a", "1:2:3:4", "99999999999"] {
        assert!(with(&format!("MaxStartups {bad}")).is_err(), "{bad}");
    }
    let p = of("PerSourcePenalties authfail:2.5 max:1h\nPerSourcePenalties authfail:9 noauth:500ms overflow6:deny-all")
        .penalties;
    assert_eq!(p.auth_fail, Duration::from_millis(2500), "the first wins");
    assert_eq!((p.no_auth, p.max), (Duration::from_millis(500), Duration::from_secs(3600)));
    assert_eq!((p.overflow, p.overflow6), (Overflow::Permissive, Overflow::DenyAll));
    assert!(!of("PerSourcePenalties no").penalties.enabled);
    for bad in ["maybe", "authfail", "authfail:", "authfail:soon", "nosuch:1", "overflow:some", "max-sources4:0"] {
        assert!(with(&format!("PerSourcePenalties {bad}")).is_err(), "{bad}");
    }
    let dump = of("PerSourcePenalties authfail:2.5").dump(None);
    assert!(
        dump.contains("persourcepenalties crash:90 authfail:2.5 invaliduser:5 noauth:1 grace-exceeded:10"),
        "{dump}"
    );
    assert!(!of("PerSourcePenaltyExemptList 192.0.2.0/24").is_exempt("127.0.0.1".parse().unwrap()));
    assert!(!of("PerSourcePenaltyExemptList none").is_exempt("127.0.0.1".parse().unwrap()));
    assert!(with("PerSourcePenaltyExemptList 192.0.2.0/33").is_err());
    assert_eq!(of("PerSourceNetBlockSize 24").net_block_bits6, 64);
}

#[test]
fn addresses_to_listen_on() {
    let of = |config: &str| with(config).unwrap();
    let server =
        of("Port 1\nPort 2\nListenAddress [::1]:2203\nListenAddress web\nListenAddress 127.0.0.1:4\nListenAddress ::1");
    assert_eq!(server.ports, [1, 2]);
    assert_eq!(server.listen_addresses[0], Listen { host: "::1".to_owned(), port: Some(2203) });
    assert_eq!(server.listen_addresses[3], Listen { host: "::1".to_owned(), port: None });
    let lines: Vec<String> =
        server.dump(None).lines().filter_map(|l| l.strip_prefix("listenaddress ").map(str::to_owned)).collect();
    assert_eq!(lines, ["[::1]:2203", "web:1", "web:2", "127.0.0.1:4", "[::1]:1", "[::1]:2"]);
    for bad in ["127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:", "[::1", "[::1]x", "\"a b\"", "127.0.0.1 rdomain x"] {
        assert!(with(&format!("ListenAddress {bad}")).is_err(), "{bad}");
    }
}

#[test]
fn who_may_log_in() {
    let may = |config: &str, user: &str, groups: &[&str], host: Option<&str>, address: &str| {
        let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        for_ann(config).may_log_in(user, &groups, host, address.parse().unwrap())
    };
    let here = "192.0.2.7";
    assert_eq!(may("", "ann", &[], None, here), Ok(()));
    assert_eq!(may("AllowUsers ann bob", "bob", &[], None, here), Ok(()));
    assert_eq!(may("AllowUsers ann bob", "eve", &[], None, here), Err(Denied::AllowUsers));
    assert_eq!(may("AllowUsers ann@192.0.2.0/24", "ann", &[], None, here), Ok(()));
    assert_eq!(may("AllowUsers ann@192.0.2.0/24", "ann", &[], None, "198.51.100.1"), Err(Denied::AllowUsers));
    assert_eq!(may("AllowUsers ann@192.0.2.0/24,!192.0.2.7", "ann", &[], None, here), Err(Denied::AllowUsers));
    assert_eq!(may("AllowUsers *@*.example.com", "ann", &[], Some("web.example.com"), here), Ok(()));
    assert_eq!(may("AllowUsers *@*.example.com", "ann", &[], None, here), Err(Denied::AllowUsers));
    assert_eq!(may("AllowUsers ann\nDenyUsers a*", "ann", &[], None, here), Err(Denied::DenyUsers));
    assert_eq!(may("AllowGroups staff", "ann", &["users", "staff"], None, here), Ok(()));
    assert_eq!(may("AllowGroups staff", "ann", &[], None, here), Err(Denied::AllowGroups));
    assert_eq!(may("AllowGroups *\nDenyGroups guests", "ann", &["guests"], None, here), Err(Denied::DenyGroups));
    assert_eq!(may("AllowUsers ann\nAllowGroups staff", "ann", &["users"], None, here), Err(Denied::AllowGroups));
    assert_eq!(may("DenyUsers bob\nMatch User ann\nDenyUsers ann", "ann", &[], None, here), Err(Denied::DenyUsers));
    assert!(with("DenyUsers ann@192.0.2.0/33").is_err(), "a mask that cannot be must not become a hole");
}

#[test]
fn a15_the_folder_that_is_all_there_is() {
    let folder = |config: &str, user: &str| for_ann(config).chroot_of(user, 1000, "/home/ann");
    assert_eq!(folder("", "ann"), Ok(None));
    assert_eq!(folder("ChrootDirectory none", "ann"), Ok(None));
    assert_eq!(folder("ChrootDirectory /srv/%u/%U%%", "ann"), Ok(Some("/srv/ann/1000%".to_owned())));
    assert_eq!(folder("ChrootDirectory %h", "ann"), Ok(Some("/home/ann".to_owned())));
    assert_eq!(
        folder("ChrootDirectory /srv\nMatch User ann\nChrootDirectory /jail", "ann"),
        Ok(Some("/jail".to_owned()))
    );
    for sly in ["../x", "a/b", "..", ""] {
        assert!(folder("ChrootDirectory /srv/%u", sly).is_err(), "{sly:?}");
    }
    for odd in ["ChrootDirectory srv", "ChrootDirectory /srv/%q", "ChrootDirectory /srv/%"] {
        assert!(folder(odd, "ann").is_err(), "{odd}");
    }
}

#[test]
fn a15_where_keys_are_looked_for() {
    let files = |config: &str, user: &str, home: &str| {
        let found = for_ann(config).authorized_keys_files(user, 1000, home);
        found.map(|files| files.into_iter().map(|f| (f.path, f.is_pattern)).collect::<Vec<_>>())
    };
    let plain = |path: &str| (path.to_owned(), false);
    assert_eq!(
        files("", "ann", "/home/ann").unwrap(),
        [plain("/home/ann/.ssh/authorized_keys"), plain("/home/ann/.ssh/authorized_keys2")]
    );
    assert_eq!(
        files("AuthorizedKeysFile /etc/keys/%u %h/k/%U %%x", "ann", "/home/ann").unwrap(),
        [plain("/etc/keys/ann"), plain("/home/ann/k/1000"), plain("/home/ann/%x")]
    );
    assert_eq!(
        files("AuthorizedKeysFile .ssh/keys.d/*.%u", "a*n", "/home/[x]").unwrap(),
        [("/home/\\[x\\]/.ssh/keys.d/*.a\\*n".to_owned(), true)]
    );
    assert!(files("AuthorizedKeysFile none", "ann", "/home/ann").unwrap().is_empty());
    for sly in ["../x", "a/b", "..", ".", "", "a\nb", "x\0", "a..b"] {
        assert!(files("AuthorizedKeysFile /etc/keys/%u", sly, "/home/ann").is_err(), "{sly:?}");
    }
    for fine in ["-2", "-froot", "*)(uid=*"] {
        assert!(files("AuthorizedKeysFile /etc/keys/%u", fine, "/home/ann").is_ok(), "{fine:?}");
    }
    assert!(files("", "ann", "home/ann").is_err());
    assert!(files("AuthorizedKeysFile /etc/keys/%f", "ann", "/home/ann").is_err());
}

#[test]
fn origins_are_told() {
    let server = with("MaxAuthTries 4\nMatch User ann\nMaxAuthTries 2\nAcceptEnv A B\n").unwrap();
    let of = |context: Option<&MatchContext>, keyword: &str| {
        let why = server.dump_why(context);
        why.lines()
            .filter(|l| l.starts_with(keyword))
            .map(|l| l.rsplit('/').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(None, "maxauthtries "), ["config:1"]);
    assert_eq!(of(Some(&ann()), "maxauthtries "), ["config:3"]);
    assert_eq!(of(Some(&ann()), "acceptenv "), ["config:4", "config:4"]);
    assert_eq!(of(None, "maxsessions "), ["maxsessions 10 # default"]);
}

/// drop-in.md's list: everything OpenSSH 10.5 knows is known here.
const EVERYTHING: &str = "Port ListenAddress AddressFamily HostKey HostCertificate HostKeyAlgorithms Include Match \
    PermitRootLogin PubkeyAuthentication PasswordAuthentication KbdInteractiveAuthentication PermitEmptyPasswords \
    AuthenticationMethods AuthorizedKeysFile AuthorizedKeysCommand AuthorizedKeysCommandUser AuthorizedPrincipalsFile \
    AuthorizedPrincipalsCommand AuthorizedPrincipalsCommandUser TrustedUserCAKeys RevokedKeys AllowUsers DenyUsers \
    AllowGroups DenyGroups MaxAuthTries MaxSessions MaxStartups LoginGraceTime PerSourceMaxStartups \
    PerSourceNetBlockSize PerSourcePenalties PerSourcePenaltyExemptList ClientAliveInterval ClientAliveCountMax \
    TCPKeepAlive KexAlgorithms Ciphers MACs PubkeyAcceptedAlgorithms CASignatureAlgorithms RequiredRSASize RekeyLimit \
    Subsystem ForceCommand ChrootDirectory PermitTTY PermitUserEnvironment PermitUserRC AcceptEnv SetEnv \
    AllowTcpForwarding AllowAgentForwarding AllowStreamLocalForwarding DisableForwarding GatewayPorts PermitOpen \
    PermitListen X11Forwarding StreamLocalBindMask StreamLocalBindUnlink Banner PrintMotd PrintLastLog LogLevel \
    SyslogFacility StrictModes UseDNS UsePAM PidFile Compression ExposeAuthInfo ChannelTimeout \
    UnusedConnectionTimeout VersionAddendum FingerprintHash GSSAPIAuthentication GSSAPICleanupCredentials \
    GSSAPIStrictAcceptorCheck GSSAPIDelegateCredentials KerberosAuthentication KerberosOrLocalPasswd \
    KerberosTicketCleanup KerberosGetAFSToken HostbasedAuthentication HostbasedUsesNameFromPacketOnly \
    HostbasedAcceptedAlgorithms HostKeyAgent IgnoreRhosts IgnoreUserKnownHosts IPQoS LogVerbose ModuliFile \
    PAMServiceName PermitTunnel PubkeyAuthOptions RDomain RefuseConnection SecurityKeyProvider SshdAuthPath \
    SshdSessionPath X11DisplayOffset X11UseLocalhost XAuthLocation";

#[test]
fn a20_every_keyword_is_known() {
    for word in EVERYTHING.split_ascii_whitespace() {
        assert!(Keyword::find(word).is_some(), "{word}");
    }
    for keyword in Keyword::ALL {
        let row = keyword.row();
        if let Status::NotYet { .. } = row.status {
            let harmless = row.default.is_empty() || row.quiet.contains(&row.default);
            assert!(harmless, "{}", keyword.name());
        }
        for alias in row.aliases {
            assert_eq!(Keyword::find(alias), Some(*keyword), "{alias}");
        }
    }
}

#[test]
fn a20_no_value_can_hurt() {
    let values = [
        "",
        "\"",
        "\"\"",
        "%",
        "${",
        "-",
        "-1",
        "999999999999999999999",
        "a b c",
        "none",
        "any",
        "*",
        "!",
        ":",
        "::",
        "[",
        "[]",
        "[]:1",
        "a@",
        "@",
        "a@b/99",
        "1:",
        "\u{e9}",
        "=",
        "0x",
        "\\",
        "+",
        "^",
        "-*",
        ",",
        "Match",
        "{}",
    ];
    for keyword in Keyword::ALL {
        for value in values {
            for config in
                [format!("{} {value}\n", keyword.name()), format!("Match User ann\n{} {value}\n", keyword.name())]
            {
                if let Ok(server) = with(&config) {
                    server.resolve(&ann());
                    server.dump_why(Some(&ann()));
                }
            }
        }
    }
}
