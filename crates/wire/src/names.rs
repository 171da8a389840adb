//! Every name that crosses the wire, once, with where it is defined: an index of the documents.

/// draft-ietf-sshm-mlkem-hybrid-kex.
pub const KEX_MLKEM768X25519: &str = "mlkem768x25519-sha256";
/// draft-ietf-sshm-ntruprime-ssh.
pub const KEX_SNTRUP761X25519: &str = "sntrup761x25519-sha512";
/// The same, as OpenSSH 8.5 to 9.8 name it.
pub const KEX_SNTRUP761X25519_OPENSSH: &str = "sntrup761x25519-sha512@openssh.com";
/// RFC 8731.
pub const KEX_CURVE25519: &str = "curve25519-sha256";
/// RFC 8731 §2, the name before the RFC.
pub const KEX_CURVE25519_LIBSSH: &str = "curve25519-sha256@libssh.org";
/// RFC 5656 §6.3.
pub const KEX_ECDH_NISTP256: &str = "ecdh-sha2-nistp256";
/// RFC 5656 §6.3.
pub const KEX_ECDH_NISTP384: &str = "ecdh-sha2-nistp384";
/// RFC 5656 §6.3.
pub const KEX_ECDH_NISTP521: &str = "ecdh-sha2-nistp521";
/// RFC 8268.
pub const KEX_GROUP14_SHA256: &str = "diffie-hellman-group14-sha256";
/// RFC 8268.
pub const KEX_GROUP16_SHA512: &str = "diffie-hellman-group16-sha512";
/// RFC 8268.
pub const KEX_GROUP18_SHA512: &str = "diffie-hellman-group18-sha512";

/// RFC 8308 §2.1, sent by a client in the first KEXINIT.
pub const EXT_INFO_C: &str = "ext-info-c";
/// RFC 8308 §2.1, sent by a server in the first KEXINIT.
pub const EXT_INFO_S: &str = "ext-info-s";
/// OpenSSH PROTOCOL §1.9, the client's marker.
pub const KEX_STRICT_C: &str = "kex-strict-c-v00@openssh.com";
/// OpenSSH PROTOCOL §1.9, the server's marker.
pub const KEX_STRICT_S: &str = "kex-strict-s-v00@openssh.com";

/// OpenSSH PROTOCOL §1.6 (RFC 5647 with the names fixed).
pub const CIPHER_AES256_GCM: &str = "aes256-gcm@openssh.com";
/// OpenSSH PROTOCOL §1.6.
pub const CIPHER_AES128_GCM: &str = "aes128-gcm@openssh.com";
/// OpenSSH PROTOCOL.chacha20poly1305.
pub const CIPHER_CHACHA20_POLY1305: &str = "chacha20-poly1305@openssh.com";
/// RFC 4344 §4.
pub const CIPHER_AES256_CTR: &str = "aes256-ctr";
/// RFC 4344 §4.
pub const CIPHER_AES192_CTR: &str = "aes192-ctr";
/// RFC 4344 §4.
pub const CIPHER_AES128_CTR: &str = "aes128-ctr";

/// OpenSSH PROTOCOL §1.5.
pub const MAC_HMAC_SHA2_256_ETM: &str = "hmac-sha2-256-etm@openssh.com";
/// OpenSSH PROTOCOL §1.5.
pub const MAC_HMAC_SHA2_512_ETM: &str = "hmac-sha2-512-etm@openssh.com";
/// RFC 6668.
pub const MAC_HMAC_SHA2_256: &str = "hmac-sha2-256";
/// RFC 6668.
pub const MAC_HMAC_SHA2_512: &str = "hmac-sha2-512";

/// RFC 4253 §6.2.
pub const COMPRESSION_NONE: &str = "none";
/// OpenSSH PROTOCOL §1.2: zlib from the end of the login on.
pub const COMPRESSION_ZLIB: &str = "zlib@openssh.com";

