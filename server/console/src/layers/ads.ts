/**
 * Ads: diamonds in the colour of their category; they pale as the end of their life comes near.
 */

import type { Ad } from "../api";
import { isSelected, onScreen, type Scene } from "../scene";
import { parseTime } from "../words";

const ALPHA_MIN = 0.45;

export function drawAds(scene: Scene): void {
  const { ctx, camera, world, palette } = scene;
  const size = camera.zoom < 6 ? 3 : camera.zoom < 10 ? 5 : 6.5;
  ctx.lineWidth = 1.25;
  ctx.strokeStyle = palette.colour("place-halo");
  for (const ad of world.ads.values()) {
    if (ad.active === false) continue;
    const point = world.adPoint(ad);
    if (point === null) continue;
    const [px, py] = camera.place(...point);
    if (!onScreen(camera, px, py, 12)) continue;
    ctx.globalAlpha = ALPHA_MIN + (1 - ALPHA_MIN) * lifeLeft(ad, scene);
    ctx.fillStyle = palette.category(ad.category);
    diamond(ctx, px, py, size);
    ctx.fill();
    ctx.stroke();
    if (!isSelected(scene, "ad", ad._id)) continue;
    ctx.globalAlpha = 1;
    ctx.save();
    ctx.strokeStyle = palette.colour("select");
    ctx.lineWidth = 3;
    diamond(ctx, px, py, size + 6);
    ctx.stroke();
    ctx.restore();
  }
  ctx.globalAlpha = 1;
}

function diamond(ctx: CanvasRenderingContext2D, px: number, py: number, size: number): void {
  ctx.beginPath();
  ctx.moveTo(px, py - size);
  ctx.lineTo(px + size, py);
  ctx.lineTo(px, py + size);
  ctx.lineTo(px - size, py);
  ctx.closePath();
}

const lives = new WeakMap<Ad, { born_ms: number; ends_ms: number } | null>();

/** The part of an ad's life that is left, 1 for one that never expires. */
function lifeLeft(ad: Ad, scene: Scene): number {
  let life = lives.get(ad);
  if (life === undefined) {
    const ends_ms = parseTime(ad.expires);
    const born_ms = parseTime(ad._created);
    lives.set(ad, (life = ends_ms !== null && born_ms !== null && ends_ms > born_ms ? { born_ms, ends_ms } : null));
  }
  if (life === null) return 1;
  // The frame clock counts from the page's start; an ad's times are wall-clock times.
  const wall_ms = performance.timeOrigin + scene.now_ms;
  return Math.min(1, Math.max(0, (life.ends_ms - wall_ms) / (life.ends_ms - life.born_ms)));
}
