//! What ads, lists and movements do to standing lists.

use std::collections::BTreeSet;
use std::sync::Arc;

use dateline_engine::DocId;

use super::Shard;
use crate::ad::Ad;
use crate::adlist::{AdList, Scope};
use crate::event::{Kind, Reason};
use crate::matcher;
use crate::nearby::Nearby;
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
            Some(ad) => self.ads.insert(id, Arc::clone(ad)),
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
            if let Some(ad) = live.filter(|ad| matcher::attributes_fit(&list, ad)) {
                self.lists.note(&list_id, id, ad);
            }
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
            self.lists.insert(id, Arc::clone(list));
            members.iter().for_each(|ad| self.lists.set_member(id, ad, true));
            self.settle_list(id, Reason::Changed, Some(teller));
        } else {
            self.lists.insert(id, Arc::clone(list));
            self.settle_list(id, Reason::Changed, existed.then_some(teller));
        }
    }

    pub(super) fn insert_list(&mut self, id: &DocId, list: Arc<AdList>) {
        self.lists.insert(id, list);
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
        self.anchor(id, &list, here);
        let Some(held) = self.lists.get(id) else { return };
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

    /// The device of a list around it has moved: looks at the ring, or anchors the list anew.
    pub(super) fn follow(&mut self, id: &DocId, here: Point, teller: &mut Teller) {
        let Some(held) = self.lists.get(id) else { return };
        let list = Arc::clone(&held.list);
        let Some(nearby) = &held.nearby else { return self.settle_list(id, Reason::UpdatePos, Some(teller)) };
        let left_m = nearby.left_m(here);
        let mut concerned: BTreeSet<DocId> = nearby.ring().iter().cloned().collect();
        if left_m < 0.0 {
            // What was not in the ring is on the side of the radius that it was on at the anchor.
            let (radius_m, moved_m) = (nearby.radius_m(), nearby.anchor().distance_m(here));
            let band = (radius_m - moved_m, radius_m + moved_m);
            let changed = self.ads.between(here, band, &list.categories).into_iter();
            concerned.extend(changed.map(|(ad, _)| ad.clone()));
            self.anchor(id, &list, Some(here));
        }
        for ad in concerned {
            let is = self.ads.get(&ad).is_some_and(|shown| matcher::is_match(&list, shown, Some(here)));
            let was = self.lists.get(id).is_some_and(|held| held.members.contains(&ad));
            if was != is {
                self.lists.set_member(id, &ad, is);
                let kind = if is { Kind::Enter } else { Kind::Exit };
                let distance_m = self.distance_to(&list, &ad, Some(here));
                teller.tell_match(id, &list, &ad, distance_m, kind, Reason::UpdatePos);
            }
        }
    }

    /// Makes the place of its device the anchor of a list, with the ring around it.
    fn anchor(&mut self, id: &DocId, list: &AdList, here: Option<Point>) {
        let (Scope::Around { radius_m }, Some(here)) = (&list.scope, here) else {
            return self.lists.watch(id, None);
        };
        let before = self.lists.get(id).and_then(|held| held.nearby.as_ref());
        let mut nearby = Nearby::new(here, *radius_m, before);
        for (ad_id, ad) in self.ads.between(here, nearby.band_m(), &list.categories) {
            if matcher::attributes_fit(list, ad) {
                nearby.note(ad_id, ad.location.distance_m(here));
            }
        }
        self.lists.watch(id, Some(nearby));
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
