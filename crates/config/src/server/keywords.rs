//! Every keyword of `sshd_config` that OpenSSH 10.5 knows, in the order in which `sshd -T` prints them.

use super::chat::{OPEN, read_lobby, read_operators};
use super::readers::{
    read_allow, read_authentication_methods, read_exempt_list, read_listen, read_max_startups, read_names,
    read_net_block, read_penalties, read_permit_listen, read_permit_open, read_pubkey_options, read_source_limit,
    read_subsystem,
};
use crate::algorithms::Class;
use crate::channel_timeout;
use crate::kind::{Kind, Row, Words, keywords};
use crate::words::{
    DIGESTS, FACILITIES, FAMILIES, LOG_FORMATS, LOG_LEVELS, read_ip_qos, read_mode, read_rekey_limit, read_set_env,
};

const YES_NO: Words = &[("yes", "yes"), ("no", "no")];
const ROOT: Words = &[
    ("yes", "yes"),
    ("no", "no"),
    ("prohibit-password", "without-password"),
    ("without-password", "without-password"),
    ("forced-commands-only", "forced-commands-only"),
];
const FORWARDING: Words = &[("yes", "yes"), ("no", "no"), ("all", "yes"), ("local", "local"), ("remote", "remote")];
const GATEWAY: Words = &[("yes", "yes"), ("no", "no"), ("clientspecified", "clientspecified")];
const COMPRESSION: Words = &[("yes", "yes"), ("no", "no"), ("delayed", "yes")];
const RHOSTS: Words = &[("yes", "yes"), ("no", "no"), ("shosts-only", "shosts-only")];
const TUNNEL: Words = &[("yes", "yes"), ("no", "no"), ("point-to-point", "point-to-point"), ("ethernet", "ethernet")];

const HOSTBASED: &str = "nobody is let in by the name of their host";
const MAX: i64 = 2_147_483_647;

const fn flag(default: &'static str) -> Row {
    Row::new(Kind::Word(YES_NO)).default(default)
}

const fn text(default: &'static str) -> Row {
    Row::new(Kind::Text).default(default)
}

const fn number(default: &'static str) -> Row {
    Row::new(Kind::Number(0, MAX)).default(default)
}

