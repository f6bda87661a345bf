//! One document as an index of its own, for queries that stand and wait for documents.
//!
//! A standing query is read, compiled and asked as any search is, so it holds of a document exactly when a search over
//! that document would find it. A sheet is made once for a document, however many queries are asked of it.

use dateline_engine::{CollectionId, DocId, Document, Epoch, Error, Millis, Result, Seq};
use serde_json::Value as Json;
use tantivy::collector::Count;
use tantivy::directory::RamDirectory;
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};
use tantivy::{Index, IndexReader, ReloadPolicy, Searcher};

use crate::address::AddressTokenizer;
use crate::compile::Compiler;
use crate::document::Composer;
use crate::fault;
use crate::mapping::Mapping;
use crate::query::{self, DefaultOperator, Node};
use crate::schema::{ADDRESS, Fields, schema};

/// Memory for the words of one document while they are gathered.
const MEMORY_BYTES: usize = 15_000_000;
/// Every sheet is of one collection that no store has.
const COLLECTION: CollectionId = CollectionId::new(1);

/// A query that stands and waits for documents.
#[derive(Clone, Debug)]
pub struct StandingQuery(Node);

impl StandingQuery {
    /// Reads a query in the language of searches.
    ///
    /// # Errors
    /// `Invalid` with the position of what is wrong, also for a field that the mapping does not have.
    pub fn parse(mapping: &Mapping, text: &str) -> Result<Self> {
        let node = query::parse(text, DefaultOperator::And)?;
        let sheet = Sheet::of(mapping, &Json::Object(serde_json::Map::new()))?;
        sheet.compiler(mapping).compile(&node)?;
        Ok(Self(node))
    }
}

/// A document that queries are asked of.
pub struct Sheet {
    searcher: Searcher,
    fields: Fields,
}

impl Sheet {
    /// Makes the index of one document. Takes in the order of a millisecond.
    ///
    /// # Errors
    /// `Invalid` for a body that is no object; `Internal` when the index cannot be made.
    pub fn of(mapping: &Mapping, body: &Json) -> Result<Self> {
        if !body.is_object() {
            return Err(Error::invalid("a document is a JSON object"));
        }
        let (schema, fields) = schema();
        let tokenizers = TokenizerManager::default();
        tokenizers.register(ADDRESS, TextAnalyzer::from(AddressTokenizer::new()));
        let builder = Index::builder().schema(schema).tokenizers(tokenizers);
        let broken = |error| fault::tantivy("index one document")(error);
        let mut writer =
            builder.single_segment_index_writer(RamDirectory::create(), MEMORY_BYTES).map_err(broken)?;
        let (document, _) = Composer { fields, mapping }.compose(&document(body)?);
        writer.add_document(document).map_err(broken)?;
        let index = writer.finalize().map_err(broken)?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual);
        let reader: IndexReader = reader.try_into().map_err(broken)?;
        Ok(Self { searcher: reader.searcher(), fields })
    }

    /// Whether a search with this query would find the document.
    ///
    /// # Errors
    /// `Internal` when the index cannot be read.
    pub fn is_found_by(&self, mapping: &Mapping, query: &StandingQuery) -> Result<bool> {
        let query = self.compiler(mapping).compile(&query.0)?;
        let found = self.searcher.search(&*query, &Count).map_err(fault::tantivy("search one document"))?;
        Ok(found > 0)
    }

    fn compiler<'a>(&'a self, mapping: &'a Mapping) -> Compiler<'a> {
        Compiler { fields: self.fields, collection: COLLECTION, mapping, searcher: &self.searcher }
    }
}

/// A version that no store has.
fn document(body: &Json) -> Result<Document> {
    Ok(Document {
        collection: COLLECTION,
        id: DocId::new("sheet")?,
        seq: Seq::new(1),
        prev_seq: Seq::ZERO,
        epoch: Epoch::new(1),
        created: Millis::ZERO,
        updated: Millis::ZERO,
        expires: None,
        schema: 0,
        upgraded: false,
        deleted: false,
        body: body.to_string().into(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Language;

    #[test]
    fn a_query_holds_of_what_a_search_would_find() {
        let mapping = Mapping::derived(Language::from_code("en").unwrap());
        let body = json!({
            "headline": "Bridges open in Oslo", "urgency": 2, "subject": [{"qcode": "04", "name": "economy"}],
            "body_html": "The quick brown fox.",
        });
        let sheet = Sheet::of(&mapping, &body).unwrap();
        let check = |query: &str, expected: bool| {
            let standing = StandingQuery::parse(&mapping, query).unwrap();
            assert_eq!(sheet.is_found_by(&mapping, &standing).unwrap(), expected, "{query}");
        };
        check("", true);
        check("bridge", true);
        check("bridge tunnel", false);
        check("bridge OR tunnel", true);
        check("headline:oslo -headline:bergen", true);
        check("body_html:oslo", false);
        check("\"quick brown\"", true);
        check("\"brown quick\"", false);
        check("urgency:[1 TO 3]", true);
        check("urgency:>2", false);
        check("subject.qcode:04 NOT fox", false);
        check("bri*", true);
        check("slugline:*", false);
        assert!(StandingQuery::parse(&mapping, "headline:(").is_err());
    }
}
