//! What each product makes of an item, by itself.

use super::answer::Question;
use super::catalog::Catalog;
use super::plain::Plain;
use super::targets::ItemFault;
use super::truth::Truth;

/// What a product makes of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Tested {
    /// Its id.
    pub product: String,
    /// Whether it takes the item.
    pub matched: bool,
    /// Its name.
    pub name: String,
    /// Why not; empty if it does.
    pub reason: String,
}

impl Catalog {
    /// What each product makes of the item: id, name, whether it takes it, and if not, why.
    ///
    /// # Errors
    /// When the item cannot be given to anybody.
    pub fn test_products(&self, question: Question<'_>) -> Result<Vec<Tested>, ItemFault> {
        let plain = Plain::new(self, question)?;
        let tested = self.products.iter().map(|(slot, product)| {
            let mut reason = String::new();
            if !product.fits(&plain.targets) {
                if !plain.targets.regions.is_empty() {
                    reason.push_str("Story has target_region");
                }
                if product.region.is_some() {
                    reason.push_str(" Product has target_region");
                }
            }
            if product.accepts(plain.filter(product.filter)) != Truth::True {
                let filter = product.filter.and_then(|filter| self.filters.get(filter));
                let name = filter.map_or("", |filter| &filter.name);
                reason = format!("Story does not match the filter: {name}");
            }
            Tested {
                product: self.products.id(slot).to_owned(),
                matched: plain.product(slot) == Truth::True,
                name: product.name.clone(),
                reason,
            }
        });
        Ok(tested.collect())
    }
}
