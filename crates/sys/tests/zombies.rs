//! Whatever becomes of a child, it does not stay in the process table. One test, so that the process has no other children.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::time::Instant;

use nacre_sys::account::Account;
use nacre_sys::spawn::reap_orphans;
use rustix::process::{WaitIdOptions, WaitOptions};
use support::{PATIENCE, finish, start};

/// ECHILD: neither running nor ended children exist.
fn no_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::All, options).is_err_and(|err| err == rustix::io::Errno::CHILD)
}

#[test]
fn no_child_is_left_behind() {
    let nobody = Account::by_name("nobody").unwrap().unwrap().credentials().unwrap();
    let nobody = nacre_sys::privileges::is_root().then_some(nobody);
    for credentials in [None, nobody] {
        for _ in 0..20 {
            let failed = start("", |spec| {
                spec.program = "/no/such/program".into();
                spec.credentials = credentials.clone();
            });
            assert!(failed.is_err() && no_children(), "after a failed exec");
        }
    }

    let piped = start("exit 3", |_| ()).unwrap();
    finish(&piped.child);
    assert!(!no_children(), "its id is kept while the handle lives");
    drop(piped);
    assert!(no_children(), "after an awaited child");

    let killed = start("sleep 100", |_| ()).unwrap();
    killed.child.kill_group().unwrap();
    drop(killed);
    await_empty("after a child dropped while it was dying");

    let running: Vec<_> = (0..10).map(|_| start("read line", |_| ()).unwrap()).collect();
    let stdins: Vec<_> = running.into_iter().map(|piped| piped.stdin).collect();
    assert_eq!(reap_orphans(), 10, "dropping a handle must not end the process");
    drop(stdins);
    await_empty("after children dropped while they ran");
    assert!(rustix::process::wait(WaitOptions::NOHANG).is_err());
}

fn await_empty(when: &str) {
    let start = Instant::now();
    while reap_orphans() > 0 {
        assert!(start.elapsed() < PATIENCE, "{when}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(no_children(), "{when}");
}
