//! Packages for destinations that take them whole.

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::plan::PublishTask;

impl PublishTask<'_> {
    /// Whether members come within their package, and not alone (`packaged`).
    #[must_use]
    pub fn takes_packages_whole(&self) -> bool {
        Item::from(&self.destination).object("config").is_some_and(|config| config.has("packaged"))
    }
}

/// The package with each member in its reference, as `package_item`. `member` gives an item by its id; one that it does
/// not have stays a reference.
#[must_use]
pub fn with_members(package: &Fields, member: impl Fn(&str) -> Option<Fields>) -> Fields {
    let mut package = package.clone();
    let groups = package.get_mut("groups").and_then(Value::as_array_mut).into_iter().flatten();
    let lists = groups.filter_map(|group| group.get_mut("refs")?.as_array_mut());
    for reference in lists.flatten().filter_map(Value::as_object_mut) {
        if let Some(item) = member(Item::from(&*reference).text("residRef")) {
            reference.insert("package_item".to_owned(), item.into());
        }
    }
    package
}