keywords! {
    /// A keyword of `sshd_config`.
    Keyword {
        Match = Row::new(Kind::List).in_match(),
        Include = Row::new(Kind::List).in_match(),
        Port = Row::new(Kind::Number(1, 65535)).default("22").append(),
        AddressFamily = Row::new(Kind::Word(FAMILIES)).default("any"),
        ListenAddress = Row::new(Kind::Custom(read_listen)).append(),
        UsePAM = flag("no"),
        LoginGraceTime = Row::new(Kind::Seconds).default("120"),
        X11DisplayOffset = number("10").in_match().ignored(),
        MaxAuthTries = number("6").in_match(),
        MaxSessions = number("10").in_match(),
        ClientAliveInterval = Row::new(Kind::Seconds).default("60").in_match(),
        ClientAliveCountMax = number("3").in_match(),
        RequiredRSASize = Row::new(Kind::Number(1024, 8192)).default("2048").in_match(),
        StreamLocalBindMask = Row::new(Kind::Custom(read_mode)).default("0177").in_match(),
        UnusedConnectionTimeout = Row::new(Kind::SecondsOrNone).default("600").in_match(),
        PermitRootLogin = Row::new(Kind::Word(ROOT)).default("without-password").in_match(),
        IgnoreRhosts = Row::new(Kind::Word(RHOSTS)).default("yes").in_match().warn(&["yes", "no", "shosts-only"], HOSTBASED),
        IgnoreUserKnownHosts = flag("no").warn(&["yes", "no"], HOSTBASED),
        HostbasedAuthentication = flag("no").in_match().warn(&["no"], HOSTBASED),
        HostbasedUsesNameFromPacketOnly = flag("no").in_match().warn(&["yes", "no"], HOSTBASED),
        PubkeyAuthentication = flag("yes").in_match().alias(&["dsaauthentication"]),
        KerberosAuthentication = flag("no").in_match().warn(&["no"], "Kerberos is not asked"),
        KerberosOrLocalPasswd = flag("yes").ignored(),
        KerberosTicketCleanup = flag("yes").ignored(),
        KerberosGetAFSToken = flag("").ignored(),
        GSSAPIAuthentication = flag("no").in_match().warn(&["no"], "GSSAPI is not asked"),
        GSSAPICleanupCredentials = flag("yes").alias(&["gssapicleanupcreds"]).ignored(),
        GSSAPIStrictAcceptorCheck = flag("yes").ignored(),
        GSSAPIDelegateCredentials = flag("").ignored(),
        PasswordAuthentication = flag("yes").in_match(),
        KbdInteractiveAuthentication = flag("yes").in_match()
            .alias(&["challengeresponseauthentication", "skeyauthentication"]),
        PrintMotd = flag("yes"),
        PrintLastLog = flag("yes"),
        X11Forwarding = flag("no").in_match(),
        X11UseLocalhost = flag("yes").in_match().ignored(),
        PermitTTY = flag("yes").in_match(),
        PermitUserRC = flag("yes").in_match(),
        StrictModes = flag("yes"),
        TCPKeepAlive = flag("yes").alias(&["keepalive"]),
        PermitEmptyPasswords = flag("no").in_match(),
        Compression = Row::new(Kind::Word(COMPRESSION)).default("no"),
        GatewayPorts = Row::new(Kind::Word(GATEWAY)).default("no").in_match(),
        UseDNS = flag("no"),
        AllowTcpForwarding = Row::new(Kind::Word(FORWARDING)).default("yes").in_match(),
        AllowAgentForwarding = flag("yes").in_match(),
        DisableForwarding = flag("no").in_match(),
        AllowStreamLocalForwarding = Row::new(Kind::Word(FORWARDING)).default("yes").in_match(),
        StreamLocalBindUnlink = flag("no").in_match(),
        FingerprintHash = Row::new(Kind::Word(DIGESTS)).default("SHA256"),
        ExposeAuthInfo = flag("no").in_match(),
        RefuseConnection = flag("no").in_match(),
        PidFile = text("/run/sshd.pid"),
        ModuliFile = text("/etc/ssh/moduli").ignored(),
        XAuthLocation = text("/usr/bin/xauth").ignored(),
        Ciphers = Row::new(Kind::Algorithms(Class::Cipher)),
        MACs = Row::new(Kind::Algorithms(Class::Mac)),
        Banner = text("none").in_match(),
        ForceCommand = Row::new(Kind::Rest).default("none").in_match(),
        ChrootDirectory = text("none").in_match(),
        TrustedUserCAKeys = text("none").in_match(),
        RevokedKeys = text("none").in_match(),
        SecurityKeyProvider = text("internal").ignored(),
        AuthorizedPrincipalsFile = text("none").in_match(),
        VersionAddendum = Row::new(Kind::Rest).default("none"),
        AuthorizedKeysCommand = Row::new(Kind::Rest).default("none").in_match(),
        AuthorizedKeysCommandUser = text("none").in_match(),
        AuthorizedPrincipalsCommand = Row::new(Kind::Rest).default("none").in_match(),
        AuthorizedPrincipalsCommandUser = text("none").in_match(),
        HostKeyAgent = text("none"),
        PAMServiceName = text("").in_match(),
        SshdSessionPath = text("").ignored(),
        SshdAuthPath = text("").ignored(),
        RDomain = text("").in_match().stop(&["none"], "sessions would run in the wrong routing domain"),
        KexAlgorithms = Row::new(Kind::Algorithms(Class::Kex)),
        CASignatureAlgorithms = Row::new(Kind::Algorithms(Class::CaKey)).in_match(),
        HostbasedAcceptedAlgorithms = text("").in_match().alias(&["hostbasedacceptedkeytypes"]).ignored(),
        HostKeyAlgorithms = Row::new(Kind::Algorithms(Class::HostKey)),
        PubkeyAcceptedAlgorithms = Row::new(Kind::Algorithms(Class::UserKey)).in_match()
            .alias(&["pubkeyacceptedkeytypes"]),
        LogLevel = Row::new(Kind::Word(LOG_LEVELS)).default("INFO").in_match(),
        SyslogFacility = Row::new(Kind::Word(FACILITIES)).default("AUTH"),
        AuthorizedKeysFile = Row::new(Kind::List).default(".ssh/authorized_keys .ssh/authorized_keys2").in_match(),
        HostKey = text("").append(),
        HostCertificate = text("").append(),
        AllowUsers = Row::new(Kind::Custom(read_allow)).in_match().append(),
        DenyUsers = Row::new(Kind::Custom(read_allow)).in_match().append(),
        AllowGroups = Row::new(Kind::List).in_match().append(),
        DenyGroups = Row::new(Kind::List).in_match().append(),
        AcceptEnv = Row::new(Kind::Custom(read_names)).in_match().append(),
        SetEnv = Row::new(Kind::Custom(read_set_env)).in_match(),
        AuthenticationMethods = Row::new(Kind::Custom(read_authentication_methods)).default("any").in_match(),
        LogVerbose = Row::new(Kind::List).default("none").in_match().warn(&["none"], "LogLevel alone counts"),
        ChannelTimeout = Row::new(Kind::Custom(channel_timeout::read)).default("none").in_match(),
        Subsystem = Row::new(Kind::Custom(read_subsystem)).in_match().append(),
        MaxStartups = Row::new(Kind::Custom(read_max_startups)).default("100:30:1000"),
        PerSourceMaxStartups = Row::new(Kind::Custom(read_source_limit)).default("none"),
        PerSourceNetBlockSize = Row::new(Kind::Custom(read_net_block)).default("32:64"),
        PerSourcePenalties = Row::new(Kind::Custom(read_penalties)).append(),
        PerSourcePenaltyExemptList = Row::new(Kind::Custom(read_exempt_list)).default("127.0.0.0/8,::1/128"),
        PermitTunnel = Row::new(Kind::Word(TUNNEL)).default("no").in_match().warn(&["no"], "no tunnel is made"),
        IPQoS = Row::new(Kind::Custom(read_ip_qos)).default("ef none").in_match(),
        RekeyLimit = Row::new(Kind::Custom(read_rekey_limit)).default("0 3600").in_match(),
        PermitOpen = Row::new(Kind::Custom(read_permit_open)).default("any").in_match(),
        PermitListen = Row::new(Kind::Custom(read_permit_listen)).default("any").in_match(),
        PermitUserEnvironment = text("no"),
        PubkeyAuthOptions = Row::new(Kind::Custom(read_pubkey_options)).default("none").in_match(),
        // Nacre's own.
        Sandbox = flag("yes"),
        LogFormat = Row::new(Kind::Word(LOG_FORMATS)).default("text"),
        ChatGuests = flag("no"),
        ChatRegistration = Row::new(Kind::Word(OPEN)).default("open"),
        ChatRooms = Row::new(Kind::Word(OPEN)).default("open"),
        ChatLobby = Row::new(Kind::Custom(read_lobby)).default("lobby"),
        ChatMotd = text("none"),
        ChatNames = text("none"),
        ChatOperators = Row::new(Kind::Custom(read_operators)).append(),
        ChatKeep = Row::new(Kind::SecondsOrNone).default("none"),
        ChatBackplane = text("none"),
        ChatBackplaneCredentials = text("none"),
        ChatBackplaneAuthorities = text("none"),
        ChatNode = text("none"),
        Protocol = Row::new(Kind::Rest).ignored().alias(&[
            "keyregenerationinterval", "serverkeybits", "useprivilegeseparation", "uselogin", "rhostsauthentication",
            "rhostsrsaauthentication", "rsaauthentication", "pamauthenticationviakbdint", "reversemappingcheck",
            "verifyreversemapping",
            "authorizedkeysfile2", "checkmail", "dsaauth", "kerberostgtpassing", "afstokenpassing",
            "gssapikeyexchange", "gssapistorecredentialsonrekey", "gssapikexalgorithms", "debianbanner",
        ]),
    }
}
