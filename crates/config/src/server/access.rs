//! AllowUsers, DenyUsers, AllowGroups, DenyGroups: who may log in from where (sshd_config(5)).

use std::fmt;
use std::net::IpAddr;

use super::ConnectionOptions;
use crate::{cidr, pattern};

/// Why a user may not log in; for the log, never for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Listed in DenyUsers.
    DenyUsers,
    /// Not listed in AllowUsers.
    AllowUsers,
    /// A group is listed in DenyGroups.
    DenyGroups,
    /// No group is listed in AllowGroups.
    AllowGroups,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DenyUsers => "listed in DenyUsers",
            Self::AllowUsers => "not listed in AllowUsers",
            Self::DenyGroups => "a group is listed in DenyGroups",
            Self::AllowGroups => "none of the groups is listed in AllowGroups",
        })
    }
}

impl std::error::Error for Denied {}

impl ConnectionOptions {
    /// Says whether a user may log in from there, in OpenSSH's order: DenyUsers, AllowUsers, DenyGroups, AllowGroups.
    /// `host` is the client's verified name, known only with UseDNS.
    ///
    /// # Errors
    /// The list that says no.
    pub fn may_log_in(&self, user: &str, groups: &[String], host: Option<&str>, address: IpAddr) -> Result<(), Denied> {
        let listed = |list: &[String]| list.iter().any(|pattern| matches_user(user, host, address, pattern));
        let in_group =
            |list: &[String]| groups.iter().any(|group| list.iter().any(|pattern| pattern::matches(group, pattern)));
        if listed(&self.deny_users) {
            return Err(Denied::DenyUsers);
        }
        if !self.allow_users.is_empty() && !listed(&self.allow_users) {
            return Err(Denied::AllowUsers);
        }
        if in_group(&self.deny_groups) {
            return Err(Denied::DenyGroups);
        }
        if !self.allow_groups.is_empty() && !in_group(&self.allow_groups) {
            return Err(Denied::AllowGroups);
        }
        Ok(())
    }
}

/// `USER` or `USER@HOST`; masks were checked when the file was read.
fn matches_user(user: &str, host: Option<&str>, address: IpAddr, wanted: &str) -> bool {
    match wanted.split_once('@') {
        None => pattern::matches(user, wanted),
        Some((name, hosts)) => {
            pattern::matches(user, name) && cidr::matches_host_or_address(host, address, hosts).unwrap_or(false)
        }
    }
}
