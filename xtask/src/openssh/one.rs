//! One test of OpenSSH's, run in a room of its own.

use super::program::Column;
use super::shim;
use super::suite::{self, Test};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a test went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It held.
    Pass,
    /// It did not, and what it said last.
    Fail(String),
    /// It was not run, and why.
    Skip(String),
}

/// The longest a test may take; OpenSSH's longest takes a sixth of it on a machine at rest.
const LIMIT: Duration = Duration::from_secs(900);

/// Processes, ports, mounts and `/run` are the test's own, so that it meets no other test and everything that it started ends
/// with it, daemons too. Root's `.bashrc` is hidden: some take a second, for each of hundreds of sessions.
const ROOM: &str = "ip link set lo up && mount -t tmpfs -o mode=755 none /run && mkdir /run/sshd || exit 99
[ ! -e \"$HOME/.bashrc\" ] || mount --bind /dev/null \"$HOME/.bashrc\"
if [ -n \"$TARGET\" ]; then make --no-print-directory -C \"$OBJ\" .OBJDIR=\"$OBJ\" .CURDIR=\"$OBJ\" OBJ=\"$OBJ/\" TEST_SSH_SSHKEYGEN=\"$TEST_SSH_SSHKEYGEN\" TEST_SSH_SSH=\"$TEST_SSH_SSH\" \"$TARGET\"
else sh test-exec.sh \"$OBJ\" \"$SCRIPT\"; fi; exit $?";

/// Runs `test` in `folder`, which is made and stays.
pub fn run(test: &Test, column: &Column, links: &Path, folder: &Path) -> Result<Outcome, String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    suite::copy_to(folder)?;
    let said = folder.join("said");
    let ssh = shim::make(column, links, &folder.join("bin"))?;
    let child = start(test, column, links, &ssh, folder, &said).map_err(|error| format!("unshare: {error}"))?;
    let ended = wait(child).map_err(|error| format!("{}: {error}", test.name))?;
    let bytes = fs::read(&said).map_err(|error| format!("{}: {error}", said.display()))?;
    let said = String::from_utf8_lossy(&bytes);
    Ok(match ended {
        None => Outcome::Fail(format!("no end after {} s; {}", LIMIT.as_secs(), last_lines(&said))),
        Some(status) if status.code() == Some(99) => {
            return Err(format!("no room for {}: {}", test.name, last_lines(&said)));
        }
        Some(status) => judge(status, &said),
    })
}

fn start(test: &Test, column: &Column, links: &Path, ssh: &Path, folder: &Path, said: &Path) -> std::io::Result<Child> {
    let output = File::create(said)?;
    let mut path = ssh.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    Command::new("unshare")
        .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "sh", "-c", ROOM])
        .current_dir(folder)
        .env("OBJ", folder)
        .env("BUILDDIR", folder)
        .env("SCRIPT", folder.join(format!("{}.sh", test.name)))
        .env("TARGET", if test.in_makefile { &test.name } else { "" })
        .envs(column.variables(links))
        .env("TEST_SSH_SSH", ssh.join("ssh"))
        // A test or two calls plain `ssh`.
        .env("PATH", path)
        .env("TEST_SHELL", "sh")
        .env("TEST_SSH_PLINK", "plink")
        .env("TEST_SSH_PUTTYGEN", "puttygen")
        .env("TEST_SSH_CONCH", "conch3")
        .env("TEST_SSH_IPV6", "yes")
        .env("TEST_SSH_ECC", "yes")
        .env("TEST_SSH_UNSAFE_PERMISSIONS", "1")
        // As root there is nobody else to become; with it some tests change the machine's own files.
        .env_remove("SUDO")
        // What `openssh-tests` itself gives them: bytes without end.
        .stdin(File::open("/dev/zero")?)
        .stdout(output.try_clone()?)
        .stderr(Stdio::from(output))
        .spawn()
}

/// Waits until the test ends by itself, or ends it, and with it everything in its room.
fn wait(mut child: Child) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn judge(status: ExitStatus, said: &str) -> Outcome {
    if !status.success() {
        return Outcome::Fail(last_lines(said));
    }
    let skipped = said.lines().find(|line| line.to_ascii_lowercase().starts_with("skipped"));
    match skipped {
        Some(line) => Outcome::Skip(line.get(7..).unwrap_or_default().trim_matches([':', ' ', '(', ')']).to_owned()),
        None => Outcome::Pass,
    }
}

fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" | ");
    text.chars().take(240).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn the_end_of_a_test_is_judged() {
        let [good, bad] = [0, 1 << 8].map(ExitStatus::from_raw);
        assert_eq!(judge(good, "test a\nok simple connect\n"), Outcome::Pass);
        assert_eq!(judge(good, "SKIPPED: no such program\n"), Outcome::Skip("no such program".to_owned()));
        assert_eq!(judge(good, "skipped (gdb not found)\n"), Outcome::Skip("gdb not found".to_owned()));
        assert_eq!(judge(bad, "SKIPPED: x\n\n one\ntwo\nthree\n"), Outcome::Fail("one | two | three".to_owned()));
    }
}
