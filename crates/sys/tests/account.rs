//! Accounts, groups and shadow entries of this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use nacre_sys::account::{Account, group_id, group_name};
use nacre_sys::shadow::{Shadow, today};
use support::root_or_say_so;
use zeroize::Zeroizing;

#[test]
fn names_and_ids_agree_with_etc_passwd() {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let mut seen = 0;
    for line in passwd.lines().filter(|line| !line.starts_with(['#', '+', '-'])) {
        let fields: Vec<&str> = line.split(':').collect();
        let account = Account::by_name(fields[0]).unwrap().expect(fields[0]);
        assert_eq!(account.uid.to_string(), fields[2]);
        assert_eq!(account.gid.to_string(), fields[3]);
        assert_eq!(account.gecos.to_str(), Some(fields[4]));
        assert_eq!(account.home.to_str(), Some(fields[5]));
        assert_eq!(account.shell.to_str(), Some(if fields[6].is_empty() { "/bin/sh" } else { fields[6] }));
        assert_eq!(Account::by_uid(account.uid).unwrap().unwrap().uid, account.uid);
        seen += 1;
    }
    assert!(seen > 1);
}

#[test]
fn impossible_names_are_absent_without_error() {
    let long = "a".repeat(256);
    for name in ["", "no-such-account-here", "root\0", "root:x", "../root", "root\n", &long] {
        assert_eq!(Account::by_name(name).unwrap(), None, "{name:?}");
    }
    assert_eq!(Account::by_uid(u32::MAX - 7).unwrap(), None);
    assert_eq!(group_id("no-such-group-here").unwrap(), None);
}

#[test]
fn current_account_is_the_effective_user() {
    let account = Account::current().unwrap();
    assert_eq!(account.uid, nacre_sys::privileges::effective_uid());
    let credentials = account.credentials().unwrap();
    assert!(credentials.groups.contains(&account.gid));
    assert!(account.group_names().unwrap().contains(&group_name(account.gid).unwrap().unwrap()));
}

#[test]
fn supplementary_groups_include_memberships() {
    // The account of some group's member list, as the machine has them.
    let groups = std::fs::read_to_string("/etc/group").unwrap();
    let member_of = groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let member = fields.get(3)?.split(',').find(|name| !name.is_empty())?;
        Some((member.to_owned(), fields[2].parse::<u32>().ok()?, fields[0].to_owned()))
    });
    let Some((member, gid, name)) = member_of else {
        eprintln!("supplementary_groups_include_memberships: NOT RUN because no group here lists a member");
        return;
    };
    let Some(account) = Account::by_name(&member).unwrap() else { panic!("{member} is in a group but has no account") };
    assert!(account.groups().unwrap().contains(&gid));
    assert!(account.group_names().unwrap().contains(&name));
}

#[test]
fn shadow_of_root_is_found_and_debug_hides_the_hash() {
    if !root_or_say_so("shadow_of_root_is_found_and_debug_hides_the_hash") {
        return;
    }
    let shadow = Shadow::by_name("root").unwrap().expect("root has a shadow entry");
    let line = std::fs::read_to_string("/etc/shadow").unwrap();
    let fields: Vec<&str> = line.lines().find(|line| line.starts_with("root:")).unwrap().split(':').collect();
    assert_eq!(shadow.hash.as_str(), fields[1]);
    assert_eq!(shadow.max_age, fields[4].parse().ok());
    assert_eq!(shadow.expire, fields[7].parse().ok());
    assert!(!format!("{shadow:?}").contains("hash"));
    assert!(Shadow::by_name("no-such-account-here").unwrap().is_none());
}

fn entry(hash: &str) -> Shadow {
    Shadow {
        hash: Zeroizing::new(hash.into()),
        last_change: Some(1000),
        max_age: None,
        warn: None,
        inactive: None,
        expire: None,
    }
}

#[test]
fn expiry_follows_shadow_5() {
    assert!(!entry("x").is_expired(today()));
    let shut = Shadow { expire: Some(2000), ..entry("x") };
    assert!(!shut.is_expired(2000) && shut.is_expired(2001));
    assert!(!Shadow { expire: Some(-1), ..entry("x") }.is_expired(9999));
    let aging = Shadow { max_age: Some(90), ..entry("x") };
    assert!(!aging.password_expired(1090) && aging.password_expired(1091) && !aging.is_expired(5000));
    let inactive = Shadow { inactive: Some(10), ..aging };
    assert!(!inactive.is_expired(1100) && inactive.is_expired(1101));
    assert!(Shadow { last_change: Some(0), ..entry("x") }.password_expired(1));
    let extreme =
        Shadow { last_change: Some(i64::MAX), max_age: Some(i64::MAX), inactive: Some(i64::MAX), ..entry("x") };
    assert!(!extreme.password_expired(i64::MAX) && !extreme.is_expired(i64::MAX));
}

#[test]
fn locked_is_an_exclamation_mark() {
    for (field, locked) in
        [("!", true), ("!!", true), ("!$6$salt$hash", true), ("*", false), ("", false), ("$6$!", false)]
    {
        assert_eq!(entry(field).is_locked(), locked, "{field:?}");
    }
    assert!(today() > 20_000);
}
