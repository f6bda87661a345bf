//! What a subscriber may ask, and how it is told what is wrong.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::eve::problem::{Problem, Slug};
use crate::eve::{Params, Sort};

const OF_LIST: [&str; 20] = [
    "start_date",
    "end_date",
    "include_fields",
    "exclude_fields",
    "max_results",
    "page",
    "version",
    "where",
    "q",
    "default_operator",
    "filter",
    "service",
    "subject",
    "genre",
    "urgency",
    "priority",
    "type",
    "item_source",
    "sort",
    "related_to",
];
const MORE_OF_LIST: [&str; 1] = ["related_source"];
const OF_ITEM: [&str; 3] = ["include_fields", "exclude_fields", "version"];

/// Members of an item that a subscriber may choose among.
const FIELDS: [&str; 62] = [
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

/// Members of which only a part is shown to each subscriber, or a part to nobody: no condition and no order may tell the
/// rest.
const PARTLY_SHOWN: [&str; 4] = ["associations", "extra_items", "renditions", "refs"];
/// What may be asked of them all the same.
const ASKABLE: [&str; 2] = ["refs.guid", "refs.source"];

/// Terms that are asked for by their own parameter, and the member they are of.
const TERMS: [(&str, &str); 8] = [
    ("service", "service.code"),
    ("subject", "subject.code"),
    ("genre", "genre.code"),
    ("urgency", "urgency"),
    ("priority", "priority"),
    ("item_source", "source"),
    ("related_to", "refs.guid"),
    ("related_source", "refs.source"),
];

/// Days that a list goes back when nobody says.
const DAYS_USUAL: i64 = 7;

/// A request for a list, checked.
#[derive(Debug)]
pub(super) struct Asked {
    /// The condition in the dialect of lists, without who asks.
    pub(super) conditions: Vec<Value>,
    pub(super) fields: Fields,
}

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

    fn read(params: &Params) -> Result<Self, Problem> {
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

/// 10001.
fn unexpected(parameter: &str, text: impl Into<String>) -> Problem {
    refused(parameter, text.into(), "Unexpected parameter.", 10_001)
}

/// 10002.
fn bad(parameter: &str, text: impl Into<String>) -> Problem {
    refused(parameter, text.into(), "Bad parameter value.", 10_002)
}

fn refused(parameter: &str, text: String, message: &str, code: u32) -> Problem {
    Problem::new(Slug::InvalidQuery, text.as_str())
        .message(message)
        .issue(parameter, text)
        .with("internal_error", code)
        .with("parameter", parameter)
}

fn check_names(params: &Params, known: impl Fn(&str) -> bool) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    for (name, _) in params.iter() {
        if !known(name) {
            return Err(unexpected(name, format!("Unexpected parameter ({name})")));
        }
        if !seen.insert(name) {
            return Err(unexpected(name, format!("Multiple values received for parameter ({name})")));
        }
    }
    Ok(())
}

/// Which members of a single item are shown.
///
/// # Errors
/// 400 with code 10001 or 10002.
pub(super) fn of_item(params: &Params) -> Result<Fields, Problem> {
    for date in ["start_date", "end_date"] {
        if params.get(date).is_some() {
            let text = format!(
                "Filtering by date range is not supported when retrieving a single object (the \"{date}\" parameter)"
            );
            return Err(unexpected(date, text));
        }
    }
    check_names(params, |name| OF_ITEM.contains(&name))?;
    check_version(params)?;
    Fields::read(params)
}

/// What a list is asked for; `today` is the date in UTC.
///
/// # Errors
/// 400 with code 10001 or 10002.
pub(super) fn of_list(params: &Params, today: Date) -> Result<Asked, Problem> {
    check_names(params, |name| OF_LIST.contains(&name) || MORE_OF_LIST.contains(&name))?;
    check_version(params)?;
    let fields = Fields::read(params)?;
    let mut conditions = vec![dates(params, today)?];
    for (parameter, member) in TERMS {
        let Some(text) = params.get(parameter) else { continue };
        let values = terms(parameter, text)?;
        conditions.push(json!({member: {"$in": values}}));
    }
    for parameter in ["where", "filter"] {
        let Some(text) = params.get(parameter).filter(|text| !text.is_empty()) else { continue };
        let given: Result<Value, _> = serde_json::from_str(text);
        let wrong = || bad(parameter, format!("Bad parameter value for Parameter ({parameter})"));
        let given = given.map_err(|_| wrong())?;
        check_paths(parameter, &given)?;
        match given {
            Value::Array(all) => conditions.extend(all),
            one @ Value::Object(_) => conditions.push(one),
            _ => return Err(wrong()),
        }
    }
    if let Some(text) = params.get("sort") {
        let sort = Sort::parse(text).map_err(|problem| bad("sort", problem.detail()))?;
        for (path, _) in sort.fields() {
            check_path("sort", path)?;
        }
    }
    let operator = params.get("default_operator").unwrap_or_default();
    if !matches!(operator, "" | "AND" | "and") {
        return Err(bad("default_operator", "Words of a search text are combined with AND only; write OR."));
    }
    Ok(Asked { conditions, fields })
}

/// Every member that a condition names must be one that may be asked for.
fn check_paths(parameter: &str, condition: &Value) -> Result<(), Problem> {
    match condition {
        Value::Array(all) => all.iter().try_for_each(|one| check_paths(parameter, one)),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| match name.starts_with('$') {
            true => check_paths(parameter, value),
            // What is below a member that is shown whole is shown too.
            false => check_path(parameter, name),
        }),
        _ => Ok(()),
    }
}

