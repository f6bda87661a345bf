//! Members of an item: which there are, and which somebody wants to see.

use std::collections::BTreeSet;

use super::asked::{bad, unexpected};
use crate::eve::Params;
use crate::eve::problem::Problem;

/// Members of an item that a subscriber may choose among.
pub(super) const FIELDS: [&str; 62] = [
    "uri",
    "guid",
    "version",
    "type",
    "byline",
    "located",
    "versioncreated",
    "usageterms",
    "language",
    "headline",
    "copyrightnotice",
    "urgency",
    "pubstatus",
    "mimetype",
    "copyrightholder",
    "ednote",
    "body_text",
    "body_html",
    "slugline",
    "keywords",
    "firstcreated",
    "firstpublished",
    "source",
    "extra",
    "annotations",
    "description_html",
    "description_text",
    "place",
    "profile",
    "associations",
    "extra_items",
    "embargoed",
    "priority",
    "subject",
    "service",
    "genre",
    "renditions",
    "order",
    "organisation",
    "evolvedfrom",
    "signal",
    "attachments",
    "charcount",
    "wordcount",
    "readtime",
    "authors",
    "publish_schedule",
    "products",
    "coverage_id",
    "planning_id",
    "refs",
    "assignment_id",
    "rewrite_of",
    "rewrite_sequence",
    "nextversion",
    "original_id",
    "bookmarks",
    "event_id",
    "agenda_id",
    "infosource",
    "person",
    "object",
];

/// Which members are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields {
    include: Option<BTreeSet<String>>,
    exclude: BTreeSet<String>,
}

impl Fields {
    /// The address of an item is always shown.
    pub(super) fn shows(&self, name: &str) -> bool {
        name == "uri"
            || (self.include.as_ref().is_none_or(|include| include.contains(name))
                && !self.exclude.contains(name))
    }

    pub(super) fn read(params: &Params) -> Result<Self, Problem> {
        let listed = |name: &str| -> BTreeSet<String> {
            let text = params.get(name).unwrap_or_default();
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let (include, exclude) = (listed("include_fields"), listed("exclude_fields"));
        if !include.is_empty() && !exclude.is_empty() {
            let text = "Cannot both include and exclude content fields at the same time.";
            return Err(unexpected("include_fields", text));
        }
        if let Some(unknown) = include.iter().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(bad("include_fields", format!("Unknown content field to include ({unknown}).")));
        }
        if let Some(unknown) = exclude.iter().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(bad("exclude_fields", format!("Unknown content field to exclude ({unknown}).")));
        }
        if exclude.contains("uri") {
            let text = "Cannot exclude a content field required by the NINJS format (uri).";
            return Err(bad("exclude_fields", text));
        }
        Ok(Self { include: (!include.is_empty()).then_some(include), exclude })
    }
}
