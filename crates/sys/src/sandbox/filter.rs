//! The table as two seccomp filters. The kernel runs both and the stricter answer counts: one lets through what is allowed and
//! fails the rest; the other lets through all that is listed and kills for the rest.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Test, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::table::{Answer, TABLE, When};
use crate::error::{Doing, refused};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What the first filter must let through so that the second can be put in place, and what the second kills for.
const TO_INSTALL: [i64; 2] = [libc::SYS_prctl, libc::SYS_seccomp];

/// Both filters, made before anything is given up.
pub(super) struct Filters {
    fails: BpfProgram,
    kills: BpfProgram,
}

impl Filters {
    /// For this process: the table's [`When::OwnPid`] is its id.
    pub(super) fn new() -> io::Result<Self> {
        build().map_err(|err| refused(io::ErrorKind::Unsupported, "make the seccomp filters", err.to_string()))
    }

    /// Applies to the calling thread and whatever it starts, for good.
    pub(super) fn install(&self) -> io::Result<()> {
        seccompiler::apply_filter(&self.fails).map_err(cause).doing(|| "install the first seccomp filter".into())?;
        seccompiler::apply_filter(&self.kills).map_err(cause).doing(|| "install the second seccomp filter".into())
    }
}

fn cause(err: seccompiler::Error) -> io::Error {
    match err {
        seccompiler::Error::Prctl(err) | seccompiler::Error::Seccomp(err) => err,
        other => io::Error::other(other.to_string()),
    }
}

fn build() -> Result<Filters, seccompiler::BackendError> {
    let own_pid = u64::from(std::process::id());
    let mut allowed = rules(own_pid, |answer| answer != Answer::Refuse)?;
    allowed.extend(TO_INSTALL.map(|number| (number, Vec::new())));
    let listed = rules(own_pid, |_| true)?;
    let eacces = SeccompAction::Errno(libc::EACCES.unsigned_abs());
    Ok(Filters { fails: program(allowed, eacces)?, kills: program(listed, SeccompAction::KillProcess)? })
}

fn program(rules: Rules, otherwise: SeccompAction) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, SeccompAction::Allow, arch)?.try_into()
}

/// The rules of the lines whose answer is `wanted`. No rules for a number means "always", so such a line swallows the call's others.
fn rules(own_pid: u64, wanted: impl Fn(Answer) -> bool) -> Result<Rules, seccompiler::BackendError> {
    let lines = || TABLE.iter().filter(|line| wanted(line.answer));
    let mut all = Rules::new();
    for line in lines() {
        let always = lines().any(|other| other.number == line.number && other.when.is_none());
        let rules = all.entry(line.number).or_default();
        if let (false, Some(when)) = (always, line.when) {
            rules.extend(alternatives(when, own_pid)?);
        }
    }
    Ok(all)
}

/// One rule for each way to meet the condition.
fn alternatives(when: When, own_pid: u64) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let one = |argument: u8, width: Width, test: Test, value: u64| {
        SeccompRule::new(vec![SeccompCondition::new(argument, width, test, value)?])
    };
    match when {
        When::OneOf(argument, values) => {
            values.iter().map(|value| one(argument, Width::Dword, Test::Eq, *value)).collect()
        }
        When::Masked(argument, mask, values) => {
            values.iter().map(|value| one(argument, Width::Dword, Test::MaskedEq(mask), *value)).collect()
        }
        When::Without(argument, bits) => Ok(vec![one(argument, Width::Dword, Test::MaskedEq(bits), 0)?]),
        When::Null(argument) => Ok(vec![one(argument, Width::Qword, Test::Eq, 0)?]),
        When::OwnPid(argument) => Ok(vec![one(argument, Width::Dword, Test::Eq, own_pid)?]),
    }
}
