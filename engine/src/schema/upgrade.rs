//! One step from a version of a schema to the next: what it is declared with, and what it does to a body.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{Conversion, FIRST, place};
use crate::error::{Error, Result};
use crate::limits::{
    BODY_BYTES_MAX, UPGRADE_CHANGES_MAX, UPGRADE_DEFAULT_BYTES_MAX, UPGRADE_DEPTH_MAX,
    UPGRADE_PATH_BYTES_MAX, UPGRADE_PATH_PARTS_MAX, UPGRADE_UNMET_MAX, UPGRADES_MAX,
};

/// What bodies become at a version of a collection's schema.
///
/// Its parts are done in the order of the members, and within one in the order given. Paths are dotted names of
/// members; they reach through lists into each element that is an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// The version it leads to: 2 for the first upgrade, 3 for the next.
    pub to: u32,
    /// From where to where values move. Objects that the new place needs are made. A value stays where another is at
    /// its new place. Where both paths lie in one list, each element keeps its own.
    #[serde(default, with = "pairs", skip_serializing_if = "Vec::is_empty")]
    pub rename: Vec<(String, String)>,
    /// What goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Which values become values of another type. One that has no counterpart stays.
    #[serde(default, with = "pairs", skip_serializing_if = "Vec::is_empty")]
    pub convert: Vec<(String, Conversion)>,
    /// What stands where nothing is, null not being nothing.
    #[serde(default, with = "pairs", skip_serializing_if = "Vec::is_empty")]
    pub default: Vec<(String, Json)>,
}

/// What an upgrade could not do to a body, and left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The version it leads to.
    pub to: u32,
    /// The field as the upgrade names it.
    pub path: String,
    /// What was in the way.
    pub why: String,
}

/// Brings a body of an older version, stored in so many bytes, up to the newest. Answers the first things that could
/// not be done.
pub(crate) fn raise(upgrades: &[Upgrade], from: u32, bytes: usize, body: &mut Json) -> Vec<Unmet> {
    let mut run = Run { to: from, room: BODY_BYTES_MAX.saturating_sub(bytes), unmet: Vec::new() };
    for upgrade in upgrades.iter().filter(|upgrade| upgrade.to > from) {
        run.to = upgrade.to;
        upgrade.apply(body, &mut run);
    }
    run.unmet
}

/// One body on its way.
struct Run {
    to: u32,
    /// Bytes it may still grow by: what is shown has the bounds of what is stored.
    room: usize,
    unmet: Vec<Unmet>,
}

impl Run {
    fn left(&mut self, path: &str, why: impl Into<String>) {
        if self.unmet.len() < UPGRADE_UNMET_MAX {
            self.unmet.push(Unmet { to: self.to, path: path.to_owned(), why: why.into() });
        }
    }

    /// Puts a value into an object that lies so deep, if the body stays within its bounds.
    fn put(
        &mut self,
        members: &mut Map<String, Json>,
        depth: usize,
        path: &[&str],
        value: Json,
        value_bytes: usize,
    ) -> std::result::Result<(), (Json, String)> {
        // A quoted name, its colon, braces or a comma.
        let bytes = value_bytes + path.iter().map(|name| name.len() + 6).sum::<usize>();
        if bytes > self.room {
            return Err((value, format!("a body has at most {BODY_BYTES_MAX} bytes")));
        }
        if depth + path.len() - 1 + place::depth(&value) > UPGRADE_DEPTH_MAX {
            return Err((value, format!("values are nested at most {UPGRADE_DEPTH_MAX} deep")));
        }
        place::put(members, path, value)?;
        self.room -= bytes;
        Ok(())
    }
}

impl Upgrade {
    /// Checks all upgrades of a collection.
    ///
    /// # Errors
    /// `Invalid`, naming the first field that is wrong: `upgrades.0.rename`.
    pub fn check_all(upgrades: &[Self]) -> Result<()> {
        if upgrades.len() > UPGRADES_MAX {
            return Err(Error::invalid_field("upgrades", format!("at most {UPGRADES_MAX} upgrades")));
        }
        for (place, (upgrade, expected)) in upgrades.iter().zip(FIRST + 1..).enumerate() {
            upgrade.check(expected).map_err(|(member, why)| {
                let dot = if member.is_empty() { "" } else { "." };
                Error::invalid_field(&format!("upgrades.{place}{dot}{member}"), why)
            })?;
        }
        Ok(())
    }

    /// Whether upgrades go on from those that were declared before: documents may be of their versions, so none is
    /// changed or left out.
    ///
    /// # Errors
    /// `Invalid`, naming the first one that differs: `upgrades.0`.
    pub fn check_follow(before: &[Self], upgrades: &[Self]) -> Result<()> {
        for (place, declared) in before.iter().enumerate() {
            if upgrades.get(place) != Some(declared) {
                let to = declared.to;
                let why = format!("the upgrade to {to} was declared and stays as it is; add another one");
                return Err(Error::invalid_field(&format!("upgrades.{place}"), why));
            }
        }
        Ok(())
    }

