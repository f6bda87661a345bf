//! The times of a rule: days and hours in a zone.

use dateline_formats::Item;
use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

const DAYS: [(&str, Weekday); 7] = [
    ("MON", Weekday::Monday),
    ("TUE", Weekday::Tuesday),
    ("WED", Weekday::Wednesday),
    ("THU", Weekday::Thursday),
    ("FRI", Weekday::Friday),
    ("SAT", Weekday::Saturday),
    ("SUN", Weekday::Sunday),
];
const DAY_S: u32 = 86_400;

/// A schedule that makes sense.
#[derive(Debug)]
pub(super) struct Schedule {
    zone: TimeZone,
    days: Vec<Weekday>,
    /// Seconds of the day.
    from: u32,
    /// The first second that is not in it.
    to: u32,
}

impl Schedule {
    /// # Errors
    /// The sentence for whoever saves it.
    pub(super) fn read(given: Item<'_>) -> Result<Schedule, String> {
        let days = days(given)?;
        let [from, to] = ["hour_of_day_from", "hour_of_day_to"].map(|field| given.scalar(field));
        if from.is_empty() && !to.is_empty() {
            return Err("Invalid value for from time.".to_owned());
        }
        let from = if from.is_empty() { Some(0) } else { seconds(&from) };
        let from = from.ok_or_else(|| "Invalid value for from time.".to_owned())?;
        let wrong = || "Invalid value for hour_of_day_to (expected %H:%M:%S).".to_owned();
        let to = match to.as_str() {
            "" => DAY_S,
            to => {
                let end = seconds(to).ok_or_else(wrong)?;
                if from >= end {
                    return Err("From time should be less than To Time.".to_owned());
                }
                // A minute that is named is meant as a whole.
                if end % 60 == 0 { (end + 60).min(DAY_S) } else { end }
            }
        };
        let zone = given.text("time_zone");
        let zone = if zone.is_empty() { "UTC" } else { zone };
        let zone = TimeZone::get(zone).map_err(|_| format!("Unknown time zone {zone}"))?;
        Ok(Schedule { zone, days, from, to })
    }

    pub(super) fn holds(&self, now: Timestamp) -> bool {
        let local = now.to_zoned(self.zone.clone());
        let part = |number: i8| u32::try_from(number).unwrap_or(0);
        let second = part(local.hour()) * 3600 + part(local.minute()) * 60 + part(local.second());
        let is_day = self.days.is_empty() || self.days.contains(&local.weekday());
        is_day && (self.from..self.to).contains(&second)
    }
}

fn days(given: Item<'_>) -> Result<Vec<Weekday>, String> {
    let wrong = || "Invalid values for day of week.".to_owned();
    let day = |value: &serde_json::Value| {
        let name = value.as_str().ok_or_else(wrong)?;
        let found = DAYS.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, day)| day).ok_or_else(wrong)
    };
    match given.get("day_of_week") {
        Some(value) if !value.is_array() => Err(wrong()),
        _ => given.list("day_of_week").map(day).collect(),
    }
}

/// `23:05:00`.
fn seconds(text: &str) -> Option<u32> {
    let mut parts = text.split(':').map(|part| (part.len() <= 2).then(|| part.parse::<u32>().ok())?);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let is_time = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
    is_time.then_some(hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn times() {
        let check = |given: Value, now: &str, holds: bool| {
            let schedule = Schedule::read(Item::of(&given).unwrap()).unwrap();
            assert_eq!(schedule.holds(now.parse().unwrap()), holds, "{given} {now}");
        };
        let evening = json!({"hour_of_day_from": "20:00:00", "hour_of_day_to": "23:55:00"});
        check(evening.clone(), "2026-01-05T19:59:59Z", false);
        check(evening.clone(), "2026-01-05T20:00:00Z", true);
        check(evening.clone(), "2026-01-05T23:55:59Z", true);
        check(evening, "2026-01-05T23:56:00Z", false);
        check(
            json!({"hour_of_day_from": "20:00:00", "hour_of_day_to": "23:55:30"}),
            "2026-01-05T23:55:30Z",
            false,
        );
        check(
            json!({"hour_of_day_from": "20:00:00", "hour_of_day_to": "23:59:00"}),
            "2026-01-05T23:59:59Z",
            true,
        );
        check(json!({"day_of_week": ["mon"]}), "2026-01-05T00:00:00Z", true);
        check(json!({"day_of_week": ["TUE", "SUN"]}), "2026-01-05T00:00:00Z", false);
        // Sunday evening in New York is Monday in UTC.
        let york =
            json!({"day_of_week": ["SUN"], "time_zone": "America/New_York", "hour_of_day_from": "18:00:00"});
        check(york.clone(), "2026-01-05T00:00:00Z", true);
        check(york, "2026-01-04T22:59:59Z", false);
        // The hours are those on the wall, summer and winter.
        let oslo =
            json!({"time_zone": "Europe/Oslo", "hour_of_day_from": "08:00:00", "hour_of_day_to": "09:00:00"});
        check(oslo.clone(), "2026-01-05T07:30:00Z", true);
        check(oslo.clone(), "2026-07-05T06:30:00Z", true);
        check(oslo, "2026-07-05T07:30:00Z", false);
    }
}
