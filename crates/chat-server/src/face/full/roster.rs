//! Who is in a room, as small as it can be kept: a thousand members each have a list of a thousand.

use nacre_chat::{AccountId, Author, Person, Role};
use std::sync::Arc;

/// Somebody in the list.
#[derive(Debug)]
pub(super) struct Member {
    /// As he or she is called.
    pub nick: Arc<str>,
    /// Enough of the account to find the nick of somebody one talks to.
    tag: u32,
    /// Stands before the nick: `@`, `+`, `~` for a guest, or a space.
    pub sign: u8,
    /// Whether he or she is away.
    pub away: bool,
}

/// The people of a room, sorted by nick as the engine sorts them.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: Vec<Member>,
}

impl Roster {
    /// All of them anew.
    pub fn set(&mut self, people: &[Person]) {
        let mut members: Vec<Member> =
            people.iter().map(|person| member(&person.who, person.role, person.away.is_some())).collect();
        members.sort_by(|one, other| one.nick.cmp(&other.nick));
        members.shrink_to_fit();
        self.members = members;
    }

    /// Somebody came.
    pub fn add(&mut self, who: &Author) {
        match self.find(&who.nick) {
            Ok(_) => {}
            Err(at) => self.members.insert(at, member(who, None, false)),
        }
    }

    /// Somebody left.
    pub fn remove(&mut self, nick: &str) {
        if let Ok(at) = self.find(nick) {
            self.members.remove(at);
        }
    }

    /// Somebody is called otherwise.
    pub fn rename(&mut self, old: &str, who: &Author) {
        let Ok(at) = self.find(old) else { return };
        let mut member = self.members.remove(at);
        member.nick = Arc::clone(&who.nick);
        let (Ok(at) | Err(at)) = self.find(&who.nick);
        self.members.insert(at, member);
    }

    /// Somebody is away, or back; true if he or she is here.
    pub fn set_away(&mut self, nick: &str, away: bool) -> bool {
        let Ok(at) = self.find(nick) else { return false };
        self.members.get_mut(at).map(|member| member.away = away).is_some()
    }

    /// The nick of an account.
    pub fn nick_of(&self, account: AccountId) -> Option<&Arc<str>> {
        let tag = tag_of(account);
        self.members.iter().find(|member| member.tag == tag).map(|member| &member.nick)
    }

    /// All of them.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    fn find(&self, nick: &str) -> Result<usize, usize> {
        self.members.binary_search_by(|member| (*member.nick).cmp(nick))
    }
}

fn member(who: &Author, role: Option<Role>, away: bool) -> Member {
    let sign = match role {
        Some(Role::Owner | Role::Operator) => b'@',
        Some(Role::Voice) => b'+',
        None if !who.verified => b'~',
        None => b' ',
    };
    Member { nick: Arc::clone(&who.nick), tag: tag_of(who.account), sign, away }
}

fn tag_of(account: AccountId) -> u32 {
    let folded = account.0 ^ (account.0 >> 64);
    u32::try_from((folded ^ (folded >> 32)) & u128::from(u32::MAX)).unwrap_or(0)
}
