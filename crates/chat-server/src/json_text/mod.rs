//! What is written as JSON text, for the store and for other nodes.

pub(crate) mod record;

use nacre_chat::{AccountId, LineId, RoomName, Time};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The fields of an object.
pub(crate) struct Fields<'a>(pub(crate) &'a Value);

impl<'a> Fields<'a> {
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    pub(crate) fn shared(&self, name: &str) -> Option<Arc<str>> {
        self.text(name).map(Arc::from)
    }

    pub(crate) fn time(&self, name: &str) -> Option<Time> {
        self.0.get(name)?.as_u64().map(Time)
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    pub(crate) fn texts(&self, name: &str) -> Option<Vec<&'a str>> {
        self.0.get(name)?.as_array()?.iter().map(Value::as_str).collect()
    }

    pub(crate) fn map(&self, name: &str) -> Option<&'a Map<String, Value>> {
        self.0.get(name)?.as_object()
    }

    /// What may be missing or null; none where it is there and makes no sense.
    pub(crate) fn maybe<T>(&self, name: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Option<Option<T>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => read(value).map(Some),
        }
    }
}

pub(crate) fn room_name(text: &str) -> Option<RoomName> {
    RoomName::parse(text.strip_prefix('#')?).ok()
}

pub(crate) fn account_id(text: &str) -> Option<AccountId> {
    text.parse().ok()
}

pub(crate) fn line_id(value: &Value) -> Option<LineId> {
    value.as_str()?.parse().ok()
}
