//! What a format needs to know beside the item. All of it is plain data that the caller has gathered: formats ask nobody.

use crate::item::{Fields, Item};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Everything about one call to a format.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The moment that documents say they were sent at.
    pub now: Timestamp,
    /// The subscriber's sequence number: taken once for each call, whether the format writes it or not.
    pub sequence: u64,
    /// What is the same for all items of the site.
    pub site: &'a Site,
    /// What belongs to this item but stands elsewhere.
    pub related: &'a Related,
    /// Who will get it, and how.
    pub recipient: &'a Recipient,
}

/// Settings and vocabularies of the site. Changes seldom: made once and shared.
#[derive(Debug, Clone)]
pub struct Site {
    /// Who sends, in NewsML (`NEWSML_PROVIDER_ID`).
    pub provider: String,
    /// Language of items that name none (`DEFAULT_LANGUAGE`).
    pub language: String,
    /// Domain of the site's own URNs (`URN_DOMAIN`).
    pub urn_domain: String,
    /// Zone of times that people read in e-mails.
    pub time_zone: TimeZone,
    /// Address below which media are served; feeds and attachments are linked there. Empty: no links are made up.
    pub public_url: String,
    /// Whether places keep all that is known of them (`NINJS_PLACE_EXTENDED`).
    pub extends_places: bool,
    /// Whether NITF names its namespace and schema (`NITF_INCLUDE_SCHEMA`).
    pub names_nitf_schema: bool,
    /// Renditions of pictures that every subscriber gets, beside `original` and the crops (`NINJS_COMMON_RENDITIONS`).
    pub common_renditions: Vec<String>,
    /// Reading speed for Japanese (`JAPANESE_CHARACTERS_PER_MINUTE`).
    pub japanese_characters_per_minute: u32,
    /// Vocabularies by id: `{"items": [...], "field_type"?}`.
    pub vocabularies: BTreeMap<String, Value>,
    /// Content profiles by id: `{"label", "output_name"?, "schema"}`.
    pub profiles: BTreeMap<String, Value>,
    /// Users by id: `{"display_name", "biography"?, "picture_url"?, "job_title"?, ...}`.
    pub users: BTreeMap<String, Value>,
}

/// Documents that the item points to.
#[derive(Debug, Clone, Default)]
pub struct Related {
    /// Current versions of members of a package and of related content, by item id.
    pub items: BTreeMap<String, Value>,
    /// Attachments by id.
    pub attachments: BTreeMap<String, Value>,
    /// The assignment the item was written for: `{"coverage_item", "planning_item"}`.
    pub assignment: Option<Value>,
    /// Products that the item belongs to, as `(id, name)`.
    pub products: Vec<(String, String)>,
}

/// The destination.
#[derive(Debug, Clone, Default)]
pub struct Recipient {
    /// The destination's configuration. Read here: `associated_path`, `include_original`, `body_markup`.
    pub config: Fields,
    /// Keys of the embeds (`editor_0`) that the subscriber may have; none: all of them (`EMBED_PRODUCT_FILTERING`).
    pub embeds: Option<BTreeSet<String>>,
}

impl Default for Site {
    fn default() -> Site {
        Site {
            provider: "dateline".to_owned(),
            language: "en".to_owned(),
            urn_domain: "localhost".to_owned(),
            time_zone: TimeZone::UTC,
            public_url: String::new(),
            extends_places: false,
            names_nitf_schema: false,
            common_renditions: ["thumbnail", "viewImage", "baseImage"].map(str::to_owned).into(),
            japanese_characters_per_minute: 600,
            vocabularies: BTreeMap::new(),
            profiles: BTreeMap::new(),
            users: BTreeMap::new(),
        }
    }
}

