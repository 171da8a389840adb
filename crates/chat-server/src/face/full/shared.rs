//! What the members of one thread share: a brush, and the rows of each line, wrapped and painted once for each width
//! and look however many see it.

use super::brush::{Brush, Painted};
use super::item::Item;
use super::shape;
use super::theme::Look;
use ratatui::text::Line;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Bytes of rows that are kept young; as many old ones are kept.
const KEPT_BYTES: usize = 1024 * 1024;
/// Items that are kept young; as many old ones are kept.
const KEPT_ITEMS: usize = 2048;

/// Bars and lists that are kept.
const KEPT_BARS: usize = 256;

thread_local! {
    static SHARED: RefCell<Shared> = RefCell::default();
}

#[derive(Default)]
struct Shared {
    brush: Brush,
    /// Used since the last time the young became old.
    young: HashMap<Key, Rc<Painted>>,
    young_bytes: usize,
    old: HashMap<Key, Rc<Painted>>,
    bars: HashMap<(u16, bool, Vec<Line<'static>>), Arc<Painted>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    item: Item,
    width: u16,
    look: Look,
}

/// An item's rows.
pub(super) fn rows(item: &Item, width: u16, look: &Look) -> Rc<Painted> {
    SHARED.with_borrow_mut(|shared| shared.rows(Key { item: item.clone(), width, look: *look }))
}

/// Rows of bars and lists: in a crowd many members have the same ones.
pub(super) fn paint(width: u16, lines: Vec<Line<'static>>, colours: bool) -> Arc<Painted> {
    SHARED.with_borrow_mut(|Shared { bars, brush, .. }| {
        if bars.len() >= KEPT_BARS {
            bars.clear();
        }
        let painted = bars.entry((width, colours, lines));
        Arc::clone(painted.or_insert_with_key(|(_, _, lines)| Arc::new(brush.paint(width, lines, colours))))
    })
}

impl Shared {
    fn rows(&mut self, key: Key) -> Rc<Painted> {
        if let Some(painted) = self.young.get(&key) {
            return Rc::clone(painted);
        }
        let painted = self.old.remove(&key).unwrap_or_else(|| {
            let lines = shape::rows(&key.item, key.width, &key.look);
            Rc::new(self.brush.paint(key.width, &lines, key.look.colours))
        });
        if self.young.len() >= KEPT_ITEMS || self.young_bytes >= KEPT_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += painted.weight();
        self.young.insert(key, Rc::clone(&painted));
        painted
    }
}
