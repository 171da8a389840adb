//! `ssh_config` beyond what the `ssh` of this machine can be asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Folder, MEMORY, machine, machine_with};
use nacre_config::client::{
    self, AddKeysToAgent, ConfigFile, IdentityAgent, Invocation, Keyword, SessionType, StrictHostKeyChecking,
    option_line,
};
use nacre_config::kind::{Keyword as _, Status};
use nacre_config::{AlgorithmSets, Check, ClientOptions, Errors, Origin};

struct Ask<'a> {
    config: &'a str,
    host: &'a str,
    options: &'a [&'a str],
    command: &'a str,
}

fn ask(ask: &Ask<'_>) -> Result<ClientOptions, Errors> {
    let file = ConfigFile {
        path: MEMORY.to_owned(),
        include_base: "/memory".to_owned(),
        check: Check::OwnerAndMode,
        required: true,
    };
    let invocation = Invocation {
        host: ask.host.to_owned(),
        options: ask.options.iter().map(|o| (*o).to_owned()).collect(),
        fallbacks: Vec::new(),
        command: ask.command.to_owned(),
        files: vec![file],
        version: "OpenSSH_10.5".to_owned(),
    };
    client::resolve(&machine_with(ask.config), &AlgorithmSets::default(), &invocation)
}

fn with(config: &str) -> Result<ClientOptions, Errors> {
    ask(&Ask { config, host: "web", options: &[], command: "" })
}

fn said(config: &str) -> String {
    let text = with(config).expect_err(config).to_string();
    text.lines().map(|line| line.split_once("/config: ").map_or(line, |(_, rest)| rest)).collect::<Vec<_>>().join("\n")
}

#[test]
fn mistakes_name_the_place_and_the_way_out() {
    assert_eq!(
        said("Host *\n  Hostnmae x\n\n  Prot 22\n"),
        "line 2: Bad configuration option: hostnmae (did you mean HostName?)\n\
         line 4: Bad configuration option: prot (did you mean Port?)\n\
         terminating, 2 bad configuration options"
    );
    assert_eq!(
        said("StrictHostKeyChecking sometimes"),
        "line 1: StrictHostKeyChecking: bad value \"sometimes\": use yes, no, ask, accept-new, off, true, false\n\
         terminating, 1 bad configuration options"
    );
    assert!(said("Match usr bob").starts_with("line 1: Match: Unsupported Match attribute usr (did you mean user?)"));
    assert!(said("Ciphers aes128-cbc").contains("use a comma-separated list"));
    assert!(said("UseKeychain yes").contains("Bad configuration option: usekeychain"));
    let options = ["ControlPersist"];
    let error = ask(&Ask { config: "", host: "web", options: &options, command: "" }).unwrap_err().to_string();
    assert!(error.starts_with("command-line: line 0: no argument after keyword"), "{error}");
    let options = ["ContolPersist=yes"];
    let error = ask(&Ask { config: "", host: "web", options: &options, command: "" }).unwrap_err().to_string();
    let wanted = "command-line: line 0: Bad configuration option: contolpersist (did you mean ControlPersist?)";
    assert!(error.starts_with(wanted), "{error}");
    // An error in a block for another host is an error all the same.
    assert!(with("Host other\nPort x\n").is_err());
}

#[test]
fn a_command_for_host_keys_is_looked_at_before_it_is_needed() {
    for (line, why) in [
        ("KnownHostsCommand keys %H", "absolute path"),
        ("KnownHostsCommand /bin/keys %Z", "unknown key %Z"),
        ("LocalCommand echo %f", "unknown key %f"),
    ] {
        assert!(said(line).starts_with("line 1: ") && said(line).contains(why), "{line}: {}", said(line));
        assert!(with(&format!("Host other\n{line}")).is_ok(), "{line} for another host");
    }
    let options = with("KnownHostsCommand /bin/keys %H \"%t %I\" %K %f %p %% ${HOME}").unwrap();
    let command = options.known_hosts_command.unwrap();
    let words = command.words("ORDER", "[web]:22", None, &machine()).unwrap();
    let home = std::env::var("HOME").unwrap();
    assert_eq!(words, ["/bin/keys", "[web]:22", "NONE ORDER", "NONE", "NONE", "22", "%", &home]);
    let unset = "KnownHostsCommand /bin/keys ${NO_SUCH_VARIABLE}";
    assert!(said(unset).contains("environment variable NO_SUCH_VARIABLE is not set"), "{}", said(unset));
    assert_eq!(with("LocalCommand echo %h %T %%").unwrap().local_command.as_deref(), Some("echo web NONE %"));
    assert_eq!(with("KnownHostsCommand none\nRevokedHostKeys none").unwrap().revoked_host_keys, None);
}