    /// Every path that it names, each with the member that names it: `("rename", "address.city")`.
    pub fn paths(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let renamed = self.rename.iter().flat_map(|(from, to)| [("rename", &**from), ("rename", &**to)]);
        let removed = self.remove.iter().map(|path| ("remove", &**path));
        let converted = self.convert.iter().map(|(path, _)| ("convert", &**path));
        let set = self.default.iter().map(|(path, _)| ("default", &**path));
        renamed.chain(removed).chain(converted).chain(set)
    }

    /// Whether a field may have other values in a body after it than before.
    pub(crate) fn touches(&self, path: &str) -> bool {
        self.paths().any(|(_, changed)| place::overlap(changed, path))
    }

    fn apply(&self, body: &mut Json, run: &mut Run) {
        for (from, to) in &self.rename {
            rename(body, from, to, run);
        }
        for path in &self.remove {
            place::reach(body, &parts(path), &mut |members, rest, _| {
                if let [name] = rest {
                    members.shift_remove(*name);
                }
            });
        }
        for (path, conversion) in &self.convert {
            place::reach(body, &parts(path), &mut |members, rest, _| {
                let [name] = rest else { return };
                let Some(value) = members.get_mut(*name) else { return };
                match conversion.of(value) {
                    Some(converted) => *value = converted,
                    None => run.left(path, "the value cannot be converted"),
                }
            });
        }
        for (path, value) in &self.default {
            let bytes = value.to_string().len();
            place::reach(body, &parts(path), &mut |members, rest, depth| {
                if matches!(rest, [name] if members.contains_key(*name)) {
                    return;
                }
                if let Err((_, why)) = run.put(members, depth, rest, value.clone(), bytes) {
                    run.left(path, why);
                }
            });
        }
    }

    fn check(&self, expected: u32) -> std::result::Result<(), (&'static str, String)> {
        if self.to != expected {
            return Err(("to", format!("must be {expected}: versions rise by one")));
        }
        let changes = self.rename.len() + self.remove.len() + self.convert.len() + self.default.len();
        if changes == 0 || changes > UPGRADE_CHANGES_MAX {
            return Err(("", format!("must make 1 to {UPGRADE_CHANGES_MAX} changes")));
        }
        self.paths().try_for_each(|(member, path)| check_path(member, path))?;
        for (from, to) in &self.rename {
            if from == to || from.strip_prefix(&**to).is_some_and(|rest| rest.starts_with('.')) {
                return Err(("rename", format!("'{from}' cannot become '{to}', which it is or lies in")));
            }
        }
        for (path, value) in &self.default {
            if value.to_string().len() > UPGRADE_DEFAULT_BYTES_MAX {
                return Err((
                    "default",
                    format!("'{path}': a default has at most {UPGRADE_DEFAULT_BYTES_MAX} bytes"),
                ));
            }
        }
        Ok(())
    }
}

/// Moves a value within each object that both paths have in common.
fn rename(body: &mut Json, from: &str, to: &str, run: &mut Run) {
    let (from_parts, to_parts) = (parts(from), parts(to));
    let parents = from_parts.len().min(to_parts.len()) - 1;
    let common = from_parts.iter().zip(&to_parts).take(parents).take_while(|(a, b)| a == b).count();
    let (Some(to_common), Some(old), Some(new)) =
        (from_parts.get(..=common), from_parts.get(common..), to_parts.get(common..))
    else {
        return;
    };
    place::reach(body, to_common, &mut |members, rest, depth| {
        if rest.len() > 1 {
            return;
        }
        let outcome = match place::take(members, old) {
            Ok(None) => return,
            Ok(Some(value)) => run.put(members, depth, new, value, 0).map_err(|(value, why)| {
                // It was just there, so it can be there again.
                let _ = place::put(members, old, value);
                why
            }),
            Err(why) => Err(why),
        };
        if let Err(why) = outcome {
            run.left(from, why);
        }
    });
}

fn parts(path: &str) -> Vec<&str> {
    path.split('.').collect()
}

fn check_path(member: &'static str, path: &str) -> std::result::Result<(), (&'static str, String)> {
    let wrong = |why: String| Err((member, format!("'{path}': {why}")));
    let parts = parts(path);
    if parts.iter().any(|part| part.is_empty()) {
        return wrong("no part of a path is empty".to_owned());
    }
    if parts.len() > UPGRADE_PATH_PARTS_MAX || path.len() > UPGRADE_PATH_BYTES_MAX {
        return wrong(format!(
            "a path has at most {UPGRADE_PATH_PARTS_MAX} parts and {UPGRADE_PATH_BYTES_MAX} bytes"
        ));
    }
    if parts.iter().any(|part| part.parse::<usize>().is_ok()) {
        return wrong("a path reaches into lists by itself, without a number".to_owned());
    }
    Ok(())
}

/// JSON objects whose members keep their order.
mod pairs {
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::{MapAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<V: Serialize, S: Serializer>(
        pairs: &[(String, V)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
    }

    pub(super) fn deserialize<'de, V: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, V)>, D::Error> {
        struct Pairs<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Pairs<V> {
            type Value = Vec<(String, V)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = members.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }

        deserializer.deserialize_map(Pairs(PhantomData))
    }
}
