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
        for (products, holders) in self.lists(subscriber) {
            for product in products {
                at(holders, *product).into_iter().for_each(|holders| holders.push(slot));
            }
        }
    }

    pub(super) fn leave_subscriber(&mut self, slot: Slot, subscriber: &Subscriber) {
        for (products, holders) in self.lists(subscriber) {
            for product in products {
                holders.get_mut(*product as usize).into_iter().for_each(|holders| without(holders, slot));
            }
        }
    }

    /// What a subscriber holds, with the holders of each; nothing of one that is not active.
    fn lists<'a>(
        &'a mut self,
        subscriber: &'a Subscriber,
    ) -> impl Iterator<Item = (&'a [Slot], &'a mut Vec<Vec<Slot>>)> {
        let both = [
            (subscriber.products.as_slice(), &mut self.holders),
            (subscriber.api_products.as_slice(), &mut self.api_holders),
        ];
        both.into_iter().filter(|_| subscriber.is_active)
    }
}
