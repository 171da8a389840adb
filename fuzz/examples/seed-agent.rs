//! Seeds the corpus of what clients ask of an agent: `cargo run --no-default-features --example seed-agent`.

use nacre_agent::{AddIdentity, DestinationConstraint, Hop, HostKey, Request, SessionBind, SignFlags, SignRequest};
use nacre_crypto::PrivateKey;
use nacre_wire::WriteExt;
use std::fs;
use std::path::{Path, PathBuf};

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

fn put(name: &str, requests: &[Request<'_>], more: &[u8]) {
    // The first byte is also how many bytes come at once; the rest of the length field stays 0 or 1.
    let mut bytes = Vec::new();
    requests.iter().for_each(|request| request.encode(&mut bytes).expect("a request"));
    bytes.extend_from_slice(more);
    fs::create_dir_all(folder("agent_requests")).expect("a folder");
    fs::write(folder("agent_requests").join(name), bytes).expect("a file");
}

fn extension(name: &str) -> Vec<u8> {
    let mut message = vec![27];
    message.put_string(name);
    let mut frame = Vec::new();
    frame.put_string(message);
    frame
}

fn login(key: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    data.put_string("session");
    data.put_u8(50);
    data.put_string("me");
    data.put_string("ssh-connection");
    data.put_string("publickey-hostbound-v00@openssh.com");
    data.put_bool(true);
    data.put_string("ssh-ed25519");
    data.put_string(key);
    data.put_string("HOST");
    data
}

fn main() {
    let list = Request::RequestIdentities;
    for name in ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa2048"] {
        let file = fs::read(folder("private_key_file").join(name)).expect("a key file");
        let key = PrivateKey::read(&file, None).expect("a key");
        let form = key.dangerous_agent_form();
        let host = Hop {
            user: Some(b"m*".to_vec()),
            host: Some(b"host".to_vec()),
            host_keys: vec![HostKey { key: b"HOST".to_vec(), is_ca: false }],
        };
        let to = [DestinationConstraint { from: Hop::default(), to: host }];
        let add = |lifetime, confirm, destinations| {
            Request::AddIdentity(AddIdentity { key: &form, lifetime, confirm, destinations })
        };
        let data = login(key.public_blob());
        let flags = SignFlags::RSA_SHA2_512;
        let sign = Request::SignRequest(SignRequest { public_key: key.public_blob(), data: &data, flags });
        let bind = Request::SessionBind(SessionBind {
            host_key: b"HOST",
            session_identifier: b"session",
            signature: b"S",
            is_forwarding: false,
        });
        put(
            &format!("use-{name}"),
            &[add(None, false, &[]), list, sign, Request::RemoveIdentity(key.public_blob()), list],
            &[],
        );
        put(&format!("constrained-{name}"), &[add(Some(3), true, &[]), sign, list, list, list], &[]);
        put(&format!("bound-{name}"), &[add(None, false, &to), list, bind, list, sign, add(None, false, &to)], &[]);
        put(
            &format!("locked-{name}"),
            &[
                add(None, false, &[]),
                Request::Lock(b"p"),
                list,
                bind,
                sign,
                Request::Unlock(b"q"),
                Request::Unlock(b"p"),
                list,
            ],
            &[],
        );
    }
    put("extensions", &[list], &[extension("query"), extension("x@y"), extension("session-bind@openssh.com")].concat());
    put("tokens", &[list, Request::RemoveAllIdentities], &[0, 0, 0, 5, 20, 0, 0, 0, 0, 0, 0, 0, 1, 26]);
    put("length", &[list], &[255; 8]);
}
