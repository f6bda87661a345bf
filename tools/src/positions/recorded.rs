//! Recorded tracks: CSV with columns under their usual names, or NDJSON as the server takes it.

use std::path::Path;

use serde_json::Value;

use super::Fix;

const DEVICE: [&str; 6] = ["device", "vehicle_id", "tracker", "mmsi", "user", "id"];
const LON: [&str; 4] = ["lon", "lng", "longitude", "x"];
const LAT: [&str; 3] = ["lat", "latitude", "y"];
const TIME: [&str; 6] = ["at", "timestamp", "time", "t", "datetime", "ais_pos_timestamp"];

/// Fixes in the order of their times.
pub(super) struct Recorded {
    fixes: Vec<Fix>,
}

impl Recorded {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = text.trim_start_matches('\u{feff}');
        let mut fixes = if text.trim_start().starts_with('{') { lines(text)? } else { rows(text)? };
        fixes.sort_by_key(|fix| fix.at_ms);
        if fixes.is_empty() { Err(format!("{}: holds no fix", path.display())) } else { Ok(Self { fixes }) }
    }

    pub(super) fn len(&self) -> usize {
        self.fixes.len()
    }

    pub(super) fn first_ms(&self) -> u64 {
        self.fixes.first().map_or(0, |fix| fix.at_ms)
    }

    pub(super) fn span_ms(&self) -> u64 {
        let time = |fix: Option<&Fix>| fix.map_or(0, |fix| fix.at_ms);
        time(self.fixes.last()) - time(self.fixes.first())
    }

    /// Batches of up to `count` fixes, each with the milliseconds from the beginning to its last fix.
    pub(super) fn batches(self, count: usize) -> impl Iterator<Item = (u64, Vec<Fix>)> {
        let began = self.fixes.first().map_or(0, |fix| fix.at_ms);
        let mut fixes = self.fixes.into_iter().peekable();
        std::iter::from_fn(move || {
            let first = fixes.next()?;
            let mut batch = vec![first];
            while batch.len() < count {
                // A batch spans a second at the most, or slow tracks would come in bursts.
                let within = |fix: &Fix| batch.first().is_some_and(|first| fix.at_ms < first.at_ms + 1_000);
                match fixes.next_if(within) {
                    Some(fix) => batch.push(fix),
                    None => break,
                }
            }
            let last = batch.last().map_or(began, |fix| fix.at_ms);
            Some((last - began, batch))
        })
    }
}

fn lines(text: &str) -> Result<Vec<Fix>, String> {
    let fix = |(number, line): (usize, &str)| {
        let told = |what: &str| format!("line {}: {what}", number + 1);
        let item: Value = serde_json::from_str(line).map_err(|error| told(&error.to_string()))?;
        let number = |name: &str| item.get(name).and_then(Value::as_f64);
        Ok(Fix {
            device: item.get("device").and_then(Value::as_str).ok_or_else(|| told("no device"))?.to_owned(),
            lon: number("lon").ok_or_else(|| told("no lon"))?,
            lat: number("lat").ok_or_else(|| told("no lat"))?,
            at_ms: item.get("at").and_then(Value::as_str).and_then(time).ok_or_else(|| told("no time"))?,
            speed: number("speed"),
            heading: number("heading"),
        })
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(fix).collect()
}

fn rows(text: &str) -> Result<Vec<Fix>, String> {
    let head = text.lines().next().unwrap_or_default();
    let delimiter = if head.matches(';').count() > head.matches(',').count() { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let names: Vec<String> =
        reader.headers().map_err(|error| error.to_string())?.iter().map(str::to_ascii_lowercase).collect();
    let column = |known: &[&str]| {
        let found = known.iter().find_map(|name| names.iter().position(|column| column == name));
        found.ok_or_else(|| format!("no column is named {}", known.join(", ")))
    };
    let (device, lon, lat, at) = (column(&DEVICE)?, column(&LON)?, column(&LAT)?, column(&TIME)?);
    let mut fixes = Vec::new();
    for (number, row) in reader.records().enumerate() {
        let row = row.map_err(|error| error.to_string())?;
        let told = |what: &str| format!("row {}: {what}", number + 1);
        let text = |column: usize| row.get(column).unwrap_or_default().trim();
        let degrees = |column: usize| text(column).parse::<f64>().map_err(|_| told("a bad coordinate"));
        fixes.push(Fix {
            device: text(device).to_owned(),
            lon: degrees(lon)?,
            lat: degrees(lat)?,
            at_ms: time(text(at)).ok_or_else(|| told(&format!("'{}' is no time", text(at))))?,
            speed: None,
            heading: None,
        });
    }
    Ok(fixes)
}

/// Unix milliseconds of a text as it is found in such files; without a zone it is UTC.
fn time(text: &str) -> Option<u64> {
    let instant = |at: jiff::Timestamp| u64::try_from(at.as_millisecond()).ok();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return instant(at);
    }
    if let Ok(number) = text.parse::<f64>() {
        // Seconds until far beyond our age, milliseconds above.
        return Some(if number < 1e11 { number * 1_000.0 } else { number } as u64);
    }
    let plain = text.trim_end_matches("+00").trim_end_matches('Z');
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M"];
    let civil = forms.iter().find_map(|form| jiff::civil::DateTime::strptime(form, plain).ok())?;
    instant(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_they_come() {
        let check = |text: &str, device: &str, lon: f64, at: &str| {
            let fixes = if text.starts_with('{') { lines(text) } else { rows(text) }.unwrap();
            let at: jiff::Timestamp = at.parse().unwrap();
            let found = (fixes[0].device.as_str(), fixes[0].lon, fixes[0].at_ms);
            assert_eq!(found, (device, lon, at.as_millisecond().unsigned_abs()));
        };
        check(
            "ID,ais_pos_timestamp,longitude,latitude\n1,20/03/2021 00:22,32.3,31.4",
            "1",
            32.3,
            "2021-03-20T00:22:00Z",
        );
        check("X;Y;tracker;t\n116.4;39.8;19;2008-12-11 04:42:14+00", "19", 116.4, "2008-12-11T04:42:14Z");
        check(
            "\"vehicle_id\",\"timestamp\",latitude,longitude\n\"47\",\"2026-01-26 15:57:02\",53.4,-2.9",
            "47",
            -2.9,
            "2026-01-26T15:57:02Z",
        );
        check(
            "{\"device\":\"d\",\"lon\":1.5,\"lat\":2,\"at\":\"2026-01-01T00:00:00Z\"}",
            "d",
            1.5,
            "2026-01-01T00:00:00Z",
        );
        assert!(rows("a,b\n1,2").is_err());
    }

    #[test]
    fn batches_keep_their_time() {
        let fix = |at_ms| Fix { device: "d".into(), lon: 0.0, lat: 0.0, at_ms, speed: None, heading: None };
        let recorded = Recorded { fixes: [5_000, 5_200, 5_400, 9_000].map(fix).to_vec() };
        let found: Vec<(u64, usize)> = recorded.batches(2).map(|(ms, batch)| (ms, batch.len())).collect();
        assert_eq!(found, [(200, 2), (400, 1), (4_000, 1)]);
    }
}
