//! Where devices are: asked for one by one or by place.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use dateline_geo::{After, DeviceHit, Within};
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Principal;
use crate::auth::policy::Action;
use crate::eve::problem::{Problem, Slug};
use crate::eve::{Links, ListMeta, ListQuery, ListWriter, PageRequest, Params};
use crate::http::Answer;
use crate::places::answers::ask;
use crate::places::devices::{devices_after, last_fix};
use crate::places::geojson;
use crate::resources::placed::{self, Placed};
use crate::resources::target::Id;
use crate::resources::{Query, Sight, answer, within};

/// Devices in one answer without `max_results`.
const DEVICES_USUAL: usize = 1_000;
/// Devices in one answer at the most.
const DEVICES_MAX: usize = 10_000;
/// Devices that one question looks at.
const LOOKED_MAX: usize = 100_000;
/// Devices asked for at first; each further time four times as many.
const STEP_FIRST: usize = 256;

/// `GET /api/positions/{device}`.
pub(crate) async fn one(
    State(app): State<App>,
    principal: Principal,
    Id(device): Id,
    headers: HeaderMap,
) -> Answer {
    let sight = Sight::of(&principal, Action::Read, "positions")?;
    let as_geojson = geojson::is_wanted(&headers);
    ask(&app, move |app| {
        let fix = last_fix(app, &sight, &principal, &device)?;
        Ok(match as_geojson {
            true => geojson::answer(&geojson::feature(&fix, None)),
            false => answer::json_bytes(fix.to_json().to_string().into_bytes()),
        })
    })
    .await
}

/// `GET /api/positions?near=|bbox=|polygon=|tile=|along=`, with `where`, in pages.
pub(crate) async fn list(
    State(app): State<App>,
    principal: Principal,
    Query(params): Query,
    headers: HeaderMap,
) -> Answer {
    let sight = Sight::of(&principal, Action::Read, "positions")?;
    let as_geojson = geojson::is_wanted(&headers);
    let question = Question::read(&app, &params)?;
    ask(&app, move |app| {
        let found = question.page(app, &sight)?;
        Ok(render(app, &params, &found, as_geojson))
    })
    .await
}

/// Devices of one page.
pub(crate) struct DevicePage {
    pub(crate) hits: Vec<DeviceHit>,
    /// How many there are on all pages, if it is known.
    pub(crate) total: Option<u64>,
    /// The cursor of the next page, if there is one.
    pub(crate) next: Option<String>,
    limit: usize,
}

fn render(app: &App, params: &Params, found: &DevicePage, as_geojson: bool) -> Response {
    let cursor = params.get("cursor").filter(|cursor| !cursor.is_empty()).map(str::to_owned);
    let page = PageRequest { page: 1, max_results: found.limit as u64, cursor };
    let next = found.next.as_deref();
    let meta = ListMeta::new(&page, found.total, next.is_some());
    let links = Links { href: "positions", title: "positions", params, page: &page, next_cursor: next };
    let (links, seq) = (links.to_json(&meta), app.geo().visible().seq.get());
    if as_geojson {
        let features: Vec<Value> =
            found.hits.iter().map(|hit| geojson::feature(&hit.fix, hit.distance_m)).collect();
        return geojson::answer(&json!({
            "type": "FeatureCollection", "features": features,
            "_meta": meta.to_json(next), "_links": links, "_seq": seq,
        }));
    }
    let mut list = ListWriter::new(found.hits.len() * 128);
    found.hits.iter().for_each(|hit| list.push_value(&item(hit)));
    answer::json_bytes(list.finish(&meta, next, &links, seq, &[]))
}

/// Which devices are asked for.
pub(crate) struct Question {
    within: Within,
    query: ListQuery,
    after: Option<After>,
    limit: usize,
}

impl Question {
    /// # Errors
    /// 400 naming the parameter.
    pub(crate) fn read(app: &App, params: &Params) -> Result<Self, Problem> {
        let within = within(params)?.unwrap_or_else(Within::everywhere);
        let sort = Placed::sort(&within)?;
        let mut query = ListQuery::parse("positions", params, &sort)?;
        query.sort = sort;
        let limit = params.number("max_results", DEVICES_USUAL as u64, 1, DEVICES_MAX as u64)?;
        let limit = usize::try_from(limit).unwrap_or(DEVICES_MAX);
        let after = query.cursor(&app.store().id().0)?.and_then(|cursor| placed::after(&cursor.after));
        Ok(Self { within, query, after, limit })
    }

    /// The devices of a page.
    pub(crate) fn page(&self, app: &App, sight: &Sight) -> Result<DevicePage, Problem> {
        let (hits, more) = self.find(app, sight)?;
        let total = (!more && self.after.is_none()).then_some(hits.len() as u64);
        let next = hits.last().filter(|_| more).and_then(|hit| {
            let key = self.query.sort.key(&item(hit), hit.fix.device.as_str());
            self.query.next_cursor(app.geo().visible().seq.get(), key, &app.store().id().0)
        });
        Ok(DevicePage { hits, total, next, limit: self.limit })
    }

    /// The devices of a page, and whether there are more.
    fn find(&self, app: &App, sight: &Sight) -> Result<(Vec<DeviceHit>, bool), Problem> {
        let (mut found, mut looked, mut after) = (Vec::new(), 0, self.after.clone());
        let filter = &self.query.filter;
        // Without a condition the first answer is the page.
        let mut step = if filter.is_everything() { self.limit.saturating_add(1) } else { STEP_FIRST };
        loop {
            step = step.min(DEVICES_MAX);
            let hits = devices_after(app, sight.owner(), &self.within, after.as_ref(), step)?;
            let last = hits.len() < step;
            after = hits.last().map(|hit| After { distance_m: hit.distance_m, id: hit.fix.device.clone() });
            for hit in hits {
                looked += 1;
                if looked > LOOKED_MAX {
                    let detail =
                        format!("more than {LOOKED_MAX} devices would be looked at; ask for a smaller part");
                    return Err(Problem::new(Slug::PlanOverBudget, detail).with("documents_max", LOOKED_MAX));
                }
                if filter.is_everything() || filter.matches(&item(&hit)) {
                    if found.len() == self.limit {
                        return Ok((found, true));
                    }
                    found.push(hit);
                }
            }
            if last {
                return Ok((found, false));
            }
            step = step.saturating_mul(4);
        }
    }
}

/// A device as conditions see it and lists show it.
fn item(hit: &DeviceHit) -> Value {
    let mut item = hit.fix.to_json();
    if let (Some(map), Some(distance)) = (item.as_object_mut(), hit.distance_m) {
        map.insert("distance_m".to_owned(), distance.into());
    }
    item
}
