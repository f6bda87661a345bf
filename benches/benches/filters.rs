//! Who gets an item: the percolator beside the plain evaluator, over the same configuration and items.
//!
//! 5,000 conditions, 2,000 filters and products; a subscriber holds one to four of them, and an item reaches some
//! tens of 10,000. The same is asked of 100 subscribers: what is left of the difference is what they get.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use dateline_publish::filter::{Catalog, Change, NoLender, Part, Percolator, Question, TargetMedia};
use fastrand::Rng;
use serde_json::{Value, json};

const CONDITIONS: u64 = 5_000;
const PRODUCTS: u64 = 2_000;
const ITEMS: u64 = 64;
const WORDS: u64 = 4_000;

/// A number below the count, small ones more often by Zipf's law, as words are used.
fn rank(random: &mut Rng, count: u64) -> u64 {
    (count as f64).powf(random.f64()) as u64
}

/// A word of five letters and a number.
fn word(rank: u64) -> String {
    let letters =
        (0..5).map(|at| char::from(b'a' + u8::try_from((rank * 7 + at * 11 + rank / 26) % 26).unwrap_or(0)));
    letters.chain(rank.to_string().chars()).collect()
}

/// The n-th condition: what newsrooms write, words of the slugline and headline most.
fn condition(number: u64) -> Value {
    let random = &mut Rng::with_seed(number + 1);
    let some = word(random.u64(..WORDS));
    let list = |random: &mut Rng, prefix: &str, most: u64, of: u64| {
        let count = 1 + random.u64(..most);
        (0..count).map(|_| format!("{prefix}{}", random.u64(..of))).collect::<Vec<_>>().join(",")
    };
    let (field, operator, value) = match number % 100 {
        0..15 => ("slugline", "like", some),
        15..22 => ("slugline", "startswith", some),
        22..28 => ("slugline", "eq", some),
        28..42 => ("headline", "like", some),
        42..44 => ("headline", "like", format!("{some}|{}", word(random.u64(..WORDS)))),
        44..52 => ("body_html", "like", format!("{some} {}", word(rank(random, WORDS)))),
        52..55 => ("headline", "notlike", some),
        55..72 => ("subject", "in", list(random, "0", 5, 1_400)),
        72..82 => ("keywords", "in", list(random, "k", 3, 2_000)),
        82..88 => ("place", "in", list(random, "P", 3, 300)),
        88..91 => ("anpa_category", "in", list(random, "c", 2, 20)),
        91..94 => ("anpa_category", "nin", list(random, "c", 2, 20)),
        94..96 => ("urgency", "lt", random.u64(..6).to_string()),
        96..98 => ("source", "eq", format!("s{}", random.u64(..40))),
        98 => ("type", "in", "text,preformatted".to_owned()),
        _ => ("genre", "nin", list(random, "g", 2, 10)),
    };
    json!({"name": format!("c{number}"), "field": field, "operator": operator, "value": value})
}

fn filter(number: u64) -> Value {
    let random = &mut Rng::with_seed(number + 7_000_001);
    let statements: Vec<Value> = (0..1 + random.u64(..3))
        .map(|_| {
            // The first is a word, a code or a keyword, as nobody wants half of everything.
            let first = random.u64(..CONDITIONS / 100) * 100 + random.u64(..52);
            let others = (0..random.u64(..3)).map(|_| random.u64(..CONDITIONS)).collect::<Vec<_>>();
            let fc: Vec<String> = std::iter::once(first).chain(others).map(|own| format!("c{own}")).collect();
            let pf: Vec<String> = match random.u64(..10) {
                0 if number > 0 => vec![format!("f{}", random.u64(..number))],
                _ => Vec::new(),
            };
            json!({"expression": {"fc": fc, "pf": pf}})
        })
        .collect();
    // One in 200 keeps something from everybody.
    json!({"name": format!("f{number}"), "content_filter": statements, "is_global": number.is_multiple_of(200)})
}

fn subscriber(number: u64) -> Value {
    let random = &mut Rng::with_seed(number + 13_000_001);
    let mut products =
        || (0..1 + random.u64(..4)).map(|_| format!("p{}", random.u64(..PRODUCTS))).collect::<Vec<_>>();
    let (own, api) = (products(), products());
    json!({
        "name": format!("s{number}"), "is_active": true, "codes": "x", "subscriber_type": "all",
        "products": own, "api_products": api,
    })
}

