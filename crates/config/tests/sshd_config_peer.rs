//! Our reading of `sshd_config` against the `sshd -T` on this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use common::{Folder, have, machine};
use nacre_config::kind::Keyword as _;
use nacre_config::server::{self, ConfigFile, Invocation, Keyword};
use nacre_config::{AlgorithmSets, AlgorithmTable, Errors, MatchContext, ServerOptions};

/// `sshd` wants its empty folder and a host key before it reads anything.
fn peer(folder: &Folder, config: &str, extra: &[&str]) -> Output {
    let run = Path::new("/run/sshd");
    if !run.exists() {
        let _ = std::fs::create_dir(run);
    }
    let key = folder.path().join("host_key");
    if !key.exists() {
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.unwrap().success());
    }
    let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|p| Path::new(p).exists()).unwrap();
    let mut command = Command::new(program);
    command.args(["-T", "-f", config, "-h"]).arg(&key).args(extra);
    command.output().unwrap()
}

fn peer_sets(defaults: &BTreeMap<String, Vec<String>>) -> AlgorithmSets {
    let query = |what: &str| -> Vec<String> {
        let out = Command::new("ssh").args(["-Q", what]).output().unwrap();
        String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    let table = |what: &str, keyword: &str| AlgorithmTable {
        known: query(what),
        default: defaults[keyword][0].split(',').map(str::to_owned).collect(),
    };
    AlgorithmSets {
        kex: table("kex", "kexalgorithms"),
        ciphers: table("cipher", "ciphers"),
        macs: table("mac", "macs"),
        host_keys: table("HostKeyAlgorithms", "hostkeyalgorithms"),
        user_keys: table("PubkeyAcceptedAlgorithms", "pubkeyacceptedalgorithms"),
        ca_keys: table("CASignatureAlgorithms", "casignaturealgorithms"),
    }
}

fn group(dump: &str) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in dump.lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        out.entry(keyword.to_ascii_lowercase()).or_default().push(value.to_owned());
    }
    out
}

fn ours(path: &str, sets: &AlgorithmSets, options: &[&str]) -> Result<ServerOptions, Errors> {
    let file = ConfigFile { path: path.to_owned(), include_base: "/etc/ssh".to_owned(), required: true };
    let options = options.iter().map(|o| (*o).to_owned()).collect();
    server::parse(&machine(), sets, &Invocation { file: Some(file), options, version: "OpenSSH_10.5".to_owned() })
}

struct Sample {
    config: &'static str,
    options: &'static [&'static str],
    /// `-C` specifications; the empty one is none.
    contexts: &'static [&'static str],
    compare: &'static [&'static str],
}

