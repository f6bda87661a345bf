//! The same comparison where maps break: devices that walk over the antimeridian and around the poles.

use std::collections::BTreeSet;

use serde_json::json;

use crate::oracle::{Fix, Oracle, Step};
use crate::parts;
use crate::plan::{Measure, Plan, seed};
use crate::program::Server;
use crate::replay::{check_log, check_state, perform};
use crate::sphere::{Place, destination};
use crate::stage::{Stage, compare};

const STARTS: [Place; 6] =
    [(179.99, 0.0), (-179.95, 65.0), (180.0, -17.5), (20.0, 89.98), (-60.0, -89.97), (0.0, 0.0)];
const STEPS: usize = 120;
const BEGAN_MS: i64 = 1_767_225_600_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn walks_over_the_seams_equal_the_oracle() {
    let _turn = parts::heavy().await;
    let seed = seed("seams");
    let mut rng = fastrand::Rng::with_seed(seed);
    let fixes = walks(&mut rng);
    let measure = Measure { batch_fixes: 1..=20, changes_max: 6, fences: 30, fixed_lists: 30 };
    let mut plan = Plan::new(seed, &fixes, &[], &["a", "b", "c"], &measure);
    keep_drawable(&mut plan);
    let mut stage = Stage::new(Server::start()).await;
    let mut oracle = Oracle::new();
    let mut setup = caps();
    setup.append(&mut plan.setup);
    stage.prepare(&setup).await;
    setup.iter().for_each(|step| oracle.apply(step));
    let heard = perform(&mut stage, &mut oracle, &plan.steps, seed).await;
    eprintln!(
        "seams: {} events, {} answers lost, nearest to a circle {} m",
        heard.events.len(),
        stage.lost,
        oracle.narrowest_m
    );
    compare(&oracle.expected, &heard.events);
    assert!(heard.events.len() > 300, "only {} events", heard.events.len());
    check_log(&stage.client, &heard).await;
    check_state(&stage.client, &mut oracle).await;
}

/// Circles that hold a pole, and a polygon over the antimeridian.
fn caps() -> Vec<Step> {
    let fence = |id: &str, name: &str, shape| {
        let mut body = json!({"name": id});
        body[name] = shape;
        Step::Put { resource: "fences", id: id.to_owned(), body }
    };
    let ring = json!([[179.9, -18.0], [-179.9, -18.0], [-179.9, -17.0], [179.9, -17.0], [179.9, -18.0]]);
    vec![
        fence("north", "circle", json!({"center": [0, 90], "radius_m": 2_500})),
        fence("south", "circle", json!({"center": [77, -90], "radius_m": 4_000})),
        fence("near-north", "circle", json!({"center": [-160, 89.97], "radius_m": 5_000})),
        fence("fiji", "geometry", json!({"type": "Polygon", "coordinates": [ring]})),
        fence("line", "circle", json!({"center": [-180, 0], "radius_m": 1_500})),
    ]
}

/// Takes out what has a shape the oracle cannot judge, with everything done to it later.
fn keep_drawable(plan: &mut Plan) {
    let mut undrawn = BTreeSet::new();
    for steps in [&mut plan.setup, &mut plan.steps] {
        steps.retain(|step| match step {
            Step::Put { resource, id, .. } if !is_drawn_here(step) => {
                undrawn.insert((*resource, id.clone()));
                false
            }
            Step::Patch { resource, id, .. } | Step::Delete { resource, id } => {
                is_drawn_here(step) && !undrawn.contains(&(*resource, id.clone()))
            }
            _ => true,
        });
    }
}

/// Shapes near a pole may go round it, which the oracle's even-odd rule does not know.
fn is_drawn_here(step: &Step) -> bool {
    let (Step::Put { body, .. } | Step::Patch { changes: body, .. }) = step else { return true };
    let geometry = body.get("geometry").or_else(|| body["area"].get("geometry"));
    let ring = geometry.and_then(|geometry| geometry["coordinates"][0].as_array());
    ring.is_none_or(|ring| ring.iter().all(|corner| corner[1].as_f64().is_some_and(|lat| lat.abs() < 85.0)))
}

fn walks(rng: &mut fastrand::Rng) -> Vec<Fix> {
    let mut fixes = Vec::new();
    let mut places: Vec<(String, Place)> = Vec::new();
    for (index, start) in STARTS.into_iter().enumerate() {
        places.extend((0..3).map(|walker| (format!("walker-{index}-{walker}"), start)));
    }
    for step in 0..STEPS {
        for (walker, (device, place)) in places.iter_mut().enumerate() {
            let metres = [20.0, 400.0, 6_000.0][walker % 3] * rng.f64() * 2.0;
            let home = STARTS[walker / 3];
            // Now and then home, so that a walk stays near its seam.
            *place = if rng.u8(0..12) == 0 { home } else { destination(*place, rng.f64() * 360.0, metres) };
            fixes.push(Fix {
                device: device.clone(),
                place: *place,
                at_ms: BEGAN_MS + 1000 * i64::try_from(step).unwrap_or(0),
            });
        }
    }
    fixes
}
