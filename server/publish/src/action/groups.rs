//! Groups of a package, and their references to members.

use std::collections::BTreeSet;

use dateline_formats::{Fields, Item};
use serde_json::Value;

use super::context::Archive;
use super::draft::{id_of, is_package};
use super::limits::PACKAGE_DEPTH_MAX;
use super::refusal::Refusal;

/// Ids of the members in the order of the groups, each once.
pub(super) fn members(package: &Fields) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    for group in Item::from(package).objects("groups") {
        for reference in group.objects("refs") {
            let id = reference.text("residRef");
            if !id.is_empty() && !members.iter().any(|own| own == id) {
                members.push(id.to_owned());
            }
        }
    }
    members
}

/// Sets fields in every reference to a member.
pub(super) fn set_in_references(groups: &mut Value, member: &str, fields: &Fields) {
    let groups = groups.as_array_mut().into_iter().flatten();
    let lists = groups.filter_map(|group| group.get_mut("refs")?.as_array_mut());
    for reference in lists.flatten().filter_map(Value::as_object_mut) {
        if Item::from(&*reference).text("residRef") == member {
            reference.extend(fields.clone());
        }
    }
}

/// Checks a package before it is saved.
///
/// # Errors
/// 403 when the groups do not form a tree of two levels, when a member is in it twice or leads back to it, or when it is
/// on no desk; 404 for a member that is not there.
pub fn check_package(archive: &dyn Archive, package: &Fields) -> Result<(), Refusal> {
    check_groups(package)?;
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let item = Item::from(package);
    let own = id_of(package);
    let references = item.objects("groups").flat_map(|group| group.objects("refs"));
    for member in references.map(|reference| reference.text("residRef")).filter(|id| !id.is_empty()) {
        if member == own {
            return Err(Refusal::forbidden("Trying to self reference as an association."));
        }
        if !seen.insert(member) {
            return Err(Refusal::forbidden("Content associated multiple times"));
        }
    }
    if !item.object("task").is_some_and(|task| task.has("desk")) {
        return Err(Refusal::forbidden("Packages can not be created in the personal space."));
    }
    for member in seen {
        let found = archive.item(member);
        let found = found.ok_or_else(|| Refusal::not_found(format!("Invalid item reference: {member}")))?;
        if leads_to(archive, &found, own, PACKAGE_DEPTH_MAX, &mut BTreeSet::new()) {
            return Err(Refusal::forbidden(format!("Trying to create a circular reference to: {member}")));
        }
    }
    Ok(())
}

fn check_groups(package: &Fields) -> Result<(), Refusal> {
    let groups: Vec<Item<'_>> = Item::from(package).objects("groups").collect();
    let mut roots = groups.iter().filter(|group| group.text("id") == "root");
    let Some(root) = roots.next() else {
        return Err(Refusal::forbidden("Root group is missing."));
    };
    if roots.next().is_some() {
        return Err(Refusal::forbidden("Only one root group is allowed."));
    }
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    for id in groups.iter().map(|group| group.text("id")) {
        if id.is_empty() {
            return Err(Refusal::forbidden("Group is missing id."));
        }
        if !ids.insert(id) {
            return Err(Refusal::forbidden(format!("{id} group is added multiple times.")));
        }
    }
    ids.remove("root");
    let references = root.objects("refs").map(|reference| reference.text("idRef"));
    let referenced: Vec<&str> = references.filter(|id| !id.is_empty()).collect();
    if referenced.len() != ids.len() {
        return Err(Refusal::forbidden(
            "The number of groups and of referenced groups in the root group do not match.",
        ));
    }
    if referenced.into_iter().collect::<BTreeSet<_>>() != ids {
        return Err(Refusal::forbidden("Not all groups are referenced in the root group."));
    }
    Ok(())
}

/// Whether a package has `wanted` in it at any depth. What is nested too deep counts as such: nobody can say.
fn leads_to(
    archive: &dyn Archive,
    item: &Fields,
    wanted: &str,
    depth: usize,
    seen: &mut BTreeSet<String>,
) -> bool {
    if !is_package(item) || !seen.insert(id_of(item).to_owned()) {
        return false;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return true;
    };
    members(item).iter().any(|member| {
        member == wanted
            || archive.item(member).is_some_and(|inner| leads_to(archive, &inner, wanted, depth, seen))
    })
}
