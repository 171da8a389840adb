//! Every keyword of `ssh_config` that OpenSSH 10.5 knows, in the order in which `ssh -G` prints them, and behind them
//! our own, which are printed only where they are set.

use super::readers::{
    read_add_keys_to_agent, read_control_persist, read_dynamic_forward, read_escape_char, read_local_forward,
    read_obscure, read_permit_remote_open, read_proxy_jump, read_remote_forward, read_send_env,
};
use crate::algorithms::Class;
use crate::channel_timeout;
use crate::kind::{Kind, Row, Words, keywords};
use crate::words::{DIGESTS, FACILITIES, FAMILIES, LOG_LEVELS, read_ip_qos, read_mode, read_rekey_limit, read_set_env};

const YES_NO: Words = &[("yes", "yes"), ("no", "no"), ("true", "yes"), ("false", "no")];
const TRUE_FALSE_ASK: Words = &[("yes", "true"), ("no", "false"), ("ask", "ask"), ("true", "true"), ("false", "false")];
const STRICT: Words = &[
    ("yes", "true"),
    ("no", "false"),
    ("ask", "ask"),
    ("accept-new", "accept-new"),
    ("off", "false"),
    ("true", "true"),
    ("false", "false"),
];
const CANONICALIZE: Words =
    &[("yes", "true"), ("no", "false"), ("always", "always"), ("true", "true"), ("false", "false")];
const CONTROL_MASTER: Words = &[
    ("yes", "true"),
    ("no", "false"),
    ("ask", "ask"),
    ("auto", "auto"),
    ("autoask", "autoask"),
    ("true", "true"),
    ("false", "false"),
];
const PUBKEY: Words = &[
    ("yes", "true"),
    ("no", "false"),
    ("unbound", "unbound"),
    ("host-bound", "host-bound"),
    ("true", "true"),
    ("false", "false"),
];
const TTY: Words =
    &[("no", "false"), ("yes", "true"), ("force", "force"), ("auto", "auto"), ("true", "true"), ("false", "false")];
const SESSION: Words = &[("none", "none"), ("subsystem", "subsystem"), ("default", "default")];
const TUNNEL: Words = &[
    ("yes", "point-to-point"),
    ("point-to-point", "point-to-point"),
    ("ethernet", "ethernet"),
    ("no", "false"),
    ("true", "point-to-point"),
    ("false", "false"),
];
const COMPRESSION: Words = &[("yes", "yes"), ("no", "no")];

const X11: &str = "X11 is not forwarded";

const fn flag(default: &'static str) -> Row {
    Row::new(Kind::Word(YES_NO)).default(default)
}

const fn text() -> Row {
    Row::new(Kind::Text)
}

