//! Sessions whose clients take nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::NoPasswords;
use nacre_chat::command::BanOrder;
use nacre_chat::{AdminAnswer, AdminRequest, Config, Proof};
use nacre_chat_server::{Arrival, Ended, Hub, Size, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

fn arrival(term: Option<&str>, json: bool) -> Arrival {
    Arrival {
        proof: Proof::Key(Arc::from("SHA256:mallory")),
        login: b"mallory".to_vec(),
        rooms: Vec::new(),
        address: None,
        client: Vec::new(),
        term: term.map(str::to_owned),
        json,
        since: None,
        colours: false,
    }
}

/// Types the same again and again and reads nothing: how many bytes were taken, and how the session ended when it was banned.
async fn floods(arrival: Arrival, typed: &[u8]) -> (usize, Ended) {
    let folder = tempfile::tempdir().unwrap();
    let opened = Store::open(&folder.path().join("chat.db"), None).unwrap();
    let hub = Hub::open(Config::new("one", 1), opened, Box::new(NoPasswords));
    let (near, mut far) = tokio::io::duplex(1024);
    let size = watch::Sender::new(Size { columns: 80, rows: 24 });
    let session = tokio::spawn({
        let (hub, size) = (hub.clone(), size.subscribe());
        async move { hub.serve(near, size, arrival).await }
    });
    let flood = typed.repeat(1024);
    let mut taken = 0;
    while let Ok(written) = tokio::time::timeout(Duration::from_secs(2), far.write(&flood)).await {
        taken += written.unwrap();
        assert!(taken < 1 << 20, "all of it was taken, though nothing was read");
    }
    let order = BanOrder { target: Arc::from("mallory"), time: None, reason: Arc::from(""), mute: false };
    let banned = hub.admin(AdminRequest::Ban { order, room: None }).await;
    assert_eq!(banned, AdminAnswer::Done);
    let ended = tokio::time::timeout(Duration::from_secs(30), session).await.expect("it ends").unwrap();
    (taken, ended)
}

#[tokio::test]
async fn u05_who_takes_nothing_is_not_heard_and_can_be_ended() {
    for (arrival, typed) in [(arrival(Some("dumb"), false), &b"/\t\t\t\t"[..]), (arrival(None, true), b"x\nx\nx\n")] {
        let (taken, ended) = floods(arrival, typed).await;
        assert!(taken > 0);
        assert!(matches!(ended, Ended::Closed(_)), "{ended:?}");
    }
}
