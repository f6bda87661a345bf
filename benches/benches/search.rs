//! Search through the index beside tantivy used directly: the same documents, words and stemming.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dateline_engine::{CollectionOptions, Condition, DocId, Durability, Options, Store, Transaction};
use dateline_index::{DefaultOperator, Language, Mapping, SearchIndex, SearchOptions, SearchRequest};
use serde_json::json;
use tantivy::collector::{Count, TopDocs};
use tantivy::query::QueryParser;
use tantivy::schema::{IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value};
use tantivy::{Index, TantivyDocument};

const DOCUMENTS: usize = 50_000;
const PER_COMMIT: usize = 1_000;
/// Words a document has.
const WORDS: usize = 40;

/// Words by Zipf's law: the n-th is n times rarer than the first.
fn word(random: u64) -> String {
    const VOCABULARY: f64 = 20_000.0;
    let unit = (random >> 11) as f64 / (1_u64 << 53) as f64;
    let rank = VOCABULARY.powf(unit).floor();
    format!("word{rank}")
}

fn text(number: usize) -> String {
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let words = (0..WORDS).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word(state)
    });
    words.collect::<Vec<_>>().join(" ")
}

fn ours(dir: &std::path::Path) -> (Store, SearchIndex) {
    let store = Store::open(&dir.join("store"), Options::new()).expect("the store opens");
    let collection = store.ensure_collection("notes", CollectionOptions::default()).expect("defined");
    for start in (0..DOCUMENTS).step_by(PER_COMMIT) {
        let batch =
            (start..start + PER_COMMIT).fold(Transaction::new(Durability::Buffered), |batch, number| {
                let id = DocId::new(format!("note-{number}")).expect("an id");
                batch.put(collection, id, Condition::Absent, json!({"text": text(number)}).to_string())
            });
        store.commit(batch).expect("committed");
    }
    let english = Language::from_code("en").expect("a language");
    let options = SearchOptions::new(vec![("notes".to_owned(), Mapping::derived(english))]);
    let index = SearchIndex::open(&store, &dir.join("index"), options).expect("the index opens");
    let last = store.watermark().applied().seq;
    assert!(index.wait_visible(last, Duration::from_secs(120)), "everything is indexed");
    (store, index)
}

/// Tantivy with one stored key and one stemmed text field.
struct Direct {
    parser: QueryParser,
    reader: tantivy::IndexReader,
    key: tantivy::schema::Field,
}

impl Direct {
    fn new(dir: &std::path::Path) -> Self {
        let mut schema = Schema::builder();
        let key = schema.add_text_field("key", STRING | STORED);
        let indexing = TextFieldIndexing::default()
            .set_tokenizer("en_stem")
            .set_index_option(IndexRecordOption::WithFreqsAndPositions);
        let all = schema.add_text_field("all", TextOptions::default().set_indexing_options(indexing));
        std::fs::create_dir_all(dir).expect("a directory");
        let index = Index::create_in_dir(dir, schema.build()).expect("an index");
        let mut writer = index.writer(64 << 20).expect("a writer");
        for number in 0..DOCUMENTS {
            let mut document = TantivyDocument::new();
            document.add_text(key, format!("note-{number}"));
            document.add_text(all, text(number));
            writer.add_document(document).expect("added");
        }
        writer.commit().expect("committed");
        let mut parser = QueryParser::for_index(&index, vec![all]);
        parser.set_conjunction_by_default();
        let reader = index.reader().expect("a reader");
        Self { parser, reader, key }
    }

    fn search(&self, q: &str) -> (Vec<String>, usize) {
        let query = self.parser.parse_query(q).expect("a query");
        let searcher = self.reader.searcher();
        let collector = (TopDocs::with_limit(10).order_by_score(), Count);
        let (top, total) = searcher.search(&query, &collector).expect("an answer");
        let keys = top.into_iter().map(|(_, address)| {
            let document: TantivyDocument = searcher.doc(address).expect("a document");
            document.get_first(self.key).and_then(|key| key.as_str().map(str::to_owned)).expect("a key")
        });
        (keys.collect(), total)
    }
}

fn search(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let (_store, index) = ours(dir.path());
    let direct = Direct::new(&dir.path().join("direct"));
    let mut group = criterion.benchmark_group("search");
    group.throughput(Throughput::Elements(1));
    for (case, q) in
        [("rare", "word9999"), ("common", "word3"), ("two", "word20 word40"), ("phrase", "\"word1 word2\"")]
    {
        let request = SearchRequest {
            collection: "notes".to_owned(),
            q: q.to_owned(),
            default_operator: DefaultOperator::And,
            offset: 0,
            limit: 10,
            min_seq: None,
            deadline: Duration::from_secs(5),
        };
        let (keys, total) = direct.search(q);
        let answer = index.search(&request).expect("an answer");
        assert_eq!(
            (answer.hits.len(), answer.total as usize),
            (keys.len(), total),
            "both find the same for {q}"
        );
        group.bench_function(BenchmarkId::new("dateline", case), |bencher| {
            bencher.iter(|| black_box(index.search(&request).expect("an answer")));
        });
        group.bench_function(BenchmarkId::new("tantivy", case), |bencher| {
            bencher.iter(|| black_box(direct.search(q)));
        });
    }
    group.finish();
}

criterion_group!(benches, search);
criterion_main!(benches);
