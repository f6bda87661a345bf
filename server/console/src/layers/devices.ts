/**
 * Devices: dots that glide from fix to fix, with a tail that fades with age.
 *
 * Tails of one age are drawn as one path, so the cost is a few strokes a frame however many devices move.
 */

import { isSelected, onScreen, type Scene } from "../scene";
import type { Track } from "../track";

const TAIL_BANDS = 4;
/** Dots are sharp on screens of up to this many pixels per CSS pixel. */
const DOT_SCALE = 2;
/** Beyond this many dots in view, tails would be one smear and cost more than they tell. */
const TAILS_MAX = 3000;

/** Returns how many dots were drawn. */
export function drawDevices(scene: Scene): number {
  const { ctx, camera, world, palette } = scene;
  const seen: [Track, number, number][] = [];
  for (const track of world.tracks.values()) {
    track.glide(scene.still ? Infinity : scene.now_ms);
    const [px, py] = camera.place(track.x, track.y);
    if (onScreen(camera, px, py, 8)) seen.push([track, px, py]);
  }
  if (seen.length <= TAILS_MAX && camera.zoom > 7) drawTails(scene, seen);
  const size = camera.zoom < 6 ? 2 : camera.zoom < 10 ? 3 : 4.5;
  const image = dotImage(size, palette.colour("device"), palette.colour("device-edge"));
  const half = image.width / DOT_SCALE / 2;
  for (const [, px, py] of seen) ctx.drawImage(image, px - half, py - half, 2 * half, 2 * half);
  const chosen = seen.find(([track]) => isSelected(scene, "device", track.id));
  if (chosen !== undefined) {
    ctx.strokeStyle = palette.colour("select");
    ctx.lineWidth = 3;
    ctx.beginPath();
    ctx.arc(chosen[1], chosen[2], size + 6, 0, 2 * Math.PI);
    ctx.stroke();
  }
  return seen.length;
}

let dot: { readonly key: string; readonly image: HTMLCanvasElement } | null = null;

/** One dot, drawn once and then copied: copying is much cheaper than thousands of arcs. */
function dotImage(size: number, fill: string, edge: string): HTMLCanvasElement {
  const key = [size, fill, edge].join();
  if (dot?.key === key) return dot.image;
  const image = document.createElement("canvas");
  const half = Math.ceil(size + 2);
  image.width = image.height = 2 * half * DOT_SCALE;
  const ctx = image.getContext("2d");
  if (ctx !== null) {
    ctx.scale(DOT_SCALE, DOT_SCALE);
    ctx.beginPath();
    ctx.arc(half, half, size, 0, 2 * Math.PI);
    ctx.fillStyle = fill;
    ctx.strokeStyle = edge;
    ctx.lineWidth = 1.5;
    if (size > 2) ctx.stroke();
    ctx.fill();
  }
  dot = { key, image };
  return image;
}

function drawTails(scene: Scene, seen: readonly [Track, number, number][]): void {
  const { ctx, camera, palette } = scene;
  ctx.strokeStyle = palette.colour("device");
  ctx.lineCap = "round";
  ctx.lineJoin = "round";
  for (let band = 0; band < TAIL_BANDS; band += 1) {
    ctx.beginPath();
    for (const [track, px, py] of seen) {
      const points = Math.floor(track.trail.length / 2) - 1;
      const from = Math.floor((points * band) / TAIL_BANDS);
      const to = Math.floor((points * (band + 1)) / TAIL_BANDS);
      if (to <= from) continue;
      for (let at = from; at <= to; at += 1) {
        // The last point is the fix the dot still glides to; the tail ends at the dot instead.
        const last = at === points;
        const x = px + ((track.trail[2 * at] ?? track.x) - track.x) * camera.scale;
        const y = py + ((track.trail[2 * at + 1] ?? track.y) - track.y) * camera.scale;
        if (at === from) ctx.moveTo(last ? px : x, last ? py : y);
        else ctx.lineTo(last ? px : x, last ? py : y);
      }
    }
    ctx.lineWidth = 1 + band * 0.5;
    ctx.globalAlpha = 0.12 + (0.5 * (band + 1)) / TAIL_BANDS;
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}
