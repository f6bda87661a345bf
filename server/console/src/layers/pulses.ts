/**
 * What happened a moment ago: a match as a line that pulses once between ad and device, a fence that
 * flashes as a device enters or leaves, a ring round a new ad. Leaving is dashed, so colour is not the only sign.
 *
 * Bounded: past `PULSES_MAX` the oldest give way.
 */

import type { Fence } from "../api";
import type { Scene } from "../scene";
import { strokeShape, trace } from "../shape";

const PULSES_MAX = 250;
const LIFE_MS = { match: 1800, fence: 1400, ring: 1600 };

type Pulse = { readonly start_ms: number } & (
  | { readonly kind: "match"; readonly ad: string; readonly device: string; readonly leaves: boolean }
  | { readonly kind: "fence"; readonly fence: string; readonly leaves: boolean }
  | { readonly kind: "ring"; readonly ad: string }
);

export class Pulses {
  private pulses: Pulse[] = [];

  match(ad: string, device: string, leaves: boolean, now_ms: number): void {
    this.add({ kind: "match", ad, device, leaves, start_ms: now_ms });
  }

  fence(fence: string, leaves: boolean, now_ms: number): void {
    this.add({ kind: "fence", fence, leaves, start_ms: now_ms });
  }

  ring(ad: string, now_ms: number): void {
    this.add({ kind: "ring", ad, start_ms: now_ms });
  }

  draw(scene: Scene): void {
    this.pulses = this.pulses.filter((pulse) => scene.now_ms - pulse.start_ms < LIFE_MS[pulse.kind]);
    const { ctx } = scene;
    for (const pulse of this.pulses) {
      const age = Math.max(0, (scene.now_ms - pulse.start_ms) / LIFE_MS[pulse.kind]);
      ctx.save();
      if (pulse.kind === "match") drawMatch(scene, pulse, age);
      else if (pulse.kind === "fence") drawFlash(scene, scene.world.fences.get(pulse.fence), pulse.leaves, age);
      else drawRing(scene, pulse.ad, age);
      ctx.restore();
    }
  }

  private add(pulse: Pulse): void {
    this.pulses.push(pulse);
    if (this.pulses.length > PULSES_MAX) this.pulses.shift();
  }
}

function drawMatch(scene: Scene, pulse: Pulse & { kind: "match" }, age: number): void {
  const { ctx, camera, world, palette } = scene;
  const ad = world.ads.get(pulse.ad);
  const point = ad && world.adPoint(ad);
  const track = world.tracks.get(pulse.device);
  if (!point || track === undefined) return;
  const [ax, ay] = camera.place(...point);
  const [dx, dy] = camera.place(track.x, track.y);
  const fade = 1 - age * age;
  ctx.strokeStyle = ctx.fillStyle = palette.colour(pulse.leaves ? "exit" : "match");
  ctx.globalAlpha = fade * (pulse.leaves ? 0.6 : 0.95);
  ctx.lineWidth = pulse.leaves ? 1.5 : 2.5;
  if (pulse.leaves) ctx.setLineDash([3, 5]);
  ctx.beginPath();
  ctx.moveTo(ax, ay);
  ctx.lineTo(dx, dy);
  ctx.stroke();
  if (pulse.leaves) return;
  ctx.globalAlpha = fade * 0.25;
  ctx.lineWidth = 7;
  ctx.stroke();
  ctx.globalAlpha = fade;
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.arc(ax, ay, scene.still ? 10 : 7 + 12 * age, 0, 2 * Math.PI);
  ctx.stroke();
  if (scene.still) return;
  const part = Math.min(1, age * 2.2);
  ctx.beginPath();
  ctx.arc(ax + (dx - ax) * part, ay + (dy - ay) * part, 4, 0, 2 * Math.PI);
  ctx.fill();
}

function drawFlash(scene: Scene, fence: Fence | undefined, leaves: boolean, age: number): void {
  const { ctx, camera, world, palette } = scene;
  const shape = fence && world.shape(fence, fence);
  if (!fence || !shape) return;
  ctx.beginPath();
  if (!trace(ctx, camera, shape)) return;
  ctx.strokeStyle = ctx.fillStyle = palette.colour(leaves ? "exit" : "enter");
  ctx.globalAlpha = 0.28 * (1 - age);
  ctx.fill("evenodd");
  ctx.globalAlpha = 1 - age;
  ctx.lineWidth = scene.still ? 3 : 3 + 5 * age;
  if (leaves) ctx.setLineDash([10, 8]);
  strokeShape(ctx, camera, shape);
}

function drawRing(scene: Scene, id: string, age: number): void {
  const { ctx, camera, world, palette } = scene;
  const ad = world.ads.get(id);
  const point = ad && world.adPoint(ad);
  if (!ad || !point) return;
  const [px, py] = camera.place(...point);
  ctx.strokeStyle = palette.category(ad.category);
  ctx.globalAlpha = 1 - age;
  ctx.lineWidth = 2.5;
  ctx.beginPath();
  ctx.arc(px, py, scene.still ? 16 : 6 + 34 * age, 0, 2 * Math.PI);
  ctx.stroke();
}
