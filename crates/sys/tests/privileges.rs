//! The process's own flags and limits. One test, because they belong to the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use nacre_sys::privileges::{raise_open_files, set_dumpable};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn dumpable_and_open_files() {
    set_dumpable(false).unwrap();
    assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
    set_dumpable(true).unwrap();
    assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::Dumpable);

    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(256), maximum: hard }).unwrap();
    assert_eq!(raise_open_files().unwrap(), hard);
    assert_eq!(getrlimit(Resource::Nofile).current, hard);
    // Children get the limit we started with: select(2) cannot hold descriptors past 1023.
    assert_eq!(support::run("ulimit -Sn", |_| ()).1, "256\n");
    assert_eq!(getrlimit(Resource::Nofile).current, hard);
}
