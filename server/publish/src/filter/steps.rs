//! The steps of an explanation, told by the plain evaluator.

use super::condition::Condition;
use super::explain::{Explanation, Step};
use super::plain::{Decision, Plain};
use super::slots::Slot;
use super::subscriber::Subscriber;
use super::targets::{Standing, Target};
use super::truth::Truth;

/// How long a value may be in an explanation, in characters.
const SHOWN_MAX: usize = 120;

impl Plain<'_> {
    pub(super) fn explain(&self, slot: Slot, subscriber: &Subscriber) -> Explanation {
        let id = self.catalog.subscribers.id(slot);
        let mut steps = vec![
            Step::new(
                "active",
                subscriber.is_active,
                format!(
                    "subscriber {} is {}active",
                    subscriber.name,
                    if subscriber.is_active { "" } else { "not " }
                ),
            ),
            self.media_step(subscriber),
            self.targets_step(id, subscriber),
        ];
        steps.extend(self.global_steps(subscriber));
        steps.extend(subscriber.products.iter().map(|product| self.product_step("product", *product)));
        if self.question.content_api {
            let api = subscriber.api_products.iter();
            steps.extend(api.map(|product| self.product_step("api_product", *product)));
        }
        let decision = self.decide(slot, subscriber);
        Explanation {
            subscriber: id.to_owned(),
            accepted: matches!(decision, Decision::Taken(_)),
            reason: self.reason(&decision, subscriber),
            steps,
        }
    }

    fn reason(&self, decision: &Decision, subscriber: &Subscriber) -> String {
        let product = |slot: &Slot| self.catalog.products.get(*slot).map_or("", |own| own.name.as_str());
        match decision {
            Decision::Inactive => "the subscriber is not active".to_owned(),
            Decision::WrongMedia => format!(
                "the item goes to {} subscribers, and this one is of type '{}'",
                self.question.media.name(),
                subscriber.kind
            ),
            Decision::NotTargeted => "the item is meant for others".to_owned(),
            Decision::Blocked { by } => format!("global filter '{}' matches the item", self.filter_name(*by)),
            Decision::NoProduct if subscriber.products.is_empty() && subscriber.api_products.is_empty() => {
                "the subscriber has no products".to_owned()
            }
            Decision::NoProduct => "none of its products accepts the item".to_owned(),
            Decision::Broken(finding) => {
                let broken = finding.broken_global.union(&finding.broken);
                let names: Vec<&str> = broken.map(|slot| self.filter_name(*slot)).collect();
                format!("filters that cannot be judged: '{}'", names.join("', '"))
            }
            Decision::Taken(finding) => {
                let products: Vec<&str> =
                    finding.products.iter().chain(&finding.api_products).map(product).collect();
                match (finding.is_named, products.as_slice()) {
                    (true, []) => "the item names the subscriber".to_owned(),
                    (true, products) => {
                        format!("the item names the subscriber; accepted by '{}'", products.join("', '"))
                    }
                    (false, products) => format!("accepted by '{}'", products.join("', '")),
                }
            }
        }
    }

    fn filter_name(&self, slot: Slot) -> &str {
        self.catalog.filters.get(slot).map_or("", |filter| &filter.name)
    }

    fn media_step(&self, subscriber: &Subscriber) -> Step {
        let media = self.question.media;
        let text = format!("item for {} subscribers, subscriber of type '{}'", media.name(), subscriber.kind);
        Step::new("media", media.fits(&subscriber.kind), text)
    }

    fn targets_step(&self, id: &str, subscriber: &Subscriber) -> Step {
        let standing = self.targets.standing(id, &subscriber.kind);
        let list = |targets: &[Target]| {
            let told = |target: &Target| format!("{}{}", if target.allow { "" } else { "not " }, target.code);
            targets.iter().map(told).collect::<Vec<_>>().join(", ")
        };
        let text = format!(
            "target_subscribers [{}], target_types [{}], target_regions [{}]: {}",
            self.targets.subscribers.join(", "),
            list(&self.targets.types),
            list(&self.targets.regions),
            match standing {
                Standing::Named => "named, needs no product",
                Standing::Eligible => "may have it by its products",
                Standing::Excluded => "meant for others",
            }
        );
        Step::new("targets", standing != Standing::Excluded, text)
    }

    fn global_steps(&self, subscriber: &Subscriber) -> Vec<Step> {
        let global = self.catalog.filters.iter().filter(|(_, filter)| filter.is_global);
        global
            .map(|(slot, filter)| {
                let (truth, inner) = self.filter_steps(slot);
                let is_off = subscriber.unblocked.contains(&slot);
                let passed = if is_off { Truth::True } else { truth.not() };
                let off = if is_off { ", which this subscriber has switched off" } else { "" };
                let text = format!("global filter '{}' {}{off}", filter.name, verdict(truth));
                Step::new("global_filter", passed, text).of(self.catalog.filters.id(slot), inner)
            })
            .collect()
    }

    fn product_step(&self, check: &'static str, slot: Slot) -> Step {
        let id = self.catalog.products.id(slot);
        let Some(product) = self.catalog.products.get(slot) else {
            return Step::new(check, false, "there is no such product".to_owned()).of(id, Vec::new());
        };
        let text = match (&product.region, self.targets.regions.is_empty()) {
            (None, true) => "neither the item nor the product is for a region".to_owned(),
            (None, false) => "the item is for regions, the product is for none".to_owned(),
            (Some(region), true) => format!("the product is for region {region}, the item is for none"),
            (Some(region), false) => format!("the product is for region {region}, the item is for regions"),
        };
        let mut steps = vec![Step::new("regions", product.fits(&self.targets), text)];
        match product.filter {
            None => steps.push(Step::new("filter", true, "the product has no filter".to_owned())),
            Some(filter) => {
                let (truth, inner) = self.filter_steps(filter);
                let need = if product.is_permitting { "must match" } else { "must not match" };
                let text = format!("filter '{}' {need}: it {}", self.filter_name(filter), verdict(truth));
                let step = Step::new("filter", product.accepts(truth), text);
                steps.push(step.of(self.catalog.filters.id(filter), inner));
            }
        }
        let passed = self.product(slot);
        let text = format!(
            "product '{}' {}",
            product.name,
            match passed {
                Truth::True => "accepts the item",
                Truth::False => "does not accept the item",
                Truth::Unknown => "cannot be judged",
            }
        );
        Step::new(check, passed, text).of(id, steps)
    }

    /// What a filter says, and of what that is made.
    fn filter_steps(&self, slot: Slot) -> (Truth, Vec<Step>) {
        let truth = self.filter(Some(slot));
        let Some(filter) = self.catalog.filters.get(slot) else {
            return (
                truth,
                vec![Step::new("statement", truth, "there is no such filter: it matches".to_owned())],
            );
        };
        if self.catalog.is_tangled(slot) {
            let text = "the filter leads into a circle or nests too much".to_owned();
            return (truth, vec![Step::new("statement", truth, text)]);
        }
        let steps = (1..).zip(&filter.statements).map(|(number, statement)| {
            let conditions = statement.conditions.iter().map(|condition| self.condition_step(*condition));
            let filters = statement.filters.iter().map(|inner| {
                let (truth, steps) = self.filter_steps(*inner);
                let text = format!("filter '{}' {}", self.filter_name(*inner), verdict(truth));
                Step::new("filter", truth, text).of(self.catalog.filters.id(*inner), steps)
            });
            let mut step = Step::new("statement", self.statement(statement), format!("statement {number}"));
            step.steps = conditions.chain(filters).collect();
            step
        });
        (truth, steps.collect())
    }

    fn condition_step(&self, slot: Slot) -> Step {
        let id = self.catalog.conditions.id(slot);
        let Some(condition) = self.catalog.conditions.get(slot) else {
            return Step::new("condition", false, "there is no such condition".to_owned()).of(id, Vec::new());
        };
        let Condition { name, field, operator, value, rule } = condition;
        let found = match rule {
            Err(reason) => format!("cannot be judged: {reason}"),
            Ok(rule) => match self.view.found(rule.field) {
                None => String::new(),
                Some(found) if !found.is_present() => "the item has none".to_owned(),
                Some(found) => {
                    let texts: Vec<&str> = found.texts().iter().map(|text| text.raw()).collect();
                    format!("the item has '{}'", shown(&texts.join("', '")))
                }
            },
        };
        let text = format!("'{name}': {field} {operator} '{}'; {found}", shown(value));
        Step::new("condition", condition.judge(&self.view), text).of(id, Vec::new())
    }
}

fn verdict(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "matches",
        Truth::False => "does not match",
        Truth::Unknown => "cannot be judged",
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
