//! Random items: fields with values of any kind, texts with anything in them. Whatever comes, an output can be read, and
//! nothing panics. `SEED` replays a run.

use crate::check;
use crate::schemas::xmllint;
use crate::world::{World, config};
use dateline_formats::{FaultKind, ItemType, Registry};
use fastrand::Rng;
use serde_json::{Map, Value, json};

const FIELDS: [&str; 64] = [
    "guid",
    "_id",
    "_current_version",
    "state",
    "pubstatus",
    "firstcreated",
    "versioncreated",
    "firstpublished",
    "expiry",
    "language",
    "source",
    "original_source",
    "priority",
    "urgency",
    "slugline",
    "headline",
    "title",
    "byline",
    "ednote",
    "keywords",
    "sign_off",
    "anpa_take_key",
    "abstract",
    "profile",
    "body_html",
    "body_footer",
    "body_text",
    "format",
    "dateline",
    "subject",
    "anpa_category",
    "genre",
    "place",
    "company_codes",
    "authors",
    "attachments",
    "signal",
    "flags",
    "extra",
    "rewrite_of",
    "associations",
    "groups",
    "renditions",
    "filemeta",
    "description",
    "description_text",
    "alt_text",
    "url",
    "embargo",
    "embargoed",
    "schedule_settings",
    "copyrightholder",
    "copyrightnotice",
    "usageterms",
    "refs",
    "order",
    "company",
    "name",
    "definition_short",
    "correction_sequence",
    "ingest_id",
    "auto_publish",
    "mimetype",
    "duration",
];
const KEYS: [&str; 26] = [
    "qcode",
    "code",
    "name",
    "scheme",
    "translations",
    "state",
    "country",
    "country_code",
    "located",
    "city",
    "text",
    "href",
    "width",
    "height",
    "media",
    "id",
    "role",
    "refs",
    "idRef",
    "residRef",
    "type",
    "order",
    "location",
    "lat",
    "lon",
    "embed",
];
const PIECES: [&str; 28] = [
    "<p>",
    "</p>",
    "<b>",
    "</b>",
    "<i>",
    "</i>",
    "<br>",
    "<br/>",
    "<div>",
    "</div>",
    "<ul><li>",
    "</li></ul>",
    "<table>",
    "<tr><td>",
    "</table>",
    "<a href=\"",
    "\">",
    "<blockquote>",
    "<pre>",
    "</pre>",
    "<!-- EMBED START Image {id: \"editor_0\"} -->",
    "<!-- EMBED END Image {id: \"editor_0\"} -->",
    "<script>",
    "<h2>",
    "]]>",
    "&amp;",
    "&#0;&#xfffe;",
    "<svg><p>",
];

struct Source {
    rng: Rng,
}

