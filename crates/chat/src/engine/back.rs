//! The other nodes.

use super::Engine;
use crate::id::AccountId;
use crate::name::RoomName;

impl Engine {
    pub(super) fn listen_to(&mut self, _name: &RoomName) {}
    pub(super) fn stop_listening_to(&mut self, _name: &RoomName) {}
    pub(super) fn tell_presence(&mut self, _account: AccountId) {}
    pub(super) fn absent(&mut self, _account: AccountId) {}
}
