//! Programs that stand in for ssh (`-S`), and scp calls that use them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{Scratch, nacre};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// An executable script of the place.
pub fn script(place: &Scratch, name: &str, text: &str) -> PathBuf {
    let new = place.write(&format!("{name}.new"), &format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    // A script that is still open for writing in a child of another thread cannot run.
    std::fs::rename(&new, place.path(name)).unwrap();
    place.path(name)
}

/// Runs what it is asked for on this machine, with `scp` being the program under test, in place of any host.
pub fn shortcut(place: &Scratch) -> PathBuf {
    let bin = place.path("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        for name in ["scp", "ssh"] {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nacre"), bin.join(name)).unwrap();
        }
    }
    let text = format!(
        "for last; do :; done\nPATH={}:$PATH\n\
         case $last in sftp) exec {} sftp-server;; esac\nexec sh -c \"$last\"",
        bin.display(),
        env!("CARGO_BIN_EXE_nacre")
    );
    script(place, "shortcut", &text)
}

/// `nacre scp` in the place, with this program in place of ssh.
pub fn scp(place: &Scratch, carrier: &str) -> Command {
    let mut command = nacre();
    command.arg("scp").arg("-S").arg(place.path(carrier)).current_dir(place.root()).env("HOME", place.root());
    command
}
