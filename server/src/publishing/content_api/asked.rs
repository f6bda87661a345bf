//! What may be asked of the content API, and how somebody is told what is wrong.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::fields::{FIELDS, Fields};
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Params, Sort};

const OF_LIST: [&str; 21] = [
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
    "related_source",
];
/// What the newsroom may ask beside.
const OF_NEWSROOM: [&str; 2] = ["subscribers", "aggregations"];
const OF_ITEM: [&str; 3] = ["include_fields", "exclude_fields", "version"];
const OF_VERSIONS: [&str; 2] = ["include_fields", "exclude_fields"];

/// Members of which only a part is shown to each subscriber, or a part to nobody: no condition and no order may tell the
/// rest.
const PARTLY_SHOWN: [&str; 4] = ["associations", "extra_items", "renditions", "refs"];
/// What may be asked of them all the same.
const ASKABLE: [&str; 2] = ["refs.guid", "refs.source"];

/// Terms that are asked for by their own parameter, and the member they are of.
const TERMS: [(&str, &str); 10] = [
    ("service", "service.code"),
    ("subject", "subject.code"),
    ("genre", "genre.code"),
    ("urgency", "urgency"),
    ("priority", "priority"),
    ("type", "type"),
    ("version", "version"),
    ("item_source", "source"),
    ("related_to", "refs.guid"),
    ("related_source", "refs.source"),
];

/// Parameters that take one of a few words. Nothing is counted by value yet, so that can only be switched off.
const CHOICES: [(&str, &[&str]); 2] =
    [("default_operator", &["AND", "OR"]), ("aggregations", &["0", "FALSE"])];

/// Days that a list goes back when nobody says.
const DAYS_USUAL: i64 = 7;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    Subscriber,
    /// A user: of all subscribers, and without a range of dates unless one is given.
    Newsroom,
}

/// A request for a list, checked.
#[derive(Debug)]
pub(super) struct Asked {
    /// The condition in the dialect of lists, without who asks.
    pub(super) conditions: Vec<Value>,
    pub(super) fields: Fields,
}

/// 10001.
pub(super) fn unexpected(parameter: &str, text: impl Into<String>) -> Problem {
    refused(parameter, text.into(), "Unexpected parameter.", 10_001)
}