fn changes(subscribers: u64) -> Vec<Change> {
    let put = |part, id: String, document| Change { part, id, document: Some(document) };
    let conditions = (0..CONDITIONS).map(|n| put(Part::Condition, format!("c{n}"), condition(n)));
    let filters = (0..PRODUCTS).map(|n| put(Part::Filter, format!("f{n}"), filter(n)));
    let products = (0..PRODUCTS).map(|n| {
        let filter = json!({"filter_id": format!("f{n}"), "filter_type": "permitting"});
        put(
            Part::Product,
            format!("p{n}"),
            json!({"name": n.to_string(), "codes": "a,b", "content_filter": filter}),
        )
    });
    let subscribers = (0..subscribers).map(|n| put(Part::Subscriber, format!("s{n}"), subscriber(n)));
    conditions.chain(filters).chain(products).chain(subscribers).collect()
}

fn compiled(changes: &[Change]) -> Percolator {
    let mut percolator = Percolator::new(Catalog::new(Vec::new(), Arc::new(NoLender)));
    percolator.apply(changes);
    percolator
}

/// A story of 300 words.
fn item(number: u64) -> Value {
    let random = &mut Rng::with_seed(number + 23_000_001);
    let mut words = |count: u64| (0..count).map(|_| word(rank(random, WORDS))).collect::<Vec<_>>().join(" ");
    let (slugline, headline) = (words(2), words(9));
    let body: String = (0..10).map(|_| format!("<p>{} &amp; <b>{}</b></p>", words(28), words(2))).collect();
    let mut entry = |prefix: &str, of: u64| json!({"qcode": format!("{prefix}{}", random.u64(..of))});
    json!({
        "type": "text", "slugline": slugline, "headline": headline, "body_html": body,
        "subject": [entry("0", 1_400), entry("0", 1_400)], "place": [entry("P", 300)],
        "anpa_category": [entry("c", 20)], "genre": [entry("g", 10)],
        "keywords": [entry("k", 2_000)["qcode"].clone()], "urgency": 3, "priority": 6, "source": "s1",
    })
}

fn ask(item: &Value) -> Question<'_> {
    let now = jiff::Timestamp::UNIX_EPOCH;
    Question { item, now, media: TargetMedia::of_item(item), content_api: true }
}

fn filters(criterion: &mut Criterion) {
    let items: Vec<Value> = (0..ITEMS).map(item).collect();
    let at = Cell::new(0);
    let next = || {
        at.set((at.get() + 1) % items.len());
        ask(&items[at.get()])
    };
    let mut group = criterion.benchmark_group("filter");
    for subscribers in [100, 10_000] {
        let percolator = compiled(&changes(subscribers));
        let mut taken = 0;
        for item in &items {
            let fast = percolator.recipients(ask(item)).expect("an answer");
            assert_eq!(fast, percolator.catalog().recipients(ask(item)).expect("an answer"), "both are one");
            taken += fast.taken.len();
        }
        println!("{subscribers} subscribers: {:.1} get an item", taken as f64 / items.len() as f64);
        group.bench_function(BenchmarkId::new("percolator", subscribers), |bencher| {
            bencher.iter(|| black_box(percolator.recipients(next()).expect("an answer")));
        });
        group.bench_function(BenchmarkId::new("plain", subscribers), |bencher| {
            bencher.iter(|| black_box(percolator.catalog().recipients(next()).expect("an answer")));
        });
    }

    let all = changes(10_000);
    let mut percolator = compiled(&all);
    let of = |part: Part| all.iter().filter(move |change| change.part == part).collect::<Vec<_>>();
    for (case, part) in
        [("condition", Part::Condition), ("filter", Part::Filter), ("subscriber", Part::Subscriber)]
    {
        let changes = of(part);
        let mut number = 0;
        group.bench_function(BenchmarkId::new("change", case), |bencher| {
            bencher.iter(|| {
                number = (number + 1) % changes.len();
                percolator.apply([changes[number]]);
            });
        });
    }
    group.bench_function(BenchmarkId::new("change", "all"), |bencher| {
        bencher.iter(|| black_box(compiled(&all)))
    });
    group.finish();
}

criterion_group!(benches, filters);
criterion_main!(benches);