keywords! {
    /// A keyword of `ssh_config`.
    Keyword {
        Host = Row::new(Kind::List),
        Match = Row::new(Kind::List),
        Include = Row::new(Kind::List),
        User = text(),
        HostName = text(),
        Port = Row::new(Kind::Number(1, 65535)).default("22"),
        AddressFamily = Row::new(Kind::Word(FAMILIES)).default("any"),
        BatchMode = flag("no"),
        CanonicalizeFallbackLocal = flag("yes"),
        CanonicalizeHostname = Row::new(Kind::Word(CANONICALIZE)).default("false"),
        CheckHostIP = flag("no"),
        Compression = Row::new(Kind::Word(COMPRESSION)).default("no"),
        ControlMaster = Row::new(Kind::Word(CONTROL_MASTER)).default("false"),
        EnableSSHKeysign = flag("no").warn(&["no"], "host-based login is not tried"),
        ClearAllForwardings = flag("no"),
        ExitOnForwardFailure = flag("no"),
        FingerprintHash = Row::new(Kind::Word(DIGESTS)).default("SHA256"),
        ForwardX11 = flag("no").warn(&["no"], X11),
        ForwardX11Trusted = flag("no").warn(&["yes", "no"], X11),
        GatewayPorts = flag("no"),
        GSSAPIAuthentication = flag("no").ignored(),
        GSSAPIDelegateCredentials = flag("no").ignored(),
        HashKnownHosts = flag("yes"),
        HostbasedAuthentication = flag("no").warn(&["no"], "host-based login is not tried"),
        IdentitiesOnly = flag("no"),
        KbdInteractiveAuthentication = flag("yes")
            .alias(&["challengeresponseauthentication", "skeyauthentication", "tisauthentication"]),
        NoHostAuthenticationForLocalhost = flag("no"),
        PasswordAuthentication = flag("yes"),
        PermitLocalCommand = flag("no"),
        ProxyUseFdpass = flag("no"),
        PubkeyAuthentication = Row::new(Kind::Word(PUBKEY)).default("true").alias(&["dsaauthentication"]),
        RequestTTY = Row::new(Kind::Word(TTY)).default("auto"),
        SessionType = Row::new(Kind::Word(SESSION)).default("default"),
        StdinNull = flag("no"),
        ForkAfterAuthentication = flag("no"),
        StreamLocalBindUnlink = flag("no"),
        StrictHostKeyChecking = Row::new(Kind::Word(STRICT)).default("ask"),
        TCPKeepAlive = flag("yes").alias(&["keepalive"]),
        Tunnel = Row::new(Kind::Word(TUNNEL)).default("false").warn(&["false"], "no tunnel is made"),
        VerifyHostKeyDNS = Row::new(Kind::Word(TRUE_FALSE_ASK)).default("false")
            .warn(&["false"], "host keys are not looked up in the DNS"),
        VisualHostKey = flag("no"),
        UpdateHostKeys = Row::new(Kind::Word(TRUE_FALSE_ASK)).default("true"),
        EnableEscapeCommandline = flag("no"),
        WarnWeakCrypto = Row::new(Kind::WordOrText(YES_NO)).default("yes"),
        CanonicalizeMaxDots = Row::new(Kind::Number(0, 255)).default("1"),
        ConnectionAttempts = Row::new(Kind::Number(1, 2_147_483_647)).default("1"),
        ForwardX11Timeout = Row::new(Kind::Seconds).default("1200").warn(&["1200"], X11),
        NumberOfPasswordPrompts = Row::new(Kind::Number(0, 1000)).default("3"),
        ServerAliveCountMax = Row::new(Kind::Number(0, 2_147_483_647)).default("3"),
        ServerAliveInterval = Row::new(Kind::Seconds).default("60"),
        RequiredRSASize = Row::new(Kind::Number(1024, 8192)).default("2048"),
        BindAddress = text(),
        BindInterface = text(),
        Ciphers = Row::new(Kind::Algorithms(Class::Cipher)),
        ControlPath = text(),
        HostKeyAlgorithms = Row::new(Kind::Algorithms(Class::HostKey)),
        HostKeyAlias = text(),
        HostbasedAcceptedAlgorithms = text().alias(&["hostbasedkeytypes", "hostbasedacceptedkeytypes"]).ignored(),
        IdentityAgent = text(),
        IgnoreUnknown = text(),
        KbdInteractiveDevices = text(),
        KexAlgorithms = Row::new(Kind::Algorithms(Class::Kex)),
        CASignatureAlgorithms = Row::new(Kind::Algorithms(Class::CaKey)),
        LocalCommand = Row::new(Kind::Rest),
        RemoteCommand = Row::new(Kind::Rest),
        LogLevel = Row::new(Kind::Word(LOG_LEVELS)).default("INFO"),
        MACs = Row::new(Kind::Algorithms(Class::Mac)),
        PKCS11Provider = text().alias(&["smartcarddevice"]).warn(&["none"], "no key is read from a card"),
        SecurityKeyProvider = text().default("internal").warn(&["internal"], "no library for security keys is loaded"),
        PreferredAuthentications = text(),
        PubkeyAcceptedAlgorithms = Row::new(Kind::Algorithms(Class::UserKey)).alias(&["pubkeyacceptedkeytypes"]),
        RevokedHostKeys = text(),
        XAuthLocation = text().ignored(),
        KnownHostsCommand = Row::new(Kind::Rest),
        Tag = text(),
        VersionAddendum = Row::new(Kind::Rest),
        RefuseConnection = Row::new(Kind::Rest),
        DynamicForward = Row::new(Kind::Custom(read_dynamic_forward)).append(),
        LocalForward = Row::new(Kind::Custom(read_local_forward)).append(),
        RemoteForward = Row::new(Kind::Custom(read_remote_forward)).append(),
        IdentityFile = text().alias(&["identityfile2"]).append(),
        CanonicalDomains = Row::new(Kind::List).default("none"),
        CertificateFile = text().append(),
        GlobalKnownHostsFile = Row::new(Kind::List).default("/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"),
        UserKnownHostsFile = Row::new(Kind::List).default("~/.ssh/known_hosts ~/.ssh/known_hosts2"),
        SendEnv = Row::new(Kind::Custom(read_send_env)).append(),
        SetEnv = Row::new(Kind::Custom(read_set_env)),
        LogVerbose = Row::new(Kind::List).default("none").warn(&["none"], "LogLevel alone counts"),
        ChannelTimeout = Row::new(Kind::Custom(channel_timeout::read)).default("none"),
        PermitRemoteOpen = Row::new(Kind::Custom(read_permit_remote_open)).default("any"),
        AddKeysToAgent = Row::new(Kind::Custom(read_add_keys_to_agent)).default("false"),
        ForwardAgent = Row::new(Kind::WordOrText(YES_NO)).default("no"),
        ConnectTimeout = Row::new(Kind::SecondsOrNone).default("none"),
        TunnelDevice = text().default("any:any").warn(&["any:any", "any"], "no tunnel is made"),
        CanonicalizePermittedCNAMEs = Row::new(Kind::List).default("none"),
        ControlPersist = Row::new(Kind::Custom(read_control_persist)).default("no"),
        EscapeChar = Row::new(Kind::Custom(read_escape_char)).default("~"),
        IPQoS = Row::new(Kind::Custom(read_ip_qos)).default("ef none"),
        RekeyLimit = Row::new(Kind::Custom(read_rekey_limit)).default("0 3600"),
        StreamLocalBindMask = Row::new(Kind::Custom(read_mode)).default("0177"),
        SyslogFacility = Row::new(Kind::Word(FACILITIES)).default("USER"),
        ObscureKeystrokeTiming = Row::new(Kind::Custom(read_obscure)).default("yes"),
        ProxyCommand = Row::new(Kind::Rest),
        ProxyJump = Row::new(Kind::Custom(read_proxy_jump)),
        Protocol = Row::new(Kind::Rest).ignored().alias(&[
            "cipher", "fallbacktorsh", "globalknownhostsfile2", "rhostsauthentication", "userknownhostsfile2",
            "useroaming", "usersh", "useprivilegedport", "afstokenpassing", "kerberosauthentication",
            "kerberostgtpassing", "rsaauthentication", "rhostsrsaauthentication", "compressionlevel",
            "gssapikeyexchange", "gssapiserveridentity", "gssapiclientidentity", "gssapitrustdns",
            "gssapirenewalforcesrekey", "gssapikexalgorithms",
        ]),
        RefuseNoneAuth = Row::new(Kind::Word(YES_NO)),
    }
}
