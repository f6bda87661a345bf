//! Documents of a resource by place: nearest first or by id, as many as are wanted, from wherever they are kept.

use std::sync::Arc;

use dateline_engine::{DocId, ErrorKind};
use dateline_geo::{After, Footprint, Within};
use serde_json::Value;

use crate::app::App;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Params, Sort, SortKey};
use crate::places::devices::devices_after;
use crate::resources::{Resource, Sight};

/// A part of the earth, and what keeps the places of a resource.
pub(crate) struct Placed {
    app: App,
    resource: Arc<Resource>,
    within: Within,
    owner: Option<String>,
}

/// A document that was found, with its distance where there is one.
pub(crate) type Hit = (DocId, Option<f64>);

impl Placed {
    /// # Errors
    /// 400 for a resource whose documents have no places.
    pub(crate) fn new(
        app: &App,
        resource: &Arc<Resource>,
        sight: &Sight,
        within: Within,
    ) -> Result<Self, Problem> {
        if !has_places(resource) {
            let detail = format!("'{}' declares no 'geo' member", resource.name);
            return Err(Problem::query("near", detail));
        }
        let owner = sight.owner().map(str::to_owned);
        Ok(Self { app: app.clone(), resource: Arc::clone(resource), within, owner })
    }

    /// The order in which documents are found, as a list names it.
    pub(crate) fn sort(within: &Within) -> Result<Sort, Problem> {
        if within.is_ordered() { Sort::parse("distance_m") } else { Ok(Sort::by_id()) }
    }

    /// Whether documents come nearest first.
    pub(crate) fn is_ordered(&self) -> bool {
        self.within.is_ordered()
    }

    /// Some more after `after`; fewer than `limit` are the last.
    pub(crate) fn more(&self, after: Option<&After>, limit: usize) -> Result<Vec<Hit>, Problem> {
        let geo = self.app.geo();
        match self.resource.name.as_str() {
            "ads" => {
                let hits = geo.ads_after(&self.within, after, limit)?;
                Ok(hits.into_iter().map(|hit| (hit.ad, hit.distance_m)).collect())
            }
            "devices" => {
                let hits = devices_after(&self.app, self.owner.as_deref(), &self.within, after, limit)?;
                Ok(hits.into_iter().map(|hit| (hit.fix.device, hit.distance_m)).collect())
            }
            _ => self.in_the_atlas(after, limit),
        }
    }

    fn in_the_atlas(&self, after: Option<&After>, limit: usize) -> Result<Vec<Hit>, Problem> {
        let (resource, collection) = (&self.resource, self.resource.collection);
        let reading = resource.geo.join(" ");
        let footprints = |body: &Value| footprints(resource, body);
        let found = self.app.atlas().find(
            self.app.store(),
            (collection, &reading),
            &footprints,
            &self.within,
            after,
            limit,
        );
        found.map_err(over_budget)
    }

    /// The distance of a document that lies in the part, by its body.
    pub(crate) fn of_body(&self, id: &str, body: &Value) -> Result<Option<Option<f64>>, Problem> {
        if self.resource.name == "devices" {
            let fix = self.app.geo().device(id)?.filter(|fix| self.within.holds(fix.point));
            return Ok(fix.map(|fix| self.within.point_distance_m(fix.point)));
        }
        if self.resource.name == "ads" && body.get("active") == Some(&Value::Bool(false)) {
            return Ok(None);
        }
        Ok(self.within.meets_any(&footprints(&self.resource, body)))
    }
}

/// Whether documents of a resource can be asked for by place.
pub(crate) fn has_places(resource: &Resource) -> bool {
    !resource.geo.is_empty() || matches!(resource.name.as_str(), "ads" | "devices" | "fences")
}

fn footprints(resource: &Resource, body: &Value) -> Vec<Footprint> {
    match resource.name.as_str() {
        "fences" => Footprint::of_fence(body).into_iter().collect(),
        _ => resource.shapes(body).into_iter().map(Footprint::from).collect(),
    }
}

/// A bound of the geo crate that only another question stays below.
pub(crate) fn over_budget(error: dateline_engine::Error) -> Problem {
    match error.kind() {
        ErrorKind::Busy => Problem::new(Slug::PlanOverBudget, error.to_string()),
        _ => error.into(),
    }
}

/// Where a page that ended with this key goes on.
pub(crate) fn after(key: &SortKey) -> Option<After> {
    let distance_m = key.values(&[0]).next().flatten().and_then(Value::as_f64);
    Some(After { distance_m, id: DocId::new(key.id()).ok()? })
}

/// Whether a list that is asked for by place comes in the order of places.
pub(crate) fn orders(params: &Params) -> bool {
    let is_empty = |name: &str| params.get(name).is_none_or(|text| text.trim().is_empty());
    is_empty("sort") && is_empty("q")
}