const SAMPLES: &[Sample] = &[
    Sample {
        config: "Port 2201\nPort 2202\nListenAddress 127.0.0.1\nListenAddress [::1]:2203\nAddressFamily any\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nChallengeResponseAuthentication no\nPubkeyAuthentication yes\nPermitEmptyPasswords no\nLoginGraceTime 1m\nMaxAuthTries 3\nMaxSessions 4\nMaxStartups 5:50:60\nPerSourceMaxStartups 7\nPerSourceNetBlockSize 24:56\n",
        options: &[],
        contexts: &[""],
        compare: &[
            "port",
            "addressfamily",
            "permitrootlogin",
            "passwordauthentication",
            "kbdinteractiveauthentication",
            "pubkeyauthentication",
            "permitemptypasswords",
            "logingracetime",
            "maxauthtries",
            "maxsessions",
            "maxstartups",
            "persourcemaxstartups",
            "persourcenetblocksize",
        ],
    },
    Sample {
        config: "MaxStartups 3\nClientAliveInterval 2m\nClientAliveCountMax 0\nTCPKeepAlive no\nUseDNS yes\nStrictModes no\nPrintMotd no\nPrintLastLog no\nLogLevel verbose\nSyslogFacility local3\nPidFile none\nBanner /etc/issue\nVersionAddendum some text\nExposeAuthInfo yes\nUnusedConnectionTimeout 5m\nRekeyLimit 512M 30m\nRequiredRSASize 3072\nPermitUserEnvironment no\nPermitUserRC no\nPermitTTY no\nFingerprintHash md5\nIPQoS cs0 ef\n",
        options: &[],
        contexts: &[""],
        compare: &[
            "maxstartups",
            "clientaliveinterval",
            "clientalivecountmax",
            "tcpkeepalive",
            "usedns",
            "strictmodes",
            "printmotd",
            "printlastlog",
            "loglevel",
            "syslogfacility",
            "pidfile",
            "banner",
            "versionaddendum",
            "exposeauthinfo",
            "unusedconnectiontimeout",
            "rekeylimit",
            "requiredrsasize",
            "permituserenvironment",
            "permituserrc",
            "permittty",
            "fingerprinthash",
            "ipqos",
        ],
    },
    Sample {
        config: "AllowUsers ann bob@192.0.2.0/24 \"c d\"\nAllowUsers dan\nDenyUsers eve*\nAllowGroups staff\nDenyGroups guests other\nAcceptEnv LANG LC_*\nAcceptEnv EDITOR\nSetEnv A=1 \"B=two words\"\nSubsystem sftp /usr/lib/openssh/sftp-server -l INFO\nSubsystem netconf /bin/false\nForceCommand echo \"a  b\" # c\nAuthorizedKeysFile .ssh/%u /etc/keys/%U\nAuthenticationMethods publickey,password publickey,keyboard-interactive:pam\n",
        options: &[],
        contexts: &["", "user=root,host=h,addr=192.0.2.9"],
        compare: &[
            "allowusers",
            "denyusers",
            "allowgroups",
            "denygroups",
            "acceptenv",
            "setenv",
            "subsystem",
            "forcecommand",
            "authorizedkeysfile",
            "authenticationmethods",
        ],
    },
    Sample {
        config: "Ciphers aes128-ctr,aes256-gcm@openssh.com\nMACs +hmac-md5\nKexAlgorithms -*sha1*,ecdh-*\nHostKeyAlgorithms ^ecdsa-*\nPubkeyAcceptedAlgorithms ssh-ed25519,rsa-*\n",
        options: &[],
        contexts: &[""],
        compare: &["ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms"],
    },
    Sample {
        config: "AllowTcpForwarding local\nAllowStreamLocalForwarding no\nAllowAgentForwarding no\nDisableForwarding yes\nGatewayPorts clientspecified\nX11Forwarding yes\nPermitOpen localhost:80 [::1]:443\nPermitListen 8080 localhost:9090\nPermitTunnel no\nStreamLocalBindMask 0117\nStreamLocalBindUnlink yes\n",
        options: &[],
        contexts: &[""],
        compare: &[
            "allowtcpforwarding",
            "allowstreamlocalforwarding",
            "allowagentforwarding",
            "disableforwarding",
            "gatewayports",
            "x11forwarding",
            "permitopen",
            "permitlisten",
            "permittunnel",
            "streamlocalbindmask",
            "streamlocalbindunlink",
        ],
    },
    Sample {
        config: "PasswordAuthentication yes\nMaxAuthTries 6\nX11Forwarding yes\nAcceptEnv G\nMatch User ann,bob\nPasswordAuthentication no\nAcceptEnv ONE\nMatch User !ann,* Address 192.0.2.0/24\nMaxAuthTries 2\nPasswordAuthentication yes\nMatch Group root\nX11Forwarding no\nMatch Host *.example.com LocalPort 2222\nPermitTTY no\nMatch LocalAddress 127.0.0.1\nBanner /etc/motd\nMatch user zed\nAcceptEnv TWO\nMaxSessions 1\nMatch All\nMaxSessions 9\nPermitUserRC no\n",
        options: &[],
        contexts: &[
            "user=ann,host=h,addr=192.0.2.9,laddr=127.0.0.9,lport=22",
            "user=bob,host=web.example.com,addr=192.0.2.9,laddr=127.0.0.1,lport=2222",
            "user=root,host=web.example.com,addr=198.51.100.1,laddr=127.0.0.2,lport=22",
            "user=zed,host=h,addr=2001:db8::1,laddr=127.0.0.9,lport=22",
        ],
        compare: &[
            "passwordauthentication",
            "maxauthtries",
            "x11forwarding",
            "acceptenv",
            "permittty",
            "banner",
            "maxsessions",
            "permituserrc",
        ],
    },
    Sample {
        config: "Include sub/*.conf\nMatch User ann\nInclude sub/two.inc\nMaxAuthTries 5\nMatch All\nMaxSessions 8\n",
        options: &[],
        contexts: &[
            "user=ann,host=h,addr=192.0.2.9",
            "user=bob,host=h,addr=192.0.2.9",
            "user=cat,host=h,addr=198.51.100.1",
        ],
        compare: &["maxauthtries", "maxsessions", "permittty", "loglevel", "permituserrc", "clientaliveinterval"],
    },
    Sample {
        config: "Port 2209\nMaxAuthTries 9\nLogLevel INFO\n",
        options: &["MaxAuthTries=4", "LogLevel DEBUG1", "maxauthtries 3"],
        contexts: &[""],
        compare: &["port", "maxauthtries", "loglevel"],
    },
    Sample {
        config: "PermitRootLogin forced-commands-only\nLoginGraceTime 0\nKeepAlive no\nVerifyReverseMapping yes\nPubkeyAcceptedKeyTypes ssh-ed25519\nUsePrivilegeSeparation yes\nKeyRegenerationInterval 3600\nProtocol 2\nAuthorizedKeysFile none\nAuthenticationMethods any\nPermitOpen none\nPermitListen any\nCompression delayed\nForceCommand none\n",
        options: &[],
        contexts: &[""],
        compare: &[
            "permitrootlogin",
            "logingracetime",
            "tcpkeepalive",
            "usedns",
            "pubkeyacceptedalgorithms",
            "authorizedkeysfile",
            "authenticationmethods",
            "permitopen",
            "permitlisten",
            "compression",
            "forcecommand",
        ],
    },
];

