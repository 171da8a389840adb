//! Our reading of `ssh_config` against the `ssh -G` on this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::{Folder, have, machine};
use nacre_config::client::{self, ConfigFile, Invocation, Keyword};
use nacre_config::kind::Keyword as _;
use nacre_config::{AlgorithmSets, AlgorithmTable, Check, ClientOptions, Errors, Origin};

/// The peer's own algorithm tables, so that lists with + - ^ can be compared.
fn peer_sets() -> AlgorithmSets {
    let query = |what: &str| -> Vec<String> {
        let out = Command::new("ssh").args(["-Q", what]).output().unwrap();
        String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    let out = Command::new("ssh").args(["-G", "-F", "none", "h"]).output().unwrap();
    let defaults = String::from_utf8(out.stdout).unwrap();
    let table = |what: &str, keyword: &str| {
        let line = defaults.lines().find_map(|l| l.strip_prefix(keyword)).unwrap();
        AlgorithmTable { known: query(what), default: line.trim().split(',').map(str::to_owned).collect() }
    };
    AlgorithmSets {
        kex: table("kex", "kexalgorithms "),
        ciphers: table("cipher", "ciphers "),
        macs: table("mac", "macs "),
        host_keys: table("HostKeyAlgorithms", "hostkeyalgorithms "),
        user_keys: table("PubkeyAcceptedAlgorithms", "pubkeyacceptedalgorithms "),
        ca_keys: table("CASignatureAlgorithms", "casignaturealgorithms "),
    }
}

fn ours(path: &str, base: &str, host: &str, options: &[&str]) -> Result<ClientOptions, Errors> {
    let file = ConfigFile { path: path.to_owned(), include_base: base.to_owned(), check: Check::None, required: true };
    let invocation = Invocation {
        host: host.to_owned(),
        options: options.iter().map(|o| (*o).to_owned()).collect(),
        fallbacks: Vec::new(),
        command: String::new(),
        files: vec![file],
        version: "OpenSSH_10.5".to_owned(),
    };
    client::resolve(&machine(), &peer_sets(), &invocation)
}

fn group(dump: &str) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in dump.lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        out.entry(keyword.to_ascii_lowercase()).or_default().push(value.to_owned());
    }
    out
}

/// One sample: a configuration, hosts to ask about, options, and the keywords to compare.
struct Sample {
    config: &'static str,
    hosts: &'static [&'static str],
    options: &'static [&'static str],
    compare: &'static [&'static str],
}

