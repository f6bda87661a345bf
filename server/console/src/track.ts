/**
 * One device as the map draws it: its last fix, the way it came, and where its dot is between two polls.
 *
 * World units with x unwrapped along the way, so a track over the antimeridian stays in one piece.
 */

import type { PositionProperties } from "./api";
import { toWorld, worldPerMetre } from "./projection";

const TRAIL_POINTS = 26;
/** A farther jump between two polls is no movement worth drawing as a line. */
const JUMP_M = 20_000;
/** Nor is the way a device took while nobody looked. */
const GAP_MS = 6000;

export class Track {
  /** x, y pairs, oldest first; the last pair is where the dot is going. */
  readonly trail: number[] = [];
  x = 0;
  y = 0;
  seen_ms = 0;
  lon = 0;
  lat = 0;
  private fromX = 0;
  private fromY = 0;
  private start_ms = 0;
  private span_ms = 0;

  constructor(
    readonly id: string,
    public properties: PositionProperties,
  ) {}

  /** Takes a fix in; the dot glides there over `span_ms`. */
  moveTo(lon: number, lat: number, now_ms: number, span_ms: number): void {
    const [rawX, y] = toWorld(lon, lat);
    const first = this.trail.length === 0;
    const lastX = this.trail.at(-2) ?? rawX;
    const lastY = this.trail.at(-1) ?? y;
    const x = rawX + Math.round(lastX - rawX);
    const unseen = now_ms - this.seen_ms > GAP_MS;
    this.seen_ms = now_ms;
    if (!first && x === lastX && y === lastY) return;
    const jump = unseen || Math.hypot(x - lastX, y - lastY) > JUMP_M * worldPerMetre(lat);
    if (jump) this.trail.length = 0;
    this.trail.push(x, y);
    if (this.trail.length > 2 * TRAIL_POINTS) this.trail.splice(0, this.trail.length - 2 * TRAIL_POINTS);
    [this.lon, this.lat] = [lon, lat];
    this.fromX = first || jump ? x : this.x;
    this.fromY = first || jump ? y : this.y;
    this.start_ms = now_ms;
    this.span_ms = span_ms;
    this.glide(now_ms);
  }

  /** Sets x and y to where the dot is now. */
  glide(now_ms: number): void {
    const [toX, toY] = [this.trail.at(-2) ?? this.fromX, this.trail.at(-1) ?? this.fromY];
    const part = this.span_ms <= 0 ? 1 : Math.min(1, (now_ms - this.start_ms) / this.span_ms);
    this.x = this.fromX + (toX - this.fromX) * part;
    this.y = this.fromY + (toY - this.fromY) * part;
  }
}