impl Source {
    fn text(&mut self) -> String {
        let mut out = String::new();
        for _ in 0..self.rng.usize(..8) {
            match self.rng.u8(..4) {
                0 => out.push_str(PIECES[self.rng.usize(..PIECES.len())]),
                1 => out.push(self.rng.char(..)),
                2 => {
                    out.push_str(self.pick(&[
                        "word ", "\r\n", "\t", "æøå ", "字", "10 000 ", "\u{0}", "\u{202e}", "'\"<>&",
                    ]))
                }
                _ => out.push(self.rng.char('\u{0}'..='\u{ff}')),
            }
        }
        out
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.rng.usize(..from.len())]
    }

    fn value(&mut self, depth: u32) -> Value {
        let kinds = if depth == 0 { 6 } else { 9 };
        match self.rng.u8(..kinds) {
            0 => Value::Null,
            1 => json!(self.rng.bool()),
            2 => json!(self.rng.i64(-2..5000)),
            3 => json!(self.rng.f64() * 100.0),
            4 | 5 => json!(self.text()),
            6 => (0..self.rng.usize(..4)).map(|_| self.value(depth - 1)).collect(),
            7 => (0..self.rng.usize(..4)).map(|_| Value::Object(self.object(depth - 1))).collect(),
            _ => Value::Object(self.object(depth - 1)),
        }
    }

    fn object(&mut self, depth: u32) -> Map<String, Value> {
        let count = self.rng.usize(..6);
        (0..count)
            .map(|_| {
                let key = match self.rng.u8(..12) {
                    0 => self.text(),
                    1 => self.pick(&FIELDS).to_owned(),
                    2 => self
                        .pick(&["editor_0", "featuremedia", "related--1", "gallery--1", "original", "16-9"])
                        .to_owned(),
                    _ => self.pick(&KEYS).to_owned(),
                };
                (key, self.value(depth))
            })
            .collect()
    }

    fn date(&mut self) -> Value {
        match self.rng.u8(..10) {
            0 => self.value(1),
            1 => json!("2026-01-30T02:40:56"),
            2 => json!("9999-12-31T23:59:59+0000"),
            3 => json!("-009998-01-02T00:00:00Z"),
            _ => json!("2026-01-30T02:40:56.789+0000"),
        }
    }

    fn item(&mut self) -> Value {
        let mut item = Map::new();
        item.insert("type".to_owned(), ItemType::ALL[self.rng.usize(..9)].as_str().into());
        for field in ["firstcreated", "versioncreated"] {
            item.insert(field.to_owned(), self.date());
        }
        for _ in 0..self.rng.usize(..40) {
            let field = self.pick(&FIELDS);
            let value = match field {
                "firstcreated" | "versioncreated" | "firstpublished" | "expiry" | "embargo" | "embargoed" => {
                    self.date()
                }
                "format" => json!(self.pick(&["HTML", "preserved"])),
                "body_html" | "abstract" | "body_footer" | "headline" => json!(self.text() + &self.text()),
                _ => self.value(3),
            };
            item.insert(field.to_owned(), value);
        }
        Value::Object(item)
    }
}

#[test]
fn whatever_comes_can_be_read() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..1 << 32), |text| text.parse().unwrap());
    let items = std::env::var("ITEMS").map_or(1500, |text| text.parse().unwrap());
    println!("SEED={seed}");
    let mut source = Source { rng: Rng::with_seed(seed) };
    let mut world = World::new();
    let registry = Registry::standard();
    let dir = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let (mut written, mut refused) = (0, 0);
    for number in 0..items {
        let item = source.item();
        world.site.extends_places = source.rng.bool();
        world.site.names_nitf_schema = source.rng.bool();
        let markup = source.pick(&["plain", "enriched"]);
        world.recipient.config = config(json!({"body_markup": markup, "include_original": number % 2 == 0}));
        world.recipient.embeds = source.rng.bool().then(Default::default);
        for formatter in registry.iter() {
            let what = format!("SEED={seed} item {number} {}: {item}", formatter.id());
            match world.format(formatter, &item) {
                Ok(documents) => {
                    written += 1;
                    for document in documents {
                        check::document(&document, &what);
                        if !matches!(document.extension, "json" | "idml") {
                            let path = dir.path().join(format!("{number}-{}.xml", formatter.id()));
                            std::fs::write(&path, &document.bytes).unwrap();
                            files.push(path);
                        }
                    }
                }
                Err(error) => match error.fault.kind {
                    FaultKind::Unsupported => {}
                    FaultKind::Invalid => refused += 1,
                    _ => panic!("{what}\n{error}"),
                },
            }
        }
    }
    println!("{written} written, {refused} refused");
    assert!(
        written > refused,
        "{written} written, {refused} refused: the items are too bad to test anything"
    );
    if let Some(xmllint) = xmllint() {
        for files in files.chunks(500) {
            let complaints = xmllint.complaints(None, files);
            assert!(complaints.is_empty(), "SEED={seed}\n{complaints}");
        }
    }
}