/// 10002.
pub(super) fn bad(parameter: &str, text: impl Into<String>) -> Problem {
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

/// What a single item is asked for: which of its members, and which version of it.
///
/// # Errors
/// 400 with code 10001 or 10002.
pub(super) fn of_item(params: &Params) -> Result<(Fields, Option<&str>), Problem> {
    check_single(params, &OF_ITEM)?;
    match params.get("version") {
        Some("") => Err(bad("version", "Bad parameter value for Parameter (version)")),
        version => Ok((Fields::read(params)?, version)),
    }
}

/// Which members of each version of an item are shown.
///
/// # Errors
/// 400 with code 10001 or 10002.
pub(super) fn of_versions(params: &Params) -> Result<Fields, Problem> {
    check_single(params, &OF_VERSIONS)?;
    Fields::read(params)
}

fn check_single(params: &Params, known: &[&str]) -> Result<(), Problem> {
    for date in ["start_date", "end_date"] {
        if params.get(date).is_some() {
            let text = format!(
                "Filtering by date range is not supported when retrieving a single object (the \"{date}\" parameter)"
            );
            return Err(unexpected(date, text));
        }
    }
    check_names(params, |name| known.contains(&name))
}

/// What a list is asked for; `today` is the date in UTC.
///
/// # Errors
/// 400 with code 10001 or 10002.
pub(super) fn of_list(params: &Params, asker: Asker, today: Date) -> Result<Asked, Problem> {
    let is_newsroom = asker == Asker::Newsroom;
    check_names(params, |name| OF_LIST.contains(&name) || is_newsroom && OF_NEWSROOM.contains(&name))?;
    let fields = Fields::read(params)?;
    let mut conditions: Vec<Value> = dates(params, asker, today)?.into_iter().collect();
    let own = is_newsroom.then_some(("subscribers", "subscribers"));
    for (parameter, member) in TERMS.into_iter().chain(own) {
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
    for (parameter, known) in CHOICES {
        let given = params.get(parameter).unwrap_or_default().to_ascii_uppercase();
        if !given.is_empty() && !known.contains(&given.as_str()) {
            return Err(bad(parameter, format!("Bad parameter value for Parameter ({parameter})")));
        }
    }
    Ok(Asked { conditions, fields })
}

/// A refusal of what a list was asked for, in the words that clients of the content API know.
pub(super) fn retold(problem: Problem) -> Problem {
    let is_of_text = problem.slug() == Slug::InvalidQuery && problem.to_json()["parameter"] == "q";
    if is_of_text { bad("q", "invalid search text").with("reason", problem.detail()) } else { problem }
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
fn dates(params: &Params, asker: Asker, today: Date) -> Result<Option<Value>, Problem> {
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
    let (mut start, mut end) = (read("start_date")?, read("end_date")?);
    if asker == Asker::Subscriber {
        let last = end.unwrap_or(today);
        start = start.or_else(|| Some(last.saturating_sub(jiff::Span::new().days(DAYS_USUAL))));
        end = Some(last);
    }
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        return Err(bad("start_date", "Start date must not be greater than end date"));
    }
    let day = |date: Date| Value::from(format!("{date}T00:00:00+0000"));
    let mut range = Map::new();
    range.extend(start.map(|start| ("$gte".to_owned(), day(start))));
    range.extend(end.map(|end| ("$lt".to_owned(), day(end.tomorrow().unwrap_or(end)))));
    Ok((!range.is_empty()).then(|| json!({"versioncreated": range})))
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
            let problem = of_list(&params(pairs), Asker::Subscriber, TODAY).unwrap_err().to_json();
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
        let check = |name: &str, value: &str, is_good: bool| {
            for asker in [Asker::Subscriber, Asker::Newsroom] {
                match of_list(&params(&[(name, value)]), asker, TODAY) {
                    Ok(_) => assert!(is_good, "{name}={value}"),
                    Err(problem) => {
                        let problem = problem.to_json();
                        assert!(!is_good, "{name}={value}: {problem}");
                        assert_eq!(problem["internal_error"], 10_002, "{problem}");
                    }
                }
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
            ("version", "1", true),
            ("version", "", false),
            ("type", "picture", true),
            ("default_operator", "OR", true),
            ("default_operator", "and", true),
            ("default_operator", "XOR", false),
        ] {
            check(name, value, is_good);
        }
    }

    #[test]
    fn terms_and_dates_become_conditions() {
        let asked = [("service", "a"), ("urgency", "[1,2]"), ("subject", "04000000"), ("version", "[2]")];
        let asked = of_list(&params(&asked), Asker::Subscriber, TODAY);
        let week = json!({"versioncreated": {"$gte": "2026-01-24T00:00:00+0000", "$lt": "2026-02-01T00:00:00+0000"}});
        let expected = [
            week,
            json!({"service.code": {"$in": ["a"]}}),
            json!({"subject.code": {"$in": ["04000000"]}}),
            json!({"urgency": {"$in": [1, 2]}}),
            json!({"version": {"$in": ["2"]}}),
        ];
        assert_eq!(asked.unwrap().conditions, expected);
        let params = params(&[("include_fields", "headline, headline,"), ("version", "3")]);
        let (fields, version) = of_item(&params).unwrap();
        assert!(fields.shows("headline") && fields.shows("uri") && !fields.shows("byline"));
        assert_eq!(version, Some("3"));
        assert!(of_versions(&params).is_err(), "all versions and one of them");
    }

    #[test]
    fn the_newsroom_asks_of_all_subscribers_and_times() {
        let check = |pairs: &[(&str, &str)], expected: Value| {
            let asked = of_list(&params(pairs), Asker::Newsroom, TODAY).unwrap();
            assert_eq!(Value::from(asked.conditions), expected, "{pairs:?}");
        };
        check(&[("aggregations", "0")], json!([]));
        check(
            &[("start_date", "2026-01-02")],
            json!([{"versioncreated": {"$gte": "2026-01-02T00:00:00+0000"}}]),
        );
        check(
            &[("end_date", "2026-01-02")],
            json!([{"versioncreated": {"$lt": "2026-01-03T00:00:00+0000"}}]),
        );
        check(&[("subscribers", "[\"s\", \"t\"]")], json!([{"subscribers": {"$in": ["s", "t"]}}]));
        for parameter in OF_NEWSROOM {
            let refused = of_list(&params(&[(parameter, "0")]), Asker::Subscriber, TODAY).unwrap_err();
            assert!(refused.detail().contains("Unexpected parameter"), "{parameter}");
        }
        assert!(of_list(&params(&[("aggregations", "1")]), Asker::Newsroom, TODAY).is_err());
    }

    #[test]
    fn a_bad_search_text_is_told_in_known_words() {
        let told = retold(Problem::query("q", "position 3: '(' has no end")).to_json();
        assert_eq!(
            (&told["internal_error"], &told["_issues"]["q"]),
            (&json!(10_002), &json!("invalid search text"))
        );
        assert!(told["reason"].as_str().unwrap().contains("position 3"));
        assert!(retold(Problem::query("page", "no number")).to_json().get("internal_error").is_none());
    }
}
