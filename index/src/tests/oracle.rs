//! Random writes, reopenings and rebuilds against a naive scan.
//!
//! The scan knows nothing of the index: it splits bodies at blanks and evaluates the tree from which the text
//! of the query was made.

use std::collections::BTreeMap;
use std::time::Duration;

use dateline_engine::{CollectionId, Condition, DocId, Durability, Transaction};
use serde_json::{Value as Json, json};

use super::world::{Random, World, copy_dir};

const WORDS: [&str; 10] = ["red", "blue", "bike", "boat", "old", "new", "rust", "free", "fast", "slow"];
const BRANDS: [&str; 4] = ["saab", "volvo", "bmw", "fiat"];

type Model = BTreeMap<(CollectionId, String), Json>;

/// A random query.
#[derive(Debug)]
enum Ask {
    All,
    Word(&'static str),
    Pair(&'static str, &'static str),
    Prefix(String),
    Titled(&'static str),
    Brand(&'static str),
    Price(i64, i64, bool, bool),
    PriceIs(i64),
    On(bool),
    Day(usize),
    Since(usize),
    Has(&'static str),
    Not(Box<Ask>),
    And(Vec<Ask>),
    Or(Vec<Ask>),
}

impl Ask {
    fn random(random: &mut Random, depth: usize) -> Self {
        let kind = random.below(if depth == 0 { 12 } else { 15 });
        let price = |random: &mut Random| i64::try_from(random.below(40)).unwrap() - 20;
        match kind {
            0 => Self::All,
            1 => Self::Word(random.pick(&WORDS)),
            2 => Self::Pair(random.pick(&WORDS), random.pick(&WORDS)),
            3 => Self::Prefix(random.pick(&WORDS)[..1 + random.below(2)].to_owned()),
            4 => Self::Titled(random.pick(&WORDS)),
            5 => Self::Brand(random.pick(&BRANDS)),
            6 => Self::Price(price(random), price(random), random.one_in(2), random.one_in(2)),
            7 => Self::PriceIs(price(random)),
            8 => Self::On(random.one_in(2)),
            9 => Self::Day(1 + random.below(9)),
            10 => Self::Since(1 + random.below(9)),
            11 => Self::Has(random.pick(&["title", "brand", "price", "on", "at"])),
            12 => Self::Not(Box::new(Self::random(random, depth - 1))),
            kind => {
                let parts = (0..2 + random.below(3)).map(|_| Self::random(random, depth - 1)).collect();
                if kind == 13 { Self::And(parts) } else { Self::Or(parts) }
            }
        }
    }

    fn text(&self) -> String {
        let list = |parts: &[Self], between: &str| {
            let parts: Vec<_> = parts.iter().map(Self::text).collect();
            format!("({})", parts.join(between))
        };
        match self {
            Self::All => "*".to_owned(),
            Self::Word(word) => (*word).to_owned(),
            Self::Pair(first, second) => format!("\"{first} {second}\""),
            Self::Prefix(start) => format!("{start}*"),
            Self::Titled(word) => format!("title:{word}"),
            Self::Brand(brand) => format!("brand:{brand}"),
            Self::Price(from, to, with_from, with_to) => format!(
                "price:{}{from} TO {to}{}",
                if *with_from { '[' } else { '{' },
                if *with_to { ']' } else { '}' }
            ),
            Self::PriceIs(price) => format!("price:{price}"),
            Self::On(on) => format!("on:{on}"),
            Self::Day(day) => format!("at:2024-01-{day:02}"),
            Self::Since(day) => format!("at:[2024-01-{day:02} TO *]"),
            Self::Has(field) => format!("{field}:*"),
            Self::Not(part) => format!("NOT ({})", part.text()),
            Self::And(parts) => list(parts, " "),
            Self::Or(parts) => list(parts, " OR "),
        }
    }

    fn holds(&self, body: &Json) -> bool {
        let texts = || ["title", "text", "brand"].into_iter().filter_map(|field| body[field].as_str());
        let words = || texts().flat_map(|text| text.split(' '));
        let price = || body["price"].as_f64();
        let day = || body["at"].as_str().map(|at| at[8..10].parse::<usize>().unwrap());
        match self {
            Self::All => true,
            Self::Word(word) => words().any(|found| found == *word),
            Self::Pair(first, second) => texts().any(|text| {
                let words: Vec<_> = text.split(' ').collect();
                words.windows(2).any(|pair| pair == [*first, *second])
            }),
            Self::Prefix(start) => words().any(|found| found.starts_with(start.as_str())),
            Self::Titled(word) => {
                body["title"].as_str().is_some_and(|text| text.split(' ').any(|w| w == *word))
            }
            Self::Brand(brand) => body["brand"] == *brand,
            Self::Price(from, to, with_from, with_to) => price().is_some_and(|price| {
                let (from, to) = (*from as f64, *to as f64);
                (price > from || *with_from && price == from) && (price < to || *with_to && price == to)
            }),
            Self::PriceIs(wanted) => price() == Some(*wanted as f64),
            Self::On(on) => body["on"] == *on,
            Self::Day(wanted) => day() == Some(*wanted),
            Self::Since(from) => day().is_some_and(|day| day >= *from),
            Self::Has(field) => !body[*field].is_null(),
            Self::Not(part) => !part.holds(body),
            Self::And(parts) => parts.iter().all(|part| part.holds(body)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(body)),
        }
    }
}

fn body(random: &mut Random) -> Json {
    let text = |random: &mut Random| {
        let words: Vec<_> = (0..1 + random.below(4)).map(|_| random.pick(&WORDS)).collect();
        words.join(" ")
    };
    let mut body = json!({"text": text(random)});
    if !random.one_in(3) {
        body["title"] = json!(text(random));
    }
    if !random.one_in(3) {
        body["brand"] = json!(random.pick(&BRANDS));
    }
    if !random.one_in(3) {
        let price = i64::try_from(random.below(40)).unwrap() - 20;
        body["price"] = if random.one_in(4) { json!(price as f64 + 0.5) } else { json!(price) };
    }
    if !random.one_in(3) {
        body["on"] = json!(random.one_in(2));
    }
    if !random.one_in(3) {
        let day = 1 + random.below(9);
        body["at"] = if random.one_in(2) {
            json!(format!("2024-01-{day:02}"))
        } else {
            json!(format!("2024-01-{day:02}T23:59:59.999Z"))
        };
    }
    body
}

/// One transaction of a few random changes.
fn write(world: &World, random: &mut Random, model: &mut Model, collections: &[CollectionId]) {
    let mut transaction = Transaction::new(Durability::Buffered);
    for _ in 0..1 + random.below(5) {
        let collection = random.pick(collections);
        let id = format!("d{}", random.below(60));
        let place = (collection, id.clone());
        let name = DocId::new(&id).unwrap();
        let exists = model.contains_key(&place);
        if exists && random.one_in(3) {
            transaction = transaction.delete(collection, name, Condition::Present);
            model.remove(&place);
            continue;
        }
        let mut new = body(random);
        if exists && random.one_in(2) {
            // A patch: some members of the old body stay.
            let old = model[&place].as_object().unwrap();
            for (field, value) in old.iter().filter(|(field, _)| field.as_str() != "text") {
                new[field] = value.clone();
            }
        }
        transaction = transaction.put(collection, name, Condition::Always, new.to_string());
        model.insert(place, new);
    }
    world.store.commit(transaction).unwrap();
}

fn compare(world: &World, random: &mut Random, model: &Model, searched: &[(&str, CollectionId)]) {
    for _ in 0..6 {
        let (name, collection) = random.pick(searched);
        let ask = Ask::random(random, 2);
        let mut expected: Vec<_> = model
            .iter()
            .filter(|((of, _), body)| *of == collection && ask.holds(body))
            .map(|((_, id), _)| id.clone())
            .collect();
        expected.sort_unstable();
        assert_eq!(world.ids(name, &ask.text()), expected, "{name}: {}", ask.text());
    }
}

/// Ends the index in some way and opens it again.
fn disturb(world: &mut World, random: &mut Random) {
    match random.below(4) {
        0 => world.stop(),
        1 => world.kill(),
        2 => {
            // A copy taken while it works is what a power cut may leave, and sometimes worse.
            let copy = world.dir.path().join("copy");
            copy_dir(&world.root(), &copy);
            world.kill();
            // A merge of the killed index may still be writing.
            while std::fs::remove_dir_all(world.root()).is_err() {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::fs::rename(copy, world.root()).unwrap();
        }
        _ => {
            world.index().rebuild().unwrap();
            return;
        }
    }
    world.open();
}

#[test]
fn the_index_agrees_with_a_naive_scan() {
    let mut random = Random::new("the_index_agrees_with_a_naive_scan");
    let mut world = World::new();
    let declared = json!({"fields": {"title": {"type": "text"}, "text": {"type": "text"}, "brand": {"type": "keyword"},
        "price": {"type": "number"}, "on": {"type": "bool"}, "at": {"type": "date"}}});
    let mut searched = vec![("derived", world.define("derived", &json!(true)))];
    let silent = world.define("silent", &json!(false));
    let mut model = Model::new();
    for round in 0..40 {
        match round {
            5 => searched.push(("declared", world.define("declared", &declared))),
            15 => searched.push(("late", world.define("late", &json!({})))),
            _ => {}
        }
        let mut collections: Vec<_> = searched.iter().map(|(_, id)| *id).collect();
        collections.push(silent);
        for _ in 0..random.below(30) {
            write(&world, &mut random, &mut model, &collections);
        }
        compare(&world, &mut random, &model, &searched);
        for _ in 0..random.below(10) {
            write(&world, &mut random, &mut model, &collections);
        }
        if random.one_in(2) {
            disturb(&mut world, &mut random);
        }
        world.verify();
        compare(&world, &mut random, &model, &searched);
    }
    assert_eq!(world.index().failed(), None);
}
