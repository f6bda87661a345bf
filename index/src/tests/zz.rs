use std::time::Instant;
use serde_json::json;
use dateline_engine::{Condition, DocId, Durability, Transaction};
use tantivy::collector::{Count, TopDocs};
use tantivy::schema::{Schema, TEXT, STRING, STORED, FAST};
use tantivy::{Index, IndexWriter, TantivyDocument};
use super::world::{LONG, Random, World};

#[test]
fn zz_speed() {
    let n = 200_000;
    let mut random = Random::new("zz");
    let words: Vec<String> = (0..20_000).map(|n| format!("word{n}")).collect();
    let mut pick = || { let r = random.below(1_000_000) as f64 / 1e6; words[((r * r * r) * 20_000.0) as usize].clone() };
    let bodies: Vec<(String, String)> = (0..n).map(|_| {
        let title = (0..5).map(|_| pick()).collect::<Vec<_>>().join(" ");
        let text = (0..30).map(|_| pick()).collect::<Vec<_>>().join(" ");
        (title, text)
    }).collect();
    let home = tempfile::tempdir().unwrap(); let world = World::over(dateline_engine::Store::open(home.path(), dateline_engine::Options::new()).unwrap());
    let c = world.define("c", &json!({"language":"none","fields":{"title":{"type":"text"},"text":{"type":"text"},"price":{"type":"number"}}}));
    let t = Instant::now();
    for (chunk, part) in bodies.chunks(500).enumerate() {
        let mut tx = Transaction::new(Durability::Buffered);
        for (i, (title, text)) in part.iter().enumerate() {
            let id = DocId::new(format!("d{}", chunk * 500 + i)).unwrap();
            tx = tx.put(c, id, Condition::Always, json!({"title": title, "text": text, "price": i}).to_string());
        }
        world.store.commit(tx).unwrap();
    }
    println!("put {:?}", t.elapsed());
    assert!(world.index().wait_visible(world.head(), LONG * 10));
    println!("indexed {:?} {:?}", t.elapsed(), world.index().figures());
    let t = Instant::now();
    world.index().rebuild().unwrap();
    println!("rebuilt {:?} {:?}", t.elapsed(), world.index().figures());
    // direct
    let dir = tempfile::tempdir().unwrap();
    let mut b = Schema::builder();
    let key = b.add_text_field("key", STRING | STORED);
    let title = b.add_text_field("title", TEXT);
    let text = b.add_text_field("text", TEXT);
    let price = b.add_u64_field("price", FAST);
    let index = Index::create_in_dir(dir.path(), b.build()).unwrap();
    let mut w: IndexWriter = index.writer_with_num_threads(2, 30_000_000).unwrap();
    let t = Instant::now();
    for (i, body) in bodies.iter().enumerate() {
        let mut d = TantivyDocument::new();
        d.add_text(key, format!("d{i}")); d.add_text(title, &body.0); d.add_text(text, &body.1); d.add_u64(price, i as u64 % 500);
        w.add_document(d).unwrap();
    }
    w.commit().unwrap();
    println!("direct {:?}", t.elapsed());
    let reader = index.reader().unwrap();
    let searcher = reader.searcher();
    let parser = tantivy::query::QueryParser::for_index(&index, vec![title, text]);
    for q in ["word5", "word5 word9", "word5 OR word9", "title:word7", "\"word1 word2\"", "price:[10 TO 20]", "word5 price:[10 TO 20]", "word1234"] {
        let mut request = world.request("c", q); request.limit = 25;
        let dq = if q.contains(" OR ") { q.to_owned() } else { q.replace(" TO ", "~").replace(' ', " AND ").replace('~', " TO ") };
        let dq = if q.starts_with('"') { q.to_owned() } else { dq };
        let query = parser.parse_query(&dq).unwrap();
        let (mut total, mut dtotal) = (0, 0);
        for _ in 0..20 { world.index().search(&request).unwrap(); }
        let t = Instant::now();
        for _ in 0..100 { total = world.index().search(&request).unwrap().total; }
        let ours = t.elapsed() / 100;
        let t = Instant::now();
        for _ in 0..100 {
            let (top, count) = searcher.search(&query, &(TopDocs::with_limit(25).order_by_score(), Count)).unwrap();
            for (_, a) in &top { let _d: TantivyDocument = searcher.doc(*a).unwrap(); }
            dtotal = count;
        }
        println!("{q}: ours {ours:?} ({total}) direct {:?} ({dtotal}) segments {}", t.elapsed() / 100, searcher.segment_readers().len());
    }
}
