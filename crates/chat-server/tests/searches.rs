//! Searches that take long: who waits for them, and who does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::NoPasswords;
use nacre_chat::{Config, Proof, SearchQuery, StoreRequest};
use nacre_chat_server::{Arrival, Ended, Hub, Size, Store};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

/// What takes longer stands still.
const PATIENCE: Duration = Duration::from_secs(60);

/// A chat whose searches stand still until the sender is dropped.
fn stuck(folder: &Path) -> (Hub, mpsc::Sender<()>) {
    let (store, loaded) = Store::open(&folder.join("chat.db"), None).unwrap();
    let (held, until) = mpsc::channel::<()>();
    let query = SearchQuery { words: Arc::from("x"), places: vec![], directs_of: None, from: None, limit: 1 };
    assert!(
        store
            .ask(StoreRequest::Search(query), move |_| {
                let _ = until.recv();
            })
            .is_ok()
    );
    (Hub::open(Config::new("one", 1), (store, loaded), Box::new(NoPasswords)), held)
}

/// What `printf LINES | ssh` prints.
async fn piped(hub: &Hub, nick: &str, lines: &str) -> String {
    let arrival = Arrival {
        proof: Proof::Key(format!("SHA256:{nick}").into()),
        login: nick.into(),
        rooms: Vec::new(),
        address: None,
        client: Vec::new(),
        term: None,
        json: false,
        since: None,
        colours: false,
    };
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (mut reader, mut writer) = tokio::io::split(far);
    writer.write_all(lines.as_bytes()).await.unwrap();
    writer.shutdown().await.unwrap();
    let size = watch::Sender::new(Size { columns: 80, rows: 24 });
    let served = tokio::time::timeout(PATIENCE, hub.serve(near, size.subscribe(), arrival));
    let mut shown = String::new();
    let (ended, read) = tokio::join!(served, reader.read_to_string(&mut shown));
    assert_eq!(ended.expect("it ends"), Ended::Left);
    read.unwrap();
    shown
}

#[tokio::test]
async fn a_pipe_sees_what_it_searched_and_nobody_elses_search_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, held) = stuck(folder.path());
    let shown = piped(&hub, "alice", "the crab\n").await;
    assert!(shown.contains("You are alice"), "{shown}");
    // Nor does its own, if it takes too long.
    let shown = piped(&hub, "bob", "/search crab\n/search crab\n").await;
    assert!(shown.contains("Your last search is still under way") && !shown.contains("Found: crab"), "{shown}");
    drop(held);
    let shown = piped(&hub, "carol", "/search crab\n").await;
    assert!(shown.contains("Found: crab") && shown.contains("alice: the crab"), "{shown}");
}