/// The name that is connected to, and whether `Match canonical` held.
fn canonical(host: &'static str, config: &str) -> Result<(String, bool), String> {
    let config = format!("{config}\nMatch canonical\n  User canonical\nHost web.one.lan\n  Port 2201\n");
    let options = ask(&Ask { config: &config, host, options: &[], command: "" }).map_err(|error| error.to_string())?;
    assert_eq!(options.port == 2201, options.host_name == "web.one.lan", "the blocks of the whole name count");
    Ok((options.host_name, options.user == "canonical"))
}

#[test]
fn names_are_made_whole() {
    let yes = "CanonicalizeHostname yes\nCanonicalDomains one.lan two.lan";
    let name = |host, config: &str| canonical(host, config).unwrap();
    let whole = |name: &str, again| (name.to_owned(), again);
    assert_eq!(name("web", "CanonicalDomains one.lan"), whole("web", false));
    assert_eq!(name("web", yes), whole("web.one.lan", true));
    assert_eq!(name("db", yes), whole("db.two.lan", true));
    assert_eq!(name("nobody", yes), whole("nobody", true));
    assert_eq!(name("192.0.2.1", yes), whole("192.0.2.1", true));
    assert_eq!(name("web.one.lan.", yes), whole("web.one.lan", true));
    // With more dots than that a name is whole.
    assert_eq!(name("web.one", "CanonicalizeHostname yes\nCanonicalDomains lan"), whole("web.one.lan", true));
    let none = format!("{yes}\nCanonicalizeMaxDots 0");
    assert_eq!(name("web.one", &none.replace("one.lan two.lan", "lan")), whole("web.one", true));
    let strict = format!("{yes}\nCanonicalizeFallbackLocal no");
    assert!(canonical("nobody", &strict).unwrap_err().contains("Could not resolve host \"nobody\""));
    // A way through something else is asked to know names itself.
    let proxied = format!("{yes}\nProxyJump hop");
    assert_eq!(name("web", &proxied), whole("web", true));
    assert_eq!(name("web", &proxied.replace("yes", "always")), whole("web.one.lan", true));
}

#[test]
fn an_alias_is_followed_where_that_is_permitted() {
    let yes = "CanonicalizeHostname yes\nCanonicalDomains one.lan";
    let name = |host, rules: &str| canonical(host, &format!("{yes}\n{rules}")).unwrap().0;
    assert_eq!(name("www", ""), "www.one.lan");
    assert_eq!(name("www", "CanonicalizePermittedCNAMEs *.one.lan:*.two.lan"), "web.two.lan");
    assert_eq!(name("www", "CanonicalizePermittedCNAMEs *.one.lan:*.three.lan *.two.lan:*"), "www.one.lan");
    assert_eq!(name("www.one.lan", "CanonicalizePermittedCNAMEs *.lan:*.two.lan"), "web.two.lan");
}

