//! The real input: places with people, and the tracks of ships, walkers and buses, as fixes of devices.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::oracle::Fix;

/// Where the real input is, if it is here.
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("DATELINE_SHARED").map_or(beside, PathBuf::from);
    shared.join("data/cities.csv").exists().then_some(shared)
}

/// One row of `cities.csv`.
#[derive(Clone, Debug)]
pub(crate) struct City {
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) lon: f64,
    pub(crate) lat: f64,
    pub(crate) population: f64,
}

struct Table {
    columns: HashMap<String, usize>,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    fn read(path: &Path, delimiter: u8) -> Self {
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).from_path(path).expect("the file opens");
        let headers = reader.headers().expect("a header line").clone();
        let named = headers
            .iter()
            .enumerate()
            .map(|(index, name)| (name.trim_start_matches('\u{feff}').to_owned(), index));
        let columns = named.collect();
        Self { columns, rows: reader.records().collect::<Result<_, _>>().expect("rows of one width") }
    }

    fn text<'a>(&self, row: &'a csv::StringRecord, column: &str) -> &'a str {
        &row[self.columns[column]]
    }

    fn number(&self, row: &csv::StringRecord, column: &str) -> f64 {
        self.text(row, column).parse().expect("a number")
    }
}

pub(crate) fn cities(shared: &Path) -> Vec<City> {
    let table = Table::read(&shared.join("data/cities.csv"), b',');
    let city = |row| City {
        name: table.text(row, "name").to_owned(),
        country: table.text(row, "country").to_owned(),
        lon: table.number(row, "lon"),
        lat: table.number(row, "lat"),
        population: table.number(row, "population"),
    };
    table.rows.iter().map(city).collect()
}

/// All fixes of the three files, woven together so that all devices move at once.
pub(crate) fn fixes(shared: &Path) -> Vec<Fix> {
    let tracks = [boats(shared), walkers(shared), buses(shared)];
    let mut woven: Vec<(f64, Fix)> = Vec::new();
    for track in tracks {
        let count = track.len() as f64;
        woven.extend(track.into_iter().enumerate().map(|(index, fix)| (index as f64 / count, fix)));
    }
    woven.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut fixes: Vec<Fix> = woven.into_iter().map(|(_, fix)| fix).collect();
    tell_times_apart(&mut fixes);
    fixes
}

/// Ships report to the minute, so two of their fixes may have one time. A millisecond between them lets a batch be
/// sent again after a crash without moving anything twice.
fn tell_times_apart(fixes: &mut [Fix]) {
    let mut seen: HashMap<(String, i64), i64> = HashMap::new();
    for fix in fixes {
        let count = seen.entry((fix.device.clone(), fix.at_ms)).or_default();
        fix.at_ms += *count;
        *count += 1;
    }
}

fn boats(shared: &Path) -> Vec<Fix> {
    let table = Table::read(&shared.join("data/tracks/boat-positions.csv"), b',');
    let fix = |row| {
        let text = table.text(row, "ais_pos_timestamp");
        let (date, time) = text.split_once(' ').expect("date and time");
        let parts: Vec<&str> = date.split('/').collect();
        let at = format!("{}-{}-{}T{time}:00Z", parts[2], parts[1], parts[0]);
        let place = (table.number(row, "longitude"), table.number(row, "latitude"));
        Fix { device: format!("boat-{}", table.text(row, "ID")), place, at_ms: millis(&at) }
    };
    let mut fixes: Vec<Fix> = table.rows.iter().map(fix).collect();
    // The file goes ship by ship; the sea does not.
    fixes.sort_by_key(|fix| fix.at_ms);
    fixes
}

fn walkers(shared: &Path) -> Vec<Fix> {
    let table = Table::read(&shared.join("data/tracks/geolife_small.csv"), b';');
    let fix = |row| {
        let at = table.text(row, "t").replace(' ', "T").replace("+00", "Z");
        let place = (table.number(row, "X"), table.number(row, "Y"));
        Fix { device: format!("tracker-{}", table.text(row, "tracker")), place, at_ms: millis(&at) }
    };
    table.rows.iter().map(fix).collect()
}

fn buses(shared: &Path) -> Vec<Fix> {
    let table = Table::read(&shared.join("data/tracks/liverpool-bus.csv"), b',');
    let fix = |row| {
        let at = format!("{}Z", table.text(row, "timestamp").replace(' ', "T"));
        let place = (table.number(row, "longitude"), table.number(row, "latitude"));
        Fix { device: format!("bus-{}", table.text(row, "vehicle_id")), place, at_ms: millis(&at) }
    };
    table.rows.iter().map(fix).collect()
}

/// Unix milliseconds of an RFC 3339 time.
pub(crate) fn millis(text: &str) -> i64 {
    let time: jiff::Timestamp = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    time.as_millisecond()
}

/// RFC 3339 of Unix milliseconds.
pub(crate) fn time_text(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).expect("a time of our age").to_string()
}
