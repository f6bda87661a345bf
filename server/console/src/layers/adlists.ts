/**
 * Ad lists: the area in which each list wants ads, round its device or fixed.
 *
 * A circle on the sphere is drawn as its true outline. Where the difference from a plain circle on the
 * Mercator map is below half a pixel (small radii away from the poles) a plain circle is drawn instead.
 */

import type { Adlist } from "../api";
import { EARTH_RADIUS_M, type LonLat } from "../projection";
import { isSelected, onScreen, type Scene } from "../scene";
import { shapeOf, trace } from "../shape";

const RADIUS_PX_MIN = 3;

export function drawAdlists(scene: Scene): void {
  const { ctx, palette } = scene;
  const live = [...scene.world.adlists.values()].filter((list) => list.active !== false);
  ctx.strokeStyle = ctx.fillStyle = palette.colour("list");
  ctx.lineWidth = 1.25;
  const chosen = live.filter((list) => isSelected(scene, "adlist", list._id));
  ctx.globalAlpha = 0.55;
  for (const list of live) {
    // One path each: thousands of overlapping circles in one path cost far more than as many strokes.
    ctx.beginPath();
    if (addOutline(scene, list, true)) ctx.stroke();
  }
  ctx.globalAlpha = 1;
  for (const list of chosen) {
    ctx.beginPath();
    addOutline(scene, list, false);
    ctx.globalAlpha = 0.14;
    ctx.fill("evenodd");
    ctx.globalAlpha = 1;
    ctx.strokeStyle = palette.colour("select");
    ctx.lineWidth = 3;
    ctx.beginPath();
    addOutline(scene, list, true);
    ctx.stroke();
  }
}

/** False if nothing of it is in view. */
function addOutline(scene: Scene, list: Adlist, bordersOnly: boolean): boolean {
  const { ctx, camera, world } = scene;
  const around = world.aroundOf(list);
  if (around === null) {
    const area = list.area;
    const shape = area && !area.around ? world.shape(list, area) : null;
    return shape !== null && trace(ctx, camera, shape, bordersOnly);
  }
  const radius_px = around.radius * camera.scale;
  const [px, py] = camera.place(around.x, around.y);
  if (radius_px < RADIUS_PX_MIN || !onScreen(camera, px, py, Math.max(radius_px, 1) * 1.5)) return false;
  if (isRound(around.center, around.radius_m, radius_px)) {
    ctx.moveTo(px + radius_px, py);
    ctx.arc(px, py, radius_px, 0, 2 * Math.PI);
    return true;
  }
  const shape = shapeOf({ circle: { center: around.center, radius_m: around.radius_m } });
  return shape !== null && trace(ctx, camera, shape, bordersOnly);
}

/** Mercator moves a circle's edge by about r^2 tan(lat) / 2 for an angular radius r. */
function isRound(center: LonLat, radius_m: number, radius_px: number): boolean {
  if (Math.abs(center[1]) > 84) return false;
  const angle = radius_m / EARTH_RADIUS_M;
  return (radius_px * angle * (Math.abs(Math.tan((center[1] * Math.PI) / 180)) + angle)) / 2 < 0.5;
}