#[test]
fn the_proxy_named_first_counts() {
    let proxies = |config: &str| {
        let options = with(config).unwrap();
        (options.proxy_command, options.proxy_jump.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    };
    let none = || (None, String::new());
    assert_eq!(proxies("ProxyJump none"), none());
    assert_eq!(proxies("ProxyCommand None"), none());
    assert_eq!(proxies("ProxyJump none\nProxyCommand nc x"), none());
    assert_eq!(proxies("ProxyCommand nc x\nProxyJump hop"), (Some("nc x".to_owned()), String::new()));
    assert_eq!(proxies("ProxyJump a,u@b:22,ssh://[::1]:9\nProxyCommand nc x"), (None, "a,u@b:22,[::1]:9".to_owned()));
}

#[test]
fn the_tokens_of_a_proxy_command() {
    let config = "HostName %h.example\nPort 2200\nUser bob\nHostKeyAlias key\nProxyCommand a %h %k %n %p %r %% '#' b";
    let wanted = "a web.example key web 2200 bob % '#' b";
    assert_eq!(with(config).unwrap().proxy_command.as_deref(), Some(wanted));
    for letter in ["d", "i", "L", "l", "u", "C", "j", "T"] {
        assert!(said(&format!("ProxyCommand a %{letter}")).contains(&format!("unknown key %{letter}")));
    }
}

#[test]
fn a20_what_is_skipped_is_told_once() {
    let warnings = |config: &str| with(config).unwrap().warnings.iter().map(ToString::to_string).collect::<Vec<_>>();
    for line in ["ForwardX11 yes", "VerifyHostKeyDNS yes", "Tunnel yes"] {
        let got = warnings(line);
        assert!(got.len() == 1 && got[0].contains("/config: line 1: ") && got[0].contains("not done yet"), "{got:?}");
    }
    for line in [
        "ForwardAgent no",
        "ForwardAgent yes",
        "ForwardAgent $NAME",
        "ForwardX11 no",
        "ControlMaster no",
        "ControlPath none",
        "Compression no",
        "Compression yes",
        "Tunnel no",
        "LocalForward 1 a:2\nExitOnForwardFailure yes\nGatewayPorts yes\nStreamLocalBindMask 0111",
        "PermitRemoteOpen web:80 *:443 [::1]:*\nStreamLocalBindUnlink yes",
        "SendEnv LANG LC_*\nHashKnownHosts yes\nGSSAPIAuthentication yes\nForwardX11Trusted yes",
        "Protocol 2\nUseRoaming no",
        "Match final all\nPort 22",
    ] {
        assert!(warnings(line).is_empty(), "{line}: {:?}", warnings(line));
    }
    assert_eq!(warnings("Match final all\nTunnel yes").len(), 1);
    let left_out = warnings("Ciphers aes128-cbc,aes128-ctr");
    assert!(left_out[0].contains("aes128-cbc cannot be used"), "{left_out:?}");
}

#[test]
fn criteria_of_newer_versions() {
    let port = |config: &str, options: &[&str], command: &str| {
        ask(&Ask { config, host: "web", options, command }).unwrap().port
    };
    for (line, options, command, holds) in [
        ("localnetwork 10.0.0.0/8", &[][..], "", true),
        ("localnetwork 192.0.2.0/24,2001:db8::/32", &[], "", true),
        ("localnetwork 192.0.2.0/24", &[], "", false),
        ("!localnetwork 192.0.2.0/24", &[], "", true),
        ("version OpenSSH_10.*", &[], "", true),
        ("version OpenSSH_9.*", &[], "", false),
        ("tagged work", &["Tag=work"], "", true),
        ("tagged work,play", &["Tag=play"], "", true),
        ("tagged work", &[], "", false),
        ("tagged \"\"", &[], "", true),
        ("sessiontype shell", &[], "", true),
        ("sessiontype exec", &[], "ls -l", true),
        ("sessiontype exec", &["RemoteCommand ls"], "", true),
        ("sessiontype subsystem", &["SessionType subsystem"], "sftp", true),
        ("sessiontype none", &["SessionType none"], "", true),
        ("command \"ls *\"", &[], "ls -l", true),
        ("command rsync*", &[], "ls -l", false),
        ("user=ann host=web", &["User ann"], "", true),
    ] {
        let wanted = if holds { 2200 } else { 22 };
        assert_eq!(port(&format!("Match {line}\nPort 2200\n"), options, command), wanted, "{line}");
    }
    assert!(with("Match localnetwork 10.0.0.0/33\nPort 1").is_err());
    assert!(with("Match host other localnetwork 10.0.0.0/33\nPort 1").is_err());
}

#[test]
fn exec_runs_only_when_all_before_it_held() {
    let folder = Folder::new("exec");
    let trace = folder.path().join("ran");
    let line = |host: &str| format!("Match host {host} exec \"touch {}\"\nPort 2200\n", trace.display());
    assert_eq!(with(&line("other")).unwrap().port, 22);
    assert!(!trace.exists());
    assert_eq!(with(&line("web")).unwrap().port, 2200);
    assert!(trace.exists());
}

#[test]
fn tokens_variables_and_tildes() {
    let home = common::machine();
    let home = nacre_config::World::account(&home).home;
    let options = with(
        "User ann\nPort 2200\nIdentityFile ~/keys/%r@%h:%p-%n\nIdentityFile %d/x%%y\nIdentityFile ${PATH}\n\
         UserKnownHostsFile ~/.ssh/%k\nHostKeyAlias Other\nRemoteCommand echo %n %C\nIdentityAgent $NACRE_NO_SUCH\n\
         SetEnv WHERE=%h\nHostName %h.example.com\n",
    )
    .unwrap();
    let path = std::env::var("PATH").unwrap();
    assert_eq!(
        options.identity_files,
        [format!("{home}/keys/ann@web.example.com:2200-web"), format!("{home}/x%y"), path]
    );
    assert_eq!(options.user_known_hosts_files, [format!("{home}/.ssh/other")]);
    assert_eq!(options.identity_agent, IdentityAgent::None);
    assert_eq!(options.set_env, [("WHERE".to_owned(), "web.example.com".to_owned())]);
    let command = options.remote_command.unwrap();
    assert!(command.starts_with("echo web ") && command.len() == "echo web ".len() + 40, "{command}");
    for (line, what) in [
        ("IdentityFile ${NACRE_NO_SUCH}", "environment variable NACRE_NO_SUCH is not set"),
        ("IdentityFile ${PATH", "never closed"),
        ("IdentityFile x%z", "unknown key %z"),
        ("RemoteCommand echo %", "a lone %"),
        ("HostName %n", "unknown key %n"),
        ("User %r", "unknown key %r"),
        ("IdentityFile ~nobody-by-this-name/x", "no such user"),
    ] {
        assert!(said(line).contains(what), "{line}: {}", said(line));
    }
}

#[test]
fn a15_names_from_the_command_line() {
    let host = |host: &str| ask(&Ask { config: "", host, options: &[], command: "" });
    for good in ["web", "web.example.com", "2001:db8::1", "fe80::1%eth0", "192.0.2.1", "web_1"] {
        assert!(host(good).is_ok(), "{good}");
    }
    for bad in ["", "-oProxyCommand=x", "a b", "a\nb", "a;b", "$(x)", "`x`", "a|b", "a'b", "a\u{1b}[2J"] {
        assert!(host(bad).is_err(), "{bad:?}");
    }
    let user = |name: &str| {
        let line = option_line(Keyword::User, name);
        ask(&Ask { config: "", host: "web", options: &[line.as_str()], command: "" }).map(|options| options.user)
    };
    for good in ["ann", "ann@corp", "CORP\\ann", "ann smith", "%h", "$HOME", "ann#1"] {
        assert_eq!(user(good).unwrap(), good);
    }
    for bad in ["-2", "-froot", "a\nb", "a;b", "a -o x", "a`b", "a\\", "(x)"] {
        assert!(user(bad).is_err(), "{bad:?}");
    }
    assert!(user(&"a".repeat(64 * 1024)).is_err());
}

#[test]
fn files_that_include_themselves_end() {
    assert!(said("Include config\n").contains("too many recursive configuration includes"));
    // Each depth would double the work if the first chain that is too deep did not end it.
    assert!(said(&"Include config\n".repeat(9)).contains("too many recursive configuration includes"));
    let folder = Folder::new("missing");
    let path = folder.path().join("none").to_string_lossy().into_owned();
    let file = |required| ConfigFile { path: path.clone(), include_base: String::new(), check: Check::None, required };
    let ask = |required| {
        let invocation = Invocation { host: "web".into(), files: vec![file(required)], ..Invocation::default() };
        client::resolve(&machine(), &AlgorithmSets::default(), &invocation)
    };
    assert!(ask(false).is_ok());
    assert!(ask(true).unwrap_err().to_string().contains("no such file"));
}

#[test]
fn typed_values_and_where_they_came_from() {
    let options = ask(&Ask {
        config: "Host web\n  Port 2200\n  StrictHostKeyChecking accept-new\n  AddKeysToAgent confirm 5m\n  IdentityFile none\n\
                 EscapeChar ^]\nConnectTimeout 1m\nKexAlgorithms ^ecdh-sha2-nistp256\nRekeyLimit 1G\n",
        host: "web",
        options: &["User=ann", "SessionType none", "RefuseConnection use the other host"],
        command: "",
    })
    .unwrap();
    assert_eq!((options.port, options.user.as_str()), (2200, "ann"));
    assert_eq!(options.strict_host_key_checking, StrictHostKeyChecking::AcceptNew);
    assert_eq!(
        options.add_keys_to_agent,
        AddKeysToAgent::Yes { confirm: true, lifetime: Some(Duration::from_secs(300)) }
    );
    assert!(options.identity_files.is_empty() && options.identity_files_set);
    assert_eq!((options.escape_char, options.session_type), (Some(0x1d), SessionType::None));
    assert_eq!(options.connect_timeout, Some(Duration::from_secs(60)));
    assert_eq!((options.rekey_limit.bytes, options.rekey_limit.seconds), (1 << 30, 0));
    assert_eq!(options.kex_algorithms[..2], ["ecdh-sha2-nistp256", "mlkem768x25519-sha256"]);
    assert_eq!(options.refuse_connection.as_deref(), Some("use the other host"));
    assert_eq!(options.origin(Keyword::User), Origin::CommandLine);
    assert_eq!(options.origin(Keyword::Compression), Origin::Default);
    let why = options.dump_why();
    let of = |keyword: &str| why.lines().find(|l| l.starts_with(keyword)).unwrap().to_owned();
    assert!(of("port ").ends_with("/config:2"), "{}", of("port "));
    assert_eq!(of("user "), "user ann # command line");
    assert_eq!(of("serveraliveinterval "), "serveraliveinterval 60 # default");
    assert_eq!(options.dump().lines().count(), why.lines().count());
}

#[test]
fn promises_of_the_defaults() {
    let options = with("").unwrap();
    assert_eq!(options.server_alive_interval, Duration::from_secs(60));
    assert_eq!((options.server_alive_count_max, options.required_rsa_size), (3, 2048));
    assert_eq!(options.strict_host_key_checking, StrictHostKeyChecking::Ask);
    assert!(options.hash_known_hosts && !options.check_host_ip && options.warnings.is_empty());
    assert_eq!((options.rekey_limit.bytes, options.rekey_limit.seconds), (0, 3600));
    assert_eq!(options.kex_algorithms[0], "mlkem768x25519-sha256");
    assert!(options.identity_files[0].ends_with("/.ssh/id_rsa") && !options.identity_files_set);
}

/// drop-in.md's list: everything OpenSSH 10.5 knows is known here.
const EVERYTHING: &str = "Host Match Include HostName User Port IdentityFile IdentitiesOnly IdentityAgent CertificateFile \
    AddKeysToAgent ForwardAgent ProxyJump ProxyCommand StrictHostKeyChecking UserKnownHostsFile GlobalKnownHostsFile \
    HostKeyAlias HashKnownHosts CheckHostIP UpdateHostKeys HostKeyAlgorithms PubkeyAcceptedAlgorithms KexAlgorithms \
    Ciphers MACs RekeyLimit PreferredAuthentications PubkeyAuthentication PasswordAuthentication \
    KbdInteractiveAuthentication BatchMode NumberOfPasswordPrompts ConnectTimeout ConnectionAttempts AddressFamily \
    BindAddress TCPKeepAlive ServerAliveInterval ServerAliveCountMax LocalForward RemoteForward DynamicForward \
    GatewayPorts ExitOnForwardFailure ClearAllForwardings ControlMaster ControlPath ControlPersist RequestTTY \
    RemoteCommand SessionType StdinNull ForkAfterAuthentication SendEnv SetEnv Compression LogLevel EscapeChar \
    LocalCommand PermitLocalCommand IgnoreUnknown Tag CanonicalizeFallbackLocal CanonicalizeHostname \
    CanonicalizeMaxDots CanonicalizePermittedCNAMEs CanonicalDomains CASignatureAlgorithms ChannelTimeout BindInterface \
    EnableEscapeCommandline EnableSSHKeysign FingerprintHash ForwardX11 ForwardX11Trusted ForwardX11Timeout \
    XAuthLocation GSSAPIAuthentication GSSAPIDelegateCredentials HostbasedAuthentication HostbasedAcceptedAlgorithms \
    IPQoS KbdInteractiveDevices KnownHostsCommand LogVerbose NoHostAuthenticationForLocalhost ObscureKeystrokeTiming \
    PermitRemoteOpen PKCS11Provider ProxyUseFdpass RefuseConnection RequiredRSASize RevokedHostKeys SecurityKeyProvider \
    StreamLocalBindMask StreamLocalBindUnlink SyslogFacility Tunnel TunnelDevice VerifyHostKeyDNS VersionAddendum \
    VisualHostKey WarnWeakCrypto ChallengeResponseAuthentication PubkeyAcceptedKeyTypes HostbasedKeyTypes KeepAlive \
    DSAAuthentication Protocol UseRoaming UsePrivilegedPort Cipher RSAAuthentication RhostsRSAAuthentication";

#[test]
fn a20_every_keyword_is_known() {
    for word in EVERYTHING.split_ascii_whitespace() {
        assert!(Keyword::find(word).is_some(), "{word}");
    }
    for keyword in Keyword::ALL {
        let row = keyword.row();
        // A default must ask for nothing that is not done.
        if let Status::NotYet { .. } = row.status {
            let harmless = row.default.is_empty() || row.quiet.is_empty() || row.quiet.contains(&row.default);
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
        "^\u{e9}",
        "-*",
        ",",
        "~",
        "~/",
        "{}",
        "1:a:2",
        "confirm x",
        "1 2 3 4 5",
    ];
    for keyword in Keyword::ALL {
        for value in values {
            if let Ok(options) = with(&format!("{} {value}\n", keyword.name())) {
                options.dump_why();
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn option_lines_carry_any_value(value in "[ -~]{1,40}") {
        let line = option_line(Keyword::HostKeyAlias, &value);
        let got = ask(&Ask { config: "", host: "web", options: &[line.as_str()], command: "" }).unwrap();
        let wanted = Some(value.to_ascii_lowercase()).filter(|v| v != "none");
        proptest::prop_assert_eq!(got.host_key_alias, wanted);
    }

    #[test]
    fn no_text_can_hurt(config in "([A-Za-z]{0,9}[ =\"'\\\\#%~$!,*{}0-9a-z\t\r\n]{0,12}){0,30}") {
        let _ = with(&config);
    }
}

#[test]
fn a_fallback_counts_where_nothing_else_sets_the_keyword() {
    let tag = |options: &[&str]| {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let fallbacks = vec!["Tag fallback".to_owned()];
        let invocation = Invocation { host: "web".into(), options, fallbacks, ..Invocation::default() };
        client::resolve(&machine_with(""), &AlgorithmSets::default(), &invocation).unwrap().tag
    };
    assert_eq!(tag(&[]).as_deref(), Some("fallback"));
    assert_eq!(tag(&["Tag=mine"]).as_deref(), Some("mine"));
}