fn check_path(parameter: &str, path: &str) -> Result<(), Problem> {
    let first = path.split('.').next().unwrap_or_default();
    let is_shown = FIELDS.contains(&first) && !PARTLY_SHOWN.contains(&first);
    match is_shown || ASKABLE.contains(&path) {
        true => Ok(()),
        false => {
            Err(bad(parameter, format!("Bad parameter value for Parameter ({parameter}): no field '{path}'")))
        }
    }
}

/// Versions before the last one are not kept for subscribers.
fn check_version(params: &Params) -> Result<(), Problem> {
    match params.get("version").unwrap_or_default() {
        "" => Ok(()),
        _ => Err(bad("version", "Only the last version of an item can be had.")),
    }
}

/// A scalar, or a list of them in JSON.
fn terms(parameter: &str, text: &str) -> Result<Vec<Value>, Problem> {
    let wrong = || bad(parameter, format!("Bad parameter value for Parameter ({parameter})"));
    let parsed = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let values = match parsed {
        Value::Array(values) => values,
        value => vec![value],
    };
    let is_empty = |value: &Value| matches!(value, Value::Null) || *value == json!("") || *value == json!(0);
    if values.is_empty() || values.iter().any(is_empty) {
        return Err(wrong());
    }
    // Codes are texts, also those that look like numbers.
    let is_number = matches!(parameter, "urgency" | "priority");
    let term = |value: Value| match value {
        Value::Number(number) if !is_number => Value::from(number.to_string()),
        value => value,
    };
    Ok(values.into_iter().map(term).collect())
}

