//! From filters to products, and from products to subscribers.

use super::super::product::Product;
use super::super::slots::Slot;
use super::super::subscriber::Subscriber;
use super::{at, without};

#[derive(Default)]
pub(super) struct Offers {
    /// Products that take an item unless a filter says no: those without a filter, and blocking ones.
    open: Vec<Slot>,
    /// By filter: products that need its yes.
    permitting: Vec<Vec<Slot>>,
    /// By product: the active subscribers that hold it.
    holders: Vec<Vec<Slot>>,
    api_holders: Vec<Vec<Slot>>,
}

impl Offers {
    pub(super) fn open(&self) -> &[Slot] {
        &self.open
    }

    pub(super) fn permitting(&self, filter: Slot) -> &[Slot] {
        self.permitting.get(filter as usize).map_or(&[], Vec::as_slice)
    }

    pub(super) fn holders(&self, product: Slot) -> &[Slot] {
        self.holders.get(product as usize).map_or(&[], Vec::as_slice)
    }

    pub(super) fn api_holders(&self, product: Slot) -> &[Slot] {
        self.api_holders.get(product as usize).map_or(&[], Vec::as_slice)
    }

    pub(super) fn enter_product(&mut self, slot: Slot, product: &Product) {
        let list = match product.filter {
            Some(filter) if product.is_permitting => at(&mut self.permitting, filter),
            _ => Some(&mut self.open),
        };
        list.into_iter().for_each(|list| list.push(slot));
    }

    pub(super) fn leave_product(&mut self, slot: Slot, product: &Product) {
        let list = match product.filter {
            Some(filter) if product.is_permitting => self.permitting.get_mut(filter as usize),
            _ => Some(&mut self.open),
        };
        list.into_iter().for_each(|list| without(list, slot));
    }

    pub(super) fn enter_subscriber(&mut self, slot: Slot, subscriber: &Subscriber) {
        if !subscriber.is_active {
            return;
        }
        for product in &subscriber.products {
            at(&mut self.holders, *product).into_iter().for_each(|holders| holders.push(slot));
        }
        for product in &subscriber.api_products {
            at(&mut self.api_holders, *product).into_iter().for_each(|holders| holders.push(slot));
        }
    }

    pub(super) fn leave_subscriber(&mut self, slot: Slot, subscriber: &Subscriber) {
        if !subscriber.is_active {
            return;
        }
        for product in &subscriber.products {
            self.holders.get_mut(*product as usize).into_iter().for_each(|holders| without(holders, slot));
        }
        for product in &subscriber.api_products {
            self.api_holders
                .get_mut(*product as usize)
                .into_iter()
                .for_each(|holders| without(holders, slot));
        }
    }
}
