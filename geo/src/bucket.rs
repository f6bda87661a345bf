//! The lists posted in one place: one cell, one category.
//!
//! A crowded bucket is split by keywords: a list that wants words stands under one of them, the one that fewest others
//! stand under, and an ad asks only for the words it has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use dateline_engine::DocId;

use crate::ad::Ad;
use crate::adlist::AdList;
use crate::point::Point;

/// A bucket with more lists is split.
const CROWD: usize = 64;
/// Added to distances against rounding, in metres.
const SLACK_M: f64 = 0.1;

type Listed = BTreeMap<DocId, Reach>;

/// Most buckets hold one list, and there are as many as lists.
pub(crate) enum Bucket {
    Few(Vec<Posted>),
    Split(Box<Split>),
}

pub(crate) struct Posted {
    id: DocId,
    list: Arc<AdList>,
    reach: Reach,
}

/// Where the ads are that a list may want or has to keep an eye on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(crate) anchor: Point,
    pub(crate) reach_m: f64,
}

#[derive(Default)]
pub(crate) struct Split {
    /// Those that want no words.
    plain: Listed,
    by_word: HashMap<Box<str>, Listed>,
}

impl Default for Bucket {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Bucket {
    /// Adds a list that is not there.
    pub(crate) fn insert(&mut self, id: &DocId, list: &Arc<AdList>, reach: Reach) {
        match self {
            Self::Few(lists) if lists.len() < CROWD => {
                if lists.len() == lists.capacity() {
                    lists.reserve_exact(lists.len() / 4 + 1);
                }
                lists.push(Posted { id: id.clone(), list: Arc::clone(list), reach });
            }
            Self::Few(lists) => {
                let mut split = Split::default();
                lists.iter().for_each(|posted| split.insert(&posted.id, &posted.list, posted.reach));
                split.insert(id, list, reach);
                *self = Self::Split(Box::new(split));
            }
            Self::Split(split) => split.insert(id, list, reach),
        }
    }

    /// `list` must be what was inserted.
    pub(crate) fn remove(&mut self, id: &DocId, list: &AdList) {
        match self {
            Self::Few(lists) => {
                if let Some(place) = lists.iter().position(|posted| posted.id == *id) {
                    lists.swap_remove(place);
                }
            }
            Self::Split(split) => split.remove(id, list),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(lists) => lists.is_empty(),
            Self::Split(split) => split.plain.is_empty() && split.by_word.is_empty(),
        }
    }

    /// Lists that may want the ad if it is within their reach; misses none that does.
    pub(crate) fn candidates<'a>(&'a self, ad: &'a Ad) -> impl Iterator<Item = (&'a DocId, &'a Reach)> {
        let (few, split) = self.parts();
        few.iter().map(|posted| (&posted.id, &posted.reach)).chain(split.into_iter().flat_map(|split| {
            let words = ad.words.distinct().filter_map(|word| split.by_word.get(word));
            split.plain.iter().chain(words.flatten())
        }))
    }

    /// All of them.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &DocId> {
        let (few, split) = self.parts();
        let split = split.into_iter();
        few.iter().map(|posted| &posted.id).chain(
            split.flat_map(|split| split.plain.keys().chain(split.by_word.values().flat_map(BTreeMap::keys))),
        )
    }

    fn parts(&self) -> (&[Posted], Option<&Split>) {
        match self {
            Self::Few(lists) => (lists, None),
            Self::Split(split) => (&[], Some(split)),
        }
    }
}

impl Reach {
    pub(crate) fn holds(&self, ad: &Ad) -> bool {
        ad.location.distance_m(self.anchor) <= self.reach_m + SLACK_M
    }
}

impl Split {
    fn insert(&mut self, id: &DocId, list: &AdList, reach: Reach) {
        let crowd = |word: &&str| self.by_word.get(*word).map_or(0, BTreeMap::len);
        let word: Option<Box<str>> = list.keywords.wanted().min_by_key(crowd).map(Box::from);
        let listed = match word {
            Some(word) => self.by_word.entry(word).or_default(),
            None => &mut self.plain,
        };
        listed.insert(id.clone(), reach);
    }

    fn remove(&mut self, id: &DocId, list: &AdList) {
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
                let found: Vec<&DocId> = bucket.candidates(&ad).map(|(id, _)| id).collect();
                for (id, list) in there.clone().map(list) {
                    assert!(!matcher::is_match(&list, &ad, None) || found.contains(&&id), "{title}: {id}");
                }
                assert!(found.len() <= there.len());
            }
            assert_eq!(bucket.ids().count(), there.len());
        };
        let reach = Reach { anchor: Point::new(0.0, 0.0).unwrap(), reach_m: 1.0 };
        for n in 0..200 {
            let (id, list) = list(n);
            bucket.insert(&id, &list, reach);
            if n % 32 == 0 {
                check(&bucket, 0..n + 1);
            }
        }
        assert!(matches!(bucket, Bucket::Split(_)));
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