/// Both days are within.
fn dates(params: &Params, today: Date) -> Result<Value, Problem> {
    let read = |name: &str| -> Result<Option<Date>, Problem> {
        let Some(text) = params.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let wrong = || {
            let text =
                format!("{name} parameter must be a valid ISO 8601 date (YYYY-MM-DD) without the time part");
            bad(name, text)
        };
        let date: Date = text.parse().ok().filter(|_| text.len() == 10).ok_or_else(wrong)?;
        if date > today {
            let which = if name == "start_date" { "Start" } else { "End" };
            let text = format!(
                "{which} date ({date}) must not be set in the future (current server date (UTC): {today})"
            );
            return Err(bad(name, text));
        }
        Ok(Some(date))
    };
    let (start, end) = (read("start_date")?, read("end_date")?);
    let end = end.unwrap_or(today);
    let usual = || end.saturating_sub(jiff::Span::new().days(DAYS_USUAL));
    let start = start.unwrap_or_else(usual);
    if start > end {
        return Err(bad("start_date", "Start date must not be greater than end date"));
    }
    let after = end.tomorrow().unwrap_or(end);
    let day = |date: Date| format!("{date}T00:00:00+0000");
    Ok(json!({"versioncreated": {"$gte": day(start), "$lt": day(after)}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    const TODAY: Date = jiff::civil::date(2026, 1, 31);

    #[test]
    fn what_is_wrong_is_told_with_its_code() {
        let check = |pairs: &[(&str, &str)], code: u32, words: &str| {
            let problem = of_list(&params(pairs), TODAY).unwrap_err().to_json();
            assert_eq!(problem["internal_error"], code, "{pairs:?}: {problem}");
            assert!(problem["detail"].as_str().unwrap().contains(words), "{pairs:?}: {problem}");
        };
        check(&[("foo", "1")], 10_001, "Unexpected parameter (foo)");
        check(&[("q", "1"), ("q", "2")], 10_001, "Multiple values received for parameter (q)");
        check(
            &[("include_fields", "headline"), ("exclude_fields", "byline")],
            10_001,
            "both include and exclude",
        );
        check(&[("include_fields", "x")], 10_002, "Unknown content field to include (x).");
        check(&[("exclude_fields", "uri")], 10_002, "(uri)");
        check(&[("start_date", "31.1.2026")], 10_002, "ISO 8601");
        check(&[("start_date", "2026-01-31T00:00:00")], 10_002, "ISO 8601");
        check(&[("end_date", "2999-01-01")], 10_002, "End date (2999-01-01) must not be set in the future");
        check(&[("start_date", "2026-01-31"), ("end_date", "2026-01-30")], 10_002, "greater than end date");
        check(&[("filter", "{")], 10_002, "Bad parameter value for Parameter (filter)");
        check(&[("urgency", "0")], 10_002, "(urgency)");
        check(&[("subject", "[]")], 10_002, "(subject)");
        let problem = of_item(&params(&[("start_date", "2026-01-01")])).unwrap_err();
        assert!(problem.detail().contains("single object (the \"start_date\" parameter)"));
    }

    #[test]
    fn what_is_not_shown_cannot_be_asked_for() {
        let check = |name: &str, value: &str, is_good: bool| match of_list(&params(&[(name, value)]), TODAY) {
            Ok(_) => assert!(is_good, "{name}={value}"),
            Err(problem) => {
                let problem = problem.to_json();
                assert!(!is_good, "{name}={value}: {problem}");
                assert_eq!(problem["internal_error"], 10_002, "{problem}");
            }
        };
        let hidden = [
            "subscribers",
            "ancestors",
            "_id",
            "_updated",
            "_current_version",
            "associations",
            "associations.featuremedia.headline",
            "extra_items.media.items.headline",
            "renditions.original.media",
            "refs",
            "refs.guid.x",
            "refs.headline",
            "unknown",
            "",
        ];
        for path in hidden {
            for condition in [
                json!({path: "x"}),
                json!([{path: "x"}]),
                json!({"$or": [{"headline": "x"}, {path: {"$regex": "^x"}}]}),
                json!({"$and": [{"$nor": [{path: {"$exists": true}}]}]}),
            ] {
                check("where", &condition.to_string(), false);
                check("filter", &condition.to_string(), false);
            }
        }
        for path in hidden.into_iter().filter(|path| !path.is_empty()) {
            check("sort", path, false);
            check("sort", &format!("headline,-{path}"), false);
            check("sort", &json!([[path, -1]]).to_string(), false);
        }
        for path in ["headline", "service.code", "refs.guid", "refs.source", "extra.x"] {
            check("where", &json!({"$or": [{path: "x"}]}).to_string(), true);
            check("sort", &format!("-{path}"), true);
        }
        for (name, value, is_good) in [
            ("version", "1", false),
            ("version", "", true),
            ("default_operator", "OR", false),
            ("default_operator", "AND", true),
        ] {
            check(name, value, is_good);
        }
    }

    #[test]
    fn terms_and_dates_become_conditions() {
        let asked =
            of_list(&params(&[("service", "a"), ("urgency", "[1,2]"), ("subject", "04000000")]), TODAY);
        let week = json!({"versioncreated": {"$gte": "2026-01-24T00:00:00+0000", "$lt": "2026-02-01T00:00:00+0000"}});
        let expected = [
            week,
            json!({"service.code": {"$in": ["a"]}}),
            json!({"subject.code": {"$in": ["04000000"]}}),
            json!({"urgency": {"$in": [1, 2]}}),
        ];
        assert_eq!(asked.unwrap().conditions, expected);
        let fields = of_item(&params(&[("include_fields", "headline, headline,")])).unwrap();
        assert!(fields.shows("headline") && fields.shows("uri") && !fields.shows("byline"));
    }
}