/// RFC 8709.
pub const SSH_ED25519: &str = "ssh-ed25519";
/// RFC 5656 §3.1.
pub const ECDSA_NISTP256: &str = "ecdsa-sha2-nistp256";
/// RFC 5656 §3.1.
pub const ECDSA_NISTP384: &str = "ecdsa-sha2-nistp384";
/// RFC 5656 §3.1.
pub const ECDSA_NISTP521: &str = "ecdsa-sha2-nistp521";
/// RFC 8332 §3.
pub const RSA_SHA2_256: &str = "rsa-sha2-256";
/// RFC 8332 §3.
pub const RSA_SHA2_512: &str = "rsa-sha2-512";
/// RFC 4253 §6.6: the RSA key type (as a signature algorithm it is SHA-1 and never used here).
pub const SSH_RSA: &str = "ssh-rsa";
/// OpenSSH PROTOCOL.u2f: an Ed25519 key inside a security key.
pub const SK_SSH_ED25519: &str = "sk-ssh-ed25519@openssh.com";
/// OpenSSH PROTOCOL.u2f: a key over nistp256 inside a security key.
pub const SK_ECDSA_NISTP256: &str = "sk-ecdsa-sha2-nistp256@openssh.com";
/// OpenSSH PROTOCOL.u2f.
pub const SK_SSH_ED25519_CERT: &str = "sk-ssh-ed25519-cert-v01@openssh.com";
/// OpenSSH PROTOCOL.u2f.
pub const SK_ECDSA_NISTP256_CERT: &str = "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com";
/// OpenSSH PROTOCOL.certkeys.
pub const SSH_ED25519_CERT: &str = "ssh-ed25519-cert-v01@openssh.com";
/// OpenSSH PROTOCOL.certkeys.
pub const ECDSA_NISTP256_CERT: &str = "ecdsa-sha2-nistp256-cert-v01@openssh.com";
/// OpenSSH PROTOCOL.certkeys.
pub const ECDSA_NISTP384_CERT: &str = "ecdsa-sha2-nistp384-cert-v01@openssh.com";
/// OpenSSH PROTOCOL.certkeys.
pub const ECDSA_NISTP521_CERT: &str = "ecdsa-sha2-nistp521-cert-v01@openssh.com";
/// OpenSSH PROTOCOL.certkeys: the type of RSA certificates (as a signature algorithm it is SHA-1 and never used here).
pub const SSH_RSA_CERT: &str = "ssh-rsa-cert-v01@openssh.com";
/// OpenSSH PROTOCOL.certkeys: an RSA certificate whose key signs with SHA-256.
pub const RSA_SHA2_256_CERT: &str = "rsa-sha2-256-cert-v01@openssh.com";
/// OpenSSH PROTOCOL.certkeys: an RSA certificate whose key signs with SHA-512.
pub const RSA_SHA2_512_CERT: &str = "rsa-sha2-512-cert-v01@openssh.com";

/// RFC 4252: the authentication service.
pub const SERVICE_USERAUTH: &str = "ssh-userauth";
/// RFC 4254: the connection service.
pub const SERVICE_CONNECTION: &str = "ssh-connection";
/// RFC 4252 §5.2.
pub const AUTH_NONE: &str = "none";
/// RFC 4252 §7.
pub const AUTH_PUBLICKEY: &str = "publickey";
/// OpenSSH PROTOCOL §3.1.
pub const AUTH_PUBLICKEY_HOSTBOUND: &str = "publickey-hostbound-v00@openssh.com";
/// RFC 4252 §8.
pub const AUTH_PASSWORD: &str = "password";
/// RFC 4256.
pub const AUTH_KEYBOARD_INTERACTIVE: &str = "keyboard-interactive";

/// RFC 8308 §3.1.
pub const EXT_SERVER_SIG_ALGS: &str = "server-sig-algs";
/// OpenSSH PROTOCOL §1.8.
pub const EXT_PING: &str = "ping@openssh.com";
/// OpenSSH PROTOCOL §3.1.
pub const EXT_PUBLICKEY_HOSTBOUND: &str = "publickey-hostbound@openssh.com";

/// RFC 4254 §6.1.
pub const CHANNEL_SESSION: &str = "session";
/// RFC 4254 §7.2.
pub const CHANNEL_DIRECT_TCPIP: &str = "direct-tcpip";
/// RFC 4254 §7.2.
pub const CHANNEL_FORWARDED_TCPIP: &str = "forwarded-tcpip";
/// OpenSSH PROTOCOL §2.4.
pub const CHANNEL_DIRECT_STREAMLOCAL: &str = "direct-streamlocal@openssh.com";
/// OpenSSH PROTOCOL §2.4.
pub const CHANNEL_FORWARDED_STREAMLOCAL: &str = "forwarded-streamlocal@openssh.com";
/// OpenSSH PROTOCOL §2.10 (draft-ietf-sshm-ssh-agent §5): a connection to the client's agent.
pub const CHANNEL_AUTH_AGENT: &str = "auth-agent@openssh.com";
/// The session request that has the server take connections for the client's agent.
pub const AUTH_AGENT_REQ: &str = "auth-agent-req@openssh.com";
/// RFC 4254 §7.1.
pub const TCPIP_FORWARD: &str = "tcpip-forward";
/// RFC 4254 §7.1.
pub const CANCEL_TCPIP_FORWARD: &str = "cancel-tcpip-forward";
/// OpenSSH PROTOCOL §2.4.
pub const STREAMLOCAL_FORWARD: &str = "streamlocal-forward@openssh.com";
/// OpenSSH PROTOCOL §2.4.
pub const CANCEL_STREAMLOCAL_FORWARD: &str = "cancel-streamlocal-forward@openssh.com";
/// OpenSSH PROTOCOL §2.5.
pub const HOSTKEYS: &str = "hostkeys-00@openssh.com";
/// OpenSSH PROTOCOL §2.5.
pub const HOSTKEYS_PROVE: &str = "hostkeys-prove-00@openssh.com";
/// OpenSSH PROTOCOL §2.2.
pub const NO_MORE_SESSIONS: &str = "no-more-sessions@openssh.com";
/// OpenSSH's liveness probe.
pub const KEEPALIVE: &str = "keepalive@openssh.com";
