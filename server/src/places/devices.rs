//! The devices that somebody may know of.

use dateline_geo::{After, DeviceHit, Fix, Within};
use serde_json::Value;

use crate::app::App;
use crate::auth::Principal;
use crate::eve::problem::{Problem, Slug};
use crate::places::answers::owner_of;
use crate::resources::Sight;

/// The answer for a device that was never seen, and the same for one that somebody may not know of.
pub(crate) fn unseen(device: &str) -> Problem {
    Problem::new(Slug::NotFound, format!("device '{device}' has not been seen"))
}

/// # Errors
/// 404 for a device that somebody may not know of.
pub(crate) fn check_device(
    app: &App,
    sight: &Sight,
    principal: &Principal,
    device: &str,
) -> Result<(), Problem> {
    if may_know(app, sight, principal, device)? { Ok(()) } else { Err(unseen(device)) }
}

/// The last fix of a device.
///
/// # Errors
/// 404 without one, and as `check_device`.
pub(crate) fn last_fix(
    app: &App,
    sight: &Sight,
    principal: &Principal,
    device: &str,
) -> Result<Fix, Problem> {
    check_device(app, sight, principal, device)?;
    app.geo().device(device)?.ok_or_else(|| unseen(device))
}

/// Whether somebody may see where a device is.
pub(crate) fn may_know(
    app: &App,
    sight: &Sight,
    principal: &Principal,
    device: &str,
) -> Result<bool, Problem> {
    if sight.is_clear() {
        return Ok(true);
    }
    let devices = app.resources().get("devices")?.collection;
    Ok(owner_of(app, devices, device)?.as_deref() == Some(principal.user.as_str()))
}

/// A page of the devices in a part of the earth: everybody's, or those of an owner. Others are not even looked at then:
/// what is left out would tell where they are.
pub(crate) fn devices_after(
    app: &App,
    owner: Option<&str>,
    within: &Within,
    after: Option<&After>,
    limit: usize,
) -> Result<Vec<DeviceHit>, Problem> {
    let Some(owner) = owner else { return Ok(app.geo().devices_after(within, after, limit)?) };
    let mut hits = Vec::new();
    for hit in own_devices(app, owner, within)? {
        if after.is_none_or(|after| after.is_before(hit.distance_m, &hit.fix.device)) {
            hits.push(hit);
        }
    }
    let metres = |hit: &DeviceHit| hit.distance_m.unwrap_or(f64::INFINITY);
    hits.sort_by(|a, b| metres(a).total_cmp(&metres(b)).then_with(|| a.fix.device.cmp(&b.fix.device)));
    hits.truncate(limit);
    Ok(hits)
}

/// An owner's devices in a part of the earth, in no order.
pub(crate) fn own_devices(app: &App, owner: &str, within: &Within) -> Result<Vec<DeviceHit>, Problem> {
    let devices = app.resources().get("devices")?.collection;
    let mut hits = Vec::new();
    for id in app.store().lookup(devices, "user", &[Value::from(owner)])? {
        let Some(fix) = app.geo().device(id.as_str())? else { continue };
        if within.holds(fix.point) {
            let distance_m = within.point_distance_m(fix.point);
            hits.push(DeviceHit { fix, distance_m });
        }
    }
    Ok(hits)
}
