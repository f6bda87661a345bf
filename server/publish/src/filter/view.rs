//! One item under the eyes of many conditions: each field is read once.

use std::cell::OnceCell;

use jiff::Timestamp;
use serde_json::Value;

use super::field::Field;
use super::lender::Asked;
use super::place::{self, Place};
use super::value::Found;

/// The fields that conditions name, by slot.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    fields: Vec<Field>,
}

/// The slot of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FieldSlot(u32);

impl FieldSlot {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl Fields {
    pub(crate) fn slot(&mut self, field: Field) -> FieldSlot {
        let known = self.fields.iter().position(|own| *own == field);
        let slot = known.unwrap_or_else(|| {
            self.fields.push(field);
            self.fields.len() - 1
        });
        FieldSlot(u32::try_from(slot).unwrap_or(u32::MAX))
    }

    pub(crate) fn get(&self, slot: FieldSlot) -> Option<&Field> {
        self.fields.get(slot.index())
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }
}

/// An item with the fields that were read so far.
pub(crate) struct View<'a> {
    item: &'a Value,
    now: Timestamp,
    fields: &'a Fields,
    read: Vec<OnceCell<Found<'a>>>,
    places: OnceCell<Vec<Place>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(fields: &'a Fields, item: &'a Value, now: Timestamp) -> Self {
        let read = std::iter::repeat_with(OnceCell::new).take(fields.len()).collect();
        Self { item, now, fields, read, places: OnceCell::new() }
    }

    /// What the item holds in a field; `None` for a slot of another list of fields.
    pub(crate) fn found(&self, slot: FieldSlot) -> Option<&Found<'a>> {
        let cell = self.read.get(slot.index())?;
        let field = self.fields.get(slot)?;
        Some(cell.get_or_init(|| field.read(self.item, self.now)))
    }

    /// The item as lent tests see it.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { item: self.item, places: self.places() }
    }

    pub(crate) fn places(&self) -> &[Place] {
        self.places.get_or_init(|| place::of_item(self.item))
    }
}