impl Site {
    /// The rows of a vocabulary.
    pub(crate) fn rows<'s>(&'s self, vocabulary: &str) -> impl Iterator<Item = Item<'s>> + use<'s> {
        self.vocabularies
            .get(vocabulary)
            .and_then(Item::of)
            .into_iter()
            .flat_map(|found| found.objects("items"))
    }

    /// The row with this code if there is exactly one.
    pub(crate) fn unique_row(&self, vocabulary: &str, code: &str) -> Option<Item<'_>> {
        let mut rows = self.rows(vocabulary).filter(|row| row.text("qcode") == code);
        let first = rows.next();
        if rows.next().is_some() { None } else { first }
    }

    /// Whether a vocabulary describes a field of this kind, such as `related_content`.
    pub(crate) fn is_field_of(&self, vocabulary: &str, field_type: &str) -> bool {
        let found = self.vocabularies.get(vocabulary).and_then(Item::of);
        found.is_some_and(|found| found.text("field_type") == field_type)
    }

    /// Holder, notice and terms for items of this source: its own row of `rightsinfo`, else the row `default`.
    pub(crate) fn rights(&self, item: Item<'_>) -> Rights {
        let by_name =
            |name: &str| self.rows("rightsinfo").find(|row| row.text("name").eq_ignore_ascii_case(name));
        let sources = [item.text("source"), item.text("original_source")];
        let own = sources.into_iter().filter(|source| !source.is_empty()).find_map(by_name);
        let Some(row) = own.or_else(|| by_name("default")) else { return Rights::default() };
        let language = self.language_of(item);
        let column = |camel: &str, lower: &str| {
            let name = if row.has(camel) { camel } else { lower };
            translated(row, name, language).to_owned()
        };
        Rights {
            holder: column("copyrightHolder", "copyrightholder"),
            notice: column("copyrightNotice", "copyrightnotice"),
            terms: column("usageTerms", "usageterms"),
        }
    }

    pub(crate) fn language_of<'a>(&'a self, item: Item<'a>) -> &'a str {
        match item.text("language") {
            "" => &self.language,
            language => language,
        }
    }

    /// The outward name of a content profile: its `output_name`, else its label without spaces and punctuation in lower
    /// case, else its id.
    pub(crate) fn profile_name(&self, id: &str) -> String {
        let Some(profile) = self.profiles.get(id).and_then(Item::of) else { return id.to_owned() };
        if profile.has("output_name") {
            return profile.text("output_name").to_owned();
        }
        let label = profile.text("label");
        let name: String = label.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        if name.is_empty() { id.to_owned() } else { name }
    }

    /// The type that a profile gives a field, such as `media`; empty when it says nothing.
    pub(crate) fn profile_field_type(&self, profile: &str, field: &str) -> &str {
        let profile = self.profiles.get(profile).and_then(Item::of);
        let schema = profile.and_then(|profile| profile.object("schema"));
        schema.and_then(|schema| schema.object(field)).map(|rule| rule.text("type")).unwrap_or_default()
    }

    /// A user by id, else by the name shown; with the id.
    pub(crate) fn user(&self, id: &str, name: &str) -> Option<(&str, Item<'_>)> {
        if let Some((id, user)) = self.users.get_key_value(id) {
            return Some((id.as_str(), Item::of(user)?));
        }
        let mut users = self.users.iter().filter_map(|(id, user)| Some((id.as_str(), Item::of(user)?)));
        users.find(|(_, user)| !name.is_empty() && user.text("display_name") == name)
    }

    /// The public address of a medium, empty when the site has none.
    pub(crate) fn asset_url(&self, media: &str) -> String {
        if self.public_url.is_empty() || media.is_empty() {
            return String::new();
        }
        format!("{}/assets/{media}", self.public_url.trim_end_matches('/'))
    }
}

/// Who holds the rights, and what others may do. Empty where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) holder: String,
    pub(crate) notice: String,
    pub(crate) terms: String,
}

impl Rights {
    /// What the item itself says, and for what it leaves open, what its source says.
    pub(crate) fn of(item: Item<'_>, site: &Site) -> Rights {
        let general = site.rights(item);
        let own = |field: &str, general: String| if item.has(field) { item.scalar(field) } else { general };
        Rights {
            holder: own("copyrightholder", general.holder),
            notice: own("copyrightnotice", general.notice),
            terms: own("usageterms", general.terms),
        }
    }
}

/// A text of a vocabulary row in this language, else as it stands.
pub(crate) fn translated<'a>(row: Item<'a>, field: &str, language: &str) -> &'a str {
    match translation(row, field, language) {
        Some((text, _)) => text,
        None => row.text(field),
    }
}

/// A translation and the language it is in: the item's own, else its part before `-` or `_`.
pub(crate) fn translation<'a, 'l>(
    row: Item<'a>,
    field: &str,
    language: &'l str,
) -> Option<(&'a str, &'l str)> {
    let texts = row.object("translations")?.object(field)?;
    let general = language.split(['-', '_']).next().unwrap_or_default();
    let found = |language: &'l str| {
        Some(texts.text(language)).filter(|text| !text.is_empty()).map(|text| (text, language))
    };
    found(language).or_else(|| found(general))
}
