//! Login records, in files of the test's own; other programs read them where they are installed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use nacre_sys::records::{LastLogin, Login, Records};

fn records(folder: &Path) -> Records {
    let [utmp, wtmp, lastlog, loginuid] = ["utmp", "wtmp", "lastlog", "loginuid"].map(|name| folder.join(name));
    Records { utmp, wtmp, lastlog, loginuid }
}

fn make_files(records: &Records) {
    for file in [&records.utmp, &records.wtmp, &records.lastlog, &records.loginuid] {
        std::fs::write(file, "").unwrap();
    }
}

fn login(line: &str, host: &str) -> Login {
    Login {
        user: "alice".into(),
        line: line.into(),
        host: host.into(),
        // Ours, because `who` leaves out entries of processes that are gone.
        pid: std::process::id() as i32,
        time: SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_654_321),
    }
}

fn entries(file: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    assert_eq!(bytes.len() % size_of::<libc::utmpx>(), 0);
    bytes.chunks(size_of::<libc::utmpx>()).map(<[u8]>::to_vec).collect()
}

fn text_at(entry: &[u8], offset: usize, length: usize) -> String {
    let field = entry[offset..offset + length].split(|byte| *byte == 0).next().unwrap();
    String::from_utf8(field.to_vec()).unwrap()
}

#[test]
fn absent_files_are_no_error_and_are_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let records = records(folder.path());
    let login = login("pts/3", "192.0.2.7");
    records.login(&login).unwrap();
    records.logout(&login).unwrap();
    assert_eq!(records.last_login(1000).unwrap(), None);
    records.set_last_login(1000, &login).unwrap();
    records.set_loginuid(1000).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn wtmp_grows_and_utmp_keeps_one_entry_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let records = records(folder.path());
    make_files(&records);
    let (third, twelfth) = (login("pts/3", "192.0.2.7"), login("pts/12", "2001:db8::1"));
    records.login(&third).unwrap();
    records.login(&twelfth).unwrap();
    assert_eq!((entries(&records.utmp).len(), entries(&records.wtmp).len()), (2, 2));
    assert_eq!(entries(&records.utmp), entries(&records.wtmp), "the C library's bytes and ours are the same");
    records.logout(&third).unwrap();
    records.login(&login("pts/3", "client.example")).unwrap();
    assert_eq!((entries(&records.utmp).len(), entries(&records.wtmp).len()), (2, 4));
}

/// As in utmp(5); the layout of this architecture.
#[cfg(target_arch = "x86_64")]
#[test]
fn entries_have_the_fields_where_utmp_5_says() {
    let folder = tempfile::tempdir().unwrap();
    let records = records(folder.path());
    make_files(&records);
    records.login(&login("pts/12", "192.0.2.7")).unwrap();
    records.logout(&login("pts/12", "192.0.2.7")).unwrap();
    let wtmp = entries(&records.wtmp);
    let [begin, end] = [&wtmp[0], &wtmp[1]];
    assert_eq!(begin.len(), 384);
    assert_eq!(&begin[..2], &7_i16.to_le_bytes());
    assert_eq!(&begin[4..8], &std::process::id().to_le_bytes());
    assert_eq!(text_at(begin, 8, 32), "pts/12");
    assert_eq!(text_at(begin, 40, 4), "s/12");
    assert_eq!(text_at(begin, 44, 32), "alice");
    assert_eq!(text_at(begin, 76, 256), "192.0.2.7");
    assert_eq!(&begin[340..344], &1_700_000_000_i32.to_le_bytes());
    assert_eq!(&begin[344..348], &654_321_i32.to_le_bytes());
    assert_eq!(&begin[348..364], &[192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&end[..2], &8_i16.to_le_bytes());
    assert_eq!((text_at(end, 8, 32).as_str(), text_at(end, 44, 32).as_str()), ("pts/12", ""));
    assert_eq!(text_at(end, 76, 256), "");
}

#[test]
fn who_reads_the_entry() {
    let folder = tempfile::tempdir().unwrap();
    let records = records(folder.path());
    make_files(&records);
    records.login(&login("pts/3", "client.example")).unwrap();
    for file in [&records.utmp, &records.wtmp] {
        let output = Command::new("who").arg(file).env("TZ", "UTC").env("LC_ALL", "C").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = said.split_whitespace().collect();
        assert_eq!((words[0], words[1]), ("alice", "pts/3"), "{said}");
        assert!(said.contains("Nov 14 22:13") && said.contains("(client.example)"), "{said}");
    }
}

#[test]
fn long_and_unprintable_text_is_cut_and_cleaned() {
    let folder = tempfile::tempdir().unwrap();
    let records = records(folder.path());
    make_files(&records);
    let mut login = login(&"l".repeat(40), &format!("a\x1b[2J\n{}", "h".repeat(300)));
    login.user = "u".repeat(50);
    records.login(&login).unwrap();
    records.set_last_login(7, &login).unwrap();
    let entry = &entries(&records.wtmp)[0];
    assert!(!entry.contains(&0x1b) && entry.windows(33).all(|part| part != [b'u'; 33]));
    let last = records.last_login(7).unwrap().unwrap();
    assert_eq!((last.line.len(), last.host.len()), (32, 256));
    assert!(last.host.starts_with("a?[2J?hhh"));
}

#[test]
fn the_last_login_is_each_accounts_own() {
    let folder = tempfile::tempdir().unwrap();
    let records = records(folder.path());
    make_files(&records);
    assert_eq!(records.last_login(1000).unwrap(), None);
    records.set_last_login(1000, &login("pts/3", "192.0.2.7")).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let wanted = LastLogin { time, line: "pts/3".into(), host: "192.0.2.7".into() };
    assert_eq!(records.last_login(1000).unwrap(), Some(wanted));
    // Within the file but never written, and beyond it.
    assert_eq!(records.last_login(999).unwrap(), None);
    assert_eq!(records.last_login(1001).unwrap(), None);
    records.set_last_login(1000, &login("pts/4", "")).unwrap();
    assert_eq!(records.last_login(1000).unwrap().unwrap().line, "pts/4");
    if cfg!(target_arch = "x86_64") {
        assert_eq!(std::fs::metadata(&records.lastlog).unwrap().len(), 1001 * 292);
    }
}

#[test]
fn the_login_id_is_written_in_decimal() {
    let folder = tempfile::tempdir().unwrap();
    let records = records(folder.path());
    make_files(&records);
    records.set_loginuid(4_294_967_294).unwrap();
    assert_eq!(std::fs::read_to_string(&records.loginuid).unwrap(), "4294967294");
}

#[test]
fn a_file_that_cannot_be_written_is_named_and_the_other_still_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut records = records(folder.path());
    make_files(&records);
    records.utmp = folder.path().to_path_buf();
    let error = records.login(&login("pts/3", "")).unwrap_err().to_string();
    assert!(error.starts_with(&format!("record in {}", folder.path().display())), "{error}");
    assert_eq!(entries(&records.wtmp).len(), 1);
}