const SAMPLES: &[Sample] = &[
    Sample {
        config: "Host alpha\n  HostName alpha.example.com\n  User ann\n  Port 2201\nHost *\n  User everyone\n  Port 2299\n",
        hosts: &["alpha", "beta", "ALPHA"],
        options: &[],
        compare: &["hostname", "user", "port"],
    },
    Sample {
        config: "# comment\n\tHost = \"a b\" web*.example.com !web3.example.com\nUser=\"quoted name\"\nPort  =  2202\nHost web?.example.com\nUser second\nIdentityFile \"~/.ssh/with space\"\nIdentityFile=/tmp/two#not-comment # comment\nIdentityFile /tmp/a\\ b\n",
        hosts: &["web1.example.com", "web3.example.com", "web12.example.com", "other"],
        options: &[],
        compare: &["user", "port", "identityfile"],
    },
    Sample {
        config: "HostName %h.internal.example\nUser x\nMatch host *.internal.example\nPort 2203\nMatch originalhost db,cache !user y\nServerAliveInterval 1m30s\nMatch user x localuser *\nServerAliveCountMax 7\nMatch !originalhost db\nConnectionAttempts 4\nMatch all\nConnectTimeout 1h\n",
        hosts: &["db", "cache", "web"],
        options: &[],
        compare: &[
            "hostname",
            "port",
            "serveraliveinterval",
            "serveralivecountmax",
            "connectionattempts",
            "connecttimeout",
        ],
    },
    Sample {
        config: "Match exec \"test %h = yes.example -a %p = 22\"\nUser exec-yes\nMatch exec \"false\"\nUser exec-no\nMatch !exec false host no*\nUser not-exec\n",
        hosts: &["yes.example", "no.example", "x"],
        options: &[],
        compare: &["user"],
    },
    Sample {
        config: "Ciphers +3des-cbc\nMACs -umac*,*sha1*\nKexAlgorithms ^ecdh-sha2-nistp256\nHostKeyAlgorithms ssh-ed25519,rsa-sha2-*\nPubkeyAcceptedAlgorithms -*cert*\n",
        hosts: &["h"],
        options: &[],
        compare: &["ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms"],
    },
    Sample {
        config: "StrictHostKeyChecking yes\nUpdateHostKeys ask\nHashKnownHosts true\nCheckHostIP no\nHostKeyAlias Some.Alias\nUserKnownHostsFile ~/.ssh/kh_%h_%r \"/tmp/x y\"\nGlobalKnownHostsFile /etc/one /etc/two\nVisualHostKey yes\nFingerprintHash md5\nNoHostAuthenticationForLocalhost yes\nRequiredRSASize 3072\n",
        hosts: &["h", "H2"],
        options: &[],
        compare: &[
            "stricthostkeychecking",
            "updatehostkeys",
            "hashknownhosts",
            "checkhostip",
            "hostkeyalias",
            "userknownhostsfile",
            "globalknownhostsfile",
            "visualhostkey",
            "fingerprinthash",
            "nohostauthenticationforlocalhost",
            "requiredrsasize",
        ],
    },
    Sample {
        config: "SendEnv LANG LC_*\nSendEnv EDITOR\nSendEnv -LC_*\nSetEnv A=1 B=\"two words\"\nSetEnv C=3\nRemoteCommand echo \"%h\" %% # not a comment\nRequestTTY force\nSessionType subsystem\nStdinNull yes\nForkAfterAuthentication yes\nEscapeChar ^]\nLogLevel verbose\n",
        hosts: &["h"],
        options: &[],
        compare: &[
            "sendenv",
            "setenv",
            "remotecommand",
            "requesttty",
            "sessiontype",
            "stdinnull",
            "forkafterauthentication",
            "escapechar",
            "loglevel",
        ],
    },
    Sample {
        config: "RekeyLimit 1G 1h\nIPQoS af21 0x20\nPreferredAuthentications publickey,password\nPubkeyAuthentication host-bound\nPasswordAuthentication no\nChallengeResponseAuthentication no\nBatchMode yes\nNumberOfPasswordPrompts 1\nTCPKeepAlive no\nAddressFamily inet6\nBindAddress 127.0.0.1\nIdentitiesOnly yes\nIdentityAgent ~/agent-%u.sock\nAddKeysToAgent confirm 5m\nEscapeChar none\nLogLevel DEBUG\nUser u\n",
        hosts: &["h"],
        options: &[],
        compare: &[
            "rekeylimit",
            "ipqos",
            "preferredauthentications",
            "pubkeyauthentication",
            "passwordauthentication",
            "kbdinteractiveauthentication",
            "batchmode",
            "numberofpasswordprompts",
            "tcpkeepalive",
            "addressfamily",
            "bindaddress",
            "identitiesonly",
            "identityagent",
            "addkeystoagent",
            "escapechar",
            "loglevel",
            "user",
        ],
    },
    Sample {
        config: "User file\nPort 2204\nCompression no\n",
        hosts: &["h"],
        options: &[
            "Port=2299",
            "user cmdline",
            "Port 1",
            "ConnectTimeout=\"5\"",
            "RekeyLimit default none",
            "IdentityFile=\"/tmp/q x\"",
        ],
        compare: &["user", "port", "connecttimeout", "rekeylimit", "identityfile", "compression"],
    },
    Sample {
        config: "Match final host h.example\nUser from-final\nMatch final !host h.example\nUser other-final\nHost h.example\nPort 2205\nHost h\nHostName h.example\n",
        hosts: &["h", "x"],
        options: &[],
        compare: &["user", "port", "hostname"],
    },
    Sample {
        config: "Match canonical\nUser canon\nMatch !canonical\nUser not-canon\nMatch final all\nPort 2206\n",
        hosts: &["h"],
        options: &[],
        compare: &["user", "port"],
    },
    Sample {
        config: "IgnoreUnknown UseKeychain,frob*\nUseKeychain yes\nFrobnicate x\nFrobber a b\nPort 2207\n",
        hosts: &["h"],
        options: &[],
        compare: &["port", "ignoreunknown"],
    },
    Sample {
        config: "LocalForward 8080 web:80\nLocalForward 127.0.0.1:8081 [::1]:81\nLocalForward /tmp/s web:80\nRemoteForward 9000 localhost:90\nRemoteForward 9001\nDynamicForward 1080\nDynamicForward *:1081\nExitOnForwardFailure no\nGatewayPorts yes\nLocalForward 8080 web:80\n",
        hosts: &["h"],
        options: &[],
        compare: &["localforward", "remoteforward", "dynamicforward", "exitonforwardfailure", "gatewayports"],
    },
    Sample {
        config: "ProxyJump ann@hop:2200,[::1]:22,last\nProxyCommand nc %h %p\nProxyUseFdpass yes\nPermitRemoteOpen web:80 *:443 [::1]:1\nStreamLocalBindMask 0117\nStreamLocalBindUnlink yes\nExitOnForwardFailure yes\n",
        hosts: &["h"],
        options: &[],
        compare: &[
            "proxyjump",
            "proxycommand",
            "proxyusefdpass",
            "permitremoteopen",
            "streamlocalbindmask",
            "streamlocalbindunlink",
            "exitonforwardfailure",
        ],
    },
    Sample {
        config: "LocalForward [::1]:8080 web:80\nLocalForward :8081 web:80\nRemoteForward /tmp/there /tmp/here\nRemoteForward 0 web:80\nRemoteForward [::1]:9000\nDynamicForward [::1]:1080\nPermitRemoteOpen none\n",
        hosts: &["h"],
        options: &[],
        compare: &["localforward", "remoteforward", "dynamicforward", "permitremoteopen"],
    },
    Sample {
        config: "ProxyCommand  /usr/bin/nc -X 5  %h %p \"a b\" # c\nProxyJump hop\n",
        hosts: &["h"],
        options: &[],
        compare: &["proxyjump", "proxycommand"],
    },
    Sample {
        config: "LocalForward 8080 web:80\nClearAllForwardings yes\nControlMaster auto\nControlPath ~/.ssh/cm-%r@%h:%p-%C\nControlPersist 10m\nForwardAgent yes\nPermitLocalCommand yes\nLocalCommand echo %n\nAddKeysToAgent 1h\n",
        hosts: &["h"],
        options: &[],
        compare: &[
            "localforward",
            "clearallforwardings",
            "controlmaster",
            "controlpersist",
            "forwardagent",
            "permitlocalcommand",
            "localcommand",
            "addkeystoagent",
        ],
    },
    Sample {
        config: "Include sub/*.conf\nUser outer\nHost h\nInclude sub/two.inc\nPort 2210\nHost other\nInclude sub/two.inc\nConnectTimeout 9\n",
        hosts: &["h", "other", "third"],
        options: &[],
        compare: &["user", "port", "connecttimeout", "serveraliveinterval", "numberofpasswordprompts"],
    },
    Sample {
        config: "Match host \"h\" user \"*\"\nPort 2211\nKeepAlive no\nDSAAuthentication no\nProtocol 2\nCanonicalizePermittedCNAMEs none\nTunnel no\nStreamLocalBindMask 0177\n",
        hosts: &["h"],
        options: &[],
        compare: &[
            "port",
            "tcpkeepalive",
            "pubkeyauthentication",
            "canonicalizepermittedcnames",
            "tunnel",
            "streamlocalbindmask",
        ],
    },
];