fn context(text: &str) -> Option<MatchContext> {
    if text.is_empty() {
        return None;
    }
    let mut out = MatchContext::default();
    for pair in text.split(',') {
        let (name, value) = pair.split_once('=').unwrap();
        match name {
            "user" => out.user = Some(value.to_owned()),
            "host" => out.host = Some(value.to_owned()),
            "addr" => out.address = Some(value.parse().unwrap()),
            "laddr" => out.local_address = Some(value.parse().unwrap()),
            _ => out.local_port = Some(value.parse().unwrap()),
        }
    }
    if out.user.as_deref() == Some("root") {
        out.groups = vec!["root".to_owned()];
    }
    Some(out)
}

#[test]
fn a20_the_values_are_those_of_sshd_t() {
    if !have("sshd") {
        return;
    }
    let folder = Folder::new("sshd-peer");
    folder.write("sub/one.conf", "PermitTTY no\nMatch User bob\nMaxAuthTries 1\n");
    folder.write("sub/two.conf", "PermitUserRC no\n");
    folder.write("sub/two.inc", "LogLevel DEBUG\nMatch Address 192.0.2.0/24\nClientAliveInterval 7\nMaxAuthTries 2\n");
    let empty = folder.write("empty", "");
    let defaults = group(&String::from_utf8(peer(&folder, &empty, &[]).stdout).unwrap());
    let sets = peer_sets(&defaults);
    let (mut failures, mut compared) = (Vec::new(), 0);
    for (index, sample) in SAMPLES.iter().enumerate() {
        let config = sample.config.replace("sub/", &format!("{}/sub/", folder.path().display()));
        let path = folder.write(&format!("config{index}"), config);
        let options = ours(&path, &sets, sample.options).unwrap_or_else(|errors| panic!("sample {index}: {errors}"));
        for spec in sample.contexts {
            let mut extra: Vec<&str> = Vec::new();
            sample.options.iter().for_each(|option| extra.extend(["-o", option]));
            if !spec.is_empty() {
                extra.extend(["-C", spec]);
            }
            let out = peer(&folder, &path, &extra);
            assert!(out.status.success(), "sample {index}: {}", String::from_utf8_lossy(&out.stderr));
            let theirs = group(&String::from_utf8(out.stdout).unwrap());
            let mine = group(&options.dump(context(spec).as_ref()));
            for keyword in sample.compare {
                compared += 1;
                let known = Keyword::find(keyword).unwrap();
                // The defaults differ on purpose; where nothing sets a keyword, the peer must agree that nothing does.
                let unset = mine.get(*keyword).is_some_and(|m| m == &[known.row().default.to_owned()]);
                if unset && theirs.get(*keyword) == defaults.get(*keyword) {
                    continue;
                }
                if mine.get(*keyword) != theirs.get(*keyword) {
                    let (a, b) = (mine.get(*keyword), theirs.get(*keyword));
                    failures.push(format!("sample {index}, {spec:?}, {keyword}:\n  ours   {a:?}\n  theirs {b:?}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(compared > 100);
}

#[test]
fn a20_the_order_is_that_of_sshd_t() {
    if !have("sshd") {
        return;
    }
    let folder = Folder::new("sshd-order");
    let path = folder.write(
        "config",
        "AllowUsers a\nDenyGroups b\nAcceptEnv A\nSetEnv B=1\nSubsystem s /bin/false\nPerSourceMaxStartups 3\n",
    );
    let theirs = String::from_utf8(peer(&folder, &path, &[]).stdout).unwrap();
    let ours = ours(&path, &peer_sets(&group(&theirs)), &[]).unwrap().dump(None);
    let keywords = |dump: &str, other: &str| -> Vec<String> {
        let known = group(other);
        let mut words: Vec<String> = dump
            .lines()
            .map(|l| l.split(' ').next().unwrap().to_owned())
            .filter(|w| known.contains_key(&w.to_ascii_lowercase()))
            .collect();
        words.dedup();
        words
    };
    assert!(keywords(&ours, &theirs).len() > 60);
    assert_eq!(keywords(&ours, &theirs), keywords(&theirs, &ours));
}

/// Lines that must be refused, by us and by the peer.
const BAD: &[&str] = &[
    "Frobnicate yes",
    "Port",
    "Port 0",
    "Port 70000",
    "Port 22 23",
    "PermitRootLogin maybe",
    "PermitRootLogin true",
    "PasswordAuthentication off",
    "X11Forwarding perhaps",
    "AllowTcpForwarding both",
    "GatewayPorts some",
    "Ciphers aes128-ctr,none-such",
    "MACs hmac-none",
    "KexAlgorithms +nothing",
    "HostKeyAlgorithms ssh-nothing",
    "LoginGraceTime soon",
    "ClientAliveInterval -1",
    "MaxStartups 10:0:100",
    "MaxStartups 10:101:100",
    "MaxStartups 100:30:10",
    "MaxStartups 10:30",
    "PerSourceNetBlockSize 33",
    "PerSourceNetBlockSize 32:129",
    "RekeyLimit 1G soon",
    "AllowUsers bob@192.0.2.0/33",
    "AuthenticationMethods any publickey",
    "AuthenticationMethods publickey,nosuch",
    "Subsystem sftp",
    "PermitOpen host",
    "PermitOpen host:0",
    "PermitOpen host:70000",
    "PermitListen host:x",
    "SetEnv A",
    "IPQoS fast",
    "LogLevel LOUD",
    "SyslogFacility LOUD",
    "StreamLocalBindMask 9",
    "Banner \"open",
    "Match",
    "Match Nosuch x",
    "Match User",
    "Match Address 192.0.2.0/33",
    "Match LocalPort x",
    "Match All User x",
    "Match User ann\nPort 22",
    "Match User ann\nUsePAM yes",
    "Match User ann\nHostKey /x",
    "ListenAddress",
    "ListenAddress [::1",
    "ListenAddress 127.0.0.1:x",
];

#[test]
fn a20_what_the_peer_refuses_is_refused() {
    if !have("sshd") {
        return;
    }
    let folder = Folder::new("sshd-bad");
    let (empty, mut failures) = (folder.write("empty", ""), Vec::new());
    let sets = peer_sets(&group(&String::from_utf8(peer(&folder, &empty, &[]).stdout).unwrap()));
    for text in BAD {
        let path = folder.write("config", format!("# one\n{text}\n"));
        // Some values are looked at only when a connection is described.
        let plain = peer(&folder, &path, &[]).status.success();
        if plain && peer(&folder, &path, &["-C", "user=ann,host=h,addr=192.0.2.1"]).status.success() {
            failures.push(format!("the peer takes {text:?}"));
        }
        let line = 1 + text.lines().count();
        match ours(&path, &sets, &[]) {
            Ok(_) => failures.push(format!("we take {text:?}")),
            Err(errors) => {
                let said = errors.to_string();
                if !said.starts_with(&format!("{path}: line {line}: ")) {
                    failures.push(format!("{text:?}: no place in {said}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
