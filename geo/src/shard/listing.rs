//! What ads, lists and movements do to standing lists.

use std::collections::BTreeSet;
use std::sync::Arc;

use dateline_engine::DocId;

use super::Shard;
use crate::ad::Ad;
use crate::adlist::{AdList, Scope};
use crate::event::{Kind, Reason};
use crate::matcher;
use crate::point::Point;
use crate::region::Circle;
use crate::teller::Teller;

impl Shard {
    pub(super) fn apply_ad(
        &mut self,
        id: &DocId,
        live: Option<&Arc<Ad>>,
        ended: Reason,
        teller: &mut Teller,
    ) {
        let before = match live {
            Some(ad) => {
                let before = self.ads.remove(id);
                self.ads.insert(id, Arc::clone(ad));
                before
            }
            None => self.ads.remove(id),
        };
        let Some(shown) = live.or(before.as_ref()).cloned() else { return };
        let entered = if before.is_some() { Reason::Changed } else { Reason::NewAd };
        let left = if live.is_some() { Reason::Changed } else { ended };
        let mut lists: BTreeSet<DocId> = self.lists.holding(id).cloned().collect();
        lists.extend(live.map(|ad| self.lists.candidates(ad)).unwrap_or_default());
        for list_id in lists {
            let Some(held) = self.lists.get(&list_id) else { continue };
            let list = Arc::clone(&held.list);
            let here = self.here(&list);
            let (was, is) =
                (held.members.contains(id), live.is_some_and(|ad| matcher::is_match(&list, ad, here)));
            if was != is {
                self.lists.set_member(&list_id, id, is);
                let (kind, reason) = if is { (Kind::Enter, entered) } else { (Kind::Exit, left) };
                let distance_m = matcher::distance_m(&list, &shown, here);
                teller.tell_match(&list_id, &list, id, distance_m, kind, reason);
            }
        }
    }

    pub(super) fn apply_list(
        &mut self,
        id: &DocId,
        live: Option<&Arc<AdList>>,
        existed: bool,
        ended: Reason,
        teller: &mut Teller,
    ) {
        let live = live.filter(|list| list.active);
        let own = live.filter(|list| self.place.owns_list(list));
        let held = self.lists.get(id).map(|held| Arc::clone(&held.list));
        let same_owner = held.as_ref().zip(own).is_some_and(|(held, list)| held.owner() == list.owner());
        if held.is_some() && !same_owner {
            let reason = if live.is_some() { Reason::Changed } else { ended };
            self.drop_list(id, reason, teller);
        }
        let Some(list) = own else { return };
        if same_owner {
            // Members stay; what the new query thinks of each is settled below.
            let members = self.lists.remove(id).map(|held| held.members).unwrap_or_default();
            let here = self.here(list);
            self.lists.insert(id, Arc::clone(list), here);
            members.iter().for_each(|ad| self.lists.set_member(id, ad, true));
            self.settle_list(id, Reason::Changed, Some(teller));
        } else {
            let here = self.here(list);
            self.lists.insert(id, Arc::clone(list), here);
            self.settle_list(id, Reason::Changed, existed.then_some(teller));
        }
    }

    pub(super) fn insert_list(&mut self, id: &DocId, list: Arc<AdList>) {
        let here = self.here(&list);
        self.lists.insert(id, list, here);
        self.settle_list(id, Reason::Changed, None);
    }

    fn drop_list(&mut self, id: &DocId, reason: Reason, teller: &mut Teller) {
        let Some(held) = self.lists.remove(id) else { return };
        let here = self.here(&held.list);
        for ad in &held.members {
            let distance_m = self.distance_to(&held.list, ad, here);
            teller.tell_match(id, &held.list, ad, distance_m, Kind::Exit, reason);
        }
    }

    /// Makes the members what they must be; tells the differences if somebody listens.
    pub(super) fn settle_list(&mut self, id: &DocId, reason: Reason, mut teller: Option<&mut Teller>) {
        let Some(held) = self.lists.get(id) else { return };
        let list = Arc::clone(&held.list);
        let here = self.here(&list);
        let after = self.matching(&list, here);
        let left = held.members.difference(&after).map(|ad| (ad.clone(), Kind::Exit));
        let came = after.difference(&held.members).map(|ad| (ad.clone(), Kind::Enter));
        let changed: Vec<(DocId, Kind)> = left.chain(came).collect();
        for (ad, kind) in changed {
            self.lists.set_member(id, &ad, kind == Kind::Enter);
            if let Some(teller) = teller.as_deref_mut() {
                let distance_m = self.distance_to(&list, &ad, here);
                teller.tell_match(id, &list, &ad, distance_m, kind, reason);
            }
        }
    }

    /// The ads that match a list now.
    fn matching(&self, list: &AdList, here: Option<Point>) -> BTreeSet<DocId> {
        let caps = match (&list.scope, here) {
            (Scope::Around { radius_m }, Some(here)) => vec![Circle::new(here, *radius_m).cap()],
            (Scope::Around { .. }, None) => Vec::new(),
            (Scope::Fixed(region), _) => region.caps(),
        };
        let candidates = self.ads.candidates(&caps, &list.categories).into_iter();
        candidates.filter(|(_, ad)| matcher::is_match(list, ad, here)).map(|(id, _)| id.clone()).collect()
    }

    /// Where the device of a list is, if it has one that was seen.
    pub(crate) fn here(&self, list: &AdList) -> Option<Point> {
        self.devices.get(list.device.as_deref()?).map(|device| device.fix.point)
    }

    pub(super) fn distance_to(&self, list: &AdList, ad: &DocId, here: Option<Point>) -> Option<f64> {
        self.ads.get(ad).and_then(|shown| matcher::distance_m(list, shown, here))
    }
}