#[test]
fn a20_the_values_are_those_of_ssh_g() {
    if !have("ssh") {
        return;
    }
    let folder = Folder::new("peer");
    folder.write("sub/one.conf", "Host third\nServerAliveInterval 33\n");
    folder.write("sub/two.inc", "Host h\nNumberOfPasswordPrompts 2\n");
    // A relative Include starts at ~/.ssh for a file given with -F, so the sample names the folder.
    let defaults = Command::new("ssh").args(["-G", "-F", "none", "h"]).output().unwrap();
    let defaults = group(&String::from_utf8(defaults.stdout).unwrap());
    let mut failures = Vec::new();
    let mut compared = 0;
    for (index, sample) in SAMPLES.iter().enumerate() {
        let config = sample.config.replace("sub/", &format!("{}/sub/", folder.path().display()));
        let path = folder.write(&format!("config{index}"), config);
        for host in sample.hosts {
            let mut command = Command::new("ssh");
            command.args(["-G", "-F", &path]);
            for option in sample.options {
                command.args(["-o", option]);
            }
            let out = command.arg(host).output().unwrap();
            assert!(out.status.success(), "sample {index}: {}", String::from_utf8_lossy(&out.stderr));
            let theirs = group(&String::from_utf8(out.stdout).unwrap());
            let options =
                ours(&path, "/nowhere", host, sample.options).unwrap_or_else(|e| panic!("sample {index}: {e}"));
            let mine = group(&options.dump());
            for keyword in sample.compare {
                compared += 1;
                // The defaults differ on purpose; where nothing sets a keyword, the peer must agree that nothing does.
                let unset = options.origin(Keyword::find(keyword).unwrap()) == Origin::Default;
                if unset && theirs.get(*keyword) == defaults.get(*keyword) {
                    continue;
                }
                if mine.get(*keyword) != theirs.get(*keyword) {
                    let (a, b) = (mine.get(*keyword), theirs.get(*keyword));
                    failures.push(format!("sample {index}, host {host}, {keyword}:\n  ours   {a:?}\n  theirs {b:?}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(compared > 100);
}

#[test]
fn a20_the_order_is_that_of_ssh_g() {
    if !have("ssh") {
        return;
    }
    let folder = Folder::new("ssh-order");
    let path = folder.write("config", "User u\nIdentityAgent none\nControlPath /x\nHostKeyAlias y\nSendEnv A\nSetEnv B=1\nCertificateFile c\nLocalForward 1 a:2\n");
    let out = Command::new("ssh").args(["-G", "-F", &path, "h"]).output().unwrap();
    let theirs = String::from_utf8(out.stdout).unwrap();
    let ours = ours(&path, "/nowhere", "h", &[]).unwrap().dump();
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
    "Port 65536",
    "Port ssh2",
    "Port 22 23",
    "BatchMode maybe",
    "Ciphers none-such",
    "Ciphers aes128-ctr,none-such",
    "MACs hmac-none",
    "KexAlgorithms +nothing",
    "HostKeyAlgorithms ssh-nothing",
    "StrictHostKeyChecking sometimes",
    "ConnectTimeout soon",
    "ServerAliveInterval -1",
    "RekeyLimit 1",
    "RekeyLimit 1G soon",
    "RekeyLimit 1G 1h 1h",
    "IdentityFile \"open",
    "Host 'open",
    "Match",
    "Match nosuch x",
    "Match host",
    "Match all host x",
    "LocalForward 8080",
    "LocalForward ::1:8080 web:80",
    "RemoteForward 8080:web:80:1",
    "RemoteForward",
    "PermitRemoteOpen web",
    "PermitRemoteOpen web:0",
    "ProxyJump a,,b",
    "ProxyJump a:0",
    "ProxyJump @a",
    "StreamLocalBindMask 8",
    "LocalForward 8080 web:0",
    "LocalForward 99999 web:80",
    "DynamicForward 1080 web:80",
    "EscapeChar ab",
    "IPQoS fast",
    "AddressFamily ipx",
    "LogLevel LOUD",
    "SendEnv A=B",
    "SetEnv A",
    "AddKeysToAgent 5m confirm",
    "ControlPersist often",
    "FingerprintHash sha3",
    "SessionType pty",
    "RequestTTY often",
    "Compression often",
    "Tunnel hole",
    "StreamLocalBindMask 9",
    "HostName",
    "User a b",
];

#[test]
fn a20_what_the_peer_refuses_is_refused() {
    if !have("ssh") {
        return;
    }
    let folder = Folder::new("bad");
    let mut failures = Vec::new();
    for line in BAD {
        let path = folder.write("config", format!("# one\n{line}\n"));
        let out = Command::new("ssh").args(["-G", "-F", &path, "h"]).output().unwrap();
        if out.status.success() {
            failures.push(format!("the peer takes {line:?}"));
        }
        match ours(&path, "/nowhere", "h", &[]) {
            Ok(_) => failures.push(format!("we take {line:?}")),
            Err(errors) => {
                let text = errors.to_string();
                if !text.starts_with(&format!("{path}: line 2: ")) || !text.contains("terminating, 1 bad configuration")
                {
                    failures.push(format!("{line:?}: no place in {text}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
