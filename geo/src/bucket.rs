//! The lists posted in one place: one cell, one category.
//!
//! A crowded bucket is split by keywords: a list that wants words stands under one of them, the one that fewest others
//! stand under, and an ad asks only for the words it has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use dateline_engine::DocId;

use crate::ad::Ad;
use crate::adlist::AdList;

/// A bucket with more lists is split.
const CROWD: usize = 64;

type Listed = BTreeMap<DocId, Arc<AdList>>;

#[derive(Default)]
pub(crate) struct Bucket {
    /// Of a split bucket, those that want no words.
    plain: Listed,
    by_word: HashMap<Box<str>, Listed>,
    is_split: bool,
}

impl Bucket {
    pub(crate) fn insert(&mut self, id: &DocId, list: &Arc<AdList>) {
        if !self.is_split {
            self.plain.insert(id.clone(), Arc::clone(list));
            if self.plain.len() > CROWD {
                self.is_split = true;
                let crowd = std::mem::take(&mut self.plain);
                crowd.iter().for_each(|(id, list)| self.insert(id, list));
            }
            return;
        }
        let crowd = |word: &&str| self.by_word.get(*word).map_or(0, BTreeMap::len);
        let word: Option<Box<str>> = list.keywords.wanted().min_by_key(crowd).map(Box::from);
        let listed = match word {
            Some(word) => self.by_word.entry(word).or_default(),
            None => &mut self.plain,
        };
        listed.insert(id.clone(), Arc::clone(list));
    }

    /// `list` must be what was inserted.
    pub(crate) fn remove(&mut self, id: &DocId, list: &AdList) {
        if self.plain.remove(id).is_some() {
            return;
        }
        for word in list.keywords.wanted() {
            let Some(listed) = self.by_word.get_mut(word) else { continue };
            if listed.remove(id).is_some() {
                if listed.is_empty() {
                    self.by_word.remove(word);
                }
                return;
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.by_word.is_empty()
    }

    /// Lists that may want the ad; misses none that does.
    pub(crate) fn candidates<'a>(&'a self, ad: &'a Ad) -> impl Iterator<Item = &'a DocId> {
        let words = ad.words.distinct().filter(|_| self.is_split);
        self.plain.keys().chain(words.filter_map(|word| self.by_word.get(word)).flat_map(BTreeMap::keys))
    }

    /// All of them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &DocId> {
        self.plain.keys().chain(self.by_word.values().flat_map(BTreeMap::keys))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::matcher;

    #[test]
    fn a_split_bucket_misses_nothing() {
        let queries = ["", "red", "red bike", "-red", "\"red bike\"", "blue -bike", "boat"];
        let ads = ["red bike", "blue boat", "bike red", "nothing", ""];
        let mut bucket = Bucket::default();
        let list = |n: usize| {
            let area = json!({"circle": {"center": [0, 0], "radius_m": 1}});
            let body = json!({"user": "u", "area": area, "q": queries[n % queries.len()]});
            (DocId::new(format!("l{n:03}")).unwrap(), Arc::new(AdList::parse(&body).unwrap()))
        };
        let check = |bucket: &Bucket, there: std::ops::Range<usize>| {
            for title in ads {
                let ad = Ad::parse(&json!({"title": title, "coords": [0, 0]})).unwrap();
                let found: Vec<&DocId> = bucket.candidates(&ad).collect();
                for (id, list) in there.clone().map(list) {
                    assert!(!matcher::is_match(&list, &ad, None) || found.contains(&&id), "{title}: {id}");
                }
                assert!(found.len() <= there.len());
            }
            assert_eq!(bucket.ids().count(), there.len());
        };
        for n in 0..200 {
            let (id, list) = list(n);
            bucket.insert(&id, &list);
            if n % 32 == 0 {
                check(&bucket, 0..n + 1);
            }
        }
        assert!(bucket.is_split);
        let ad = Ad::parse(&json!({"title": "boat", "coords": [0, 0]})).unwrap();
        assert!(bucket.candidates(&ad).count() < 120);
        for n in 0..200 {
            let (id, list) = list(n);
            bucket.remove(&id, &list);
            if n % 32 == 0 {
                check(&bucket, n + 1..200);
            }
        }
        assert!(bucket.is_empty());
    }
}
