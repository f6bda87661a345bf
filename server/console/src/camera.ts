/**
 * The camera: which part of the world the canvas shows.
 *
 * Invariants: the centre's x is in [0, 1), the view never shows beyond the north or south edge,
 * and the world is never narrower than the canvas, so each point is visible at most once.
 */

import { toLonLat, toWorld, type LonLat, type WorldPoint } from "./projection";

const TILE_PX = 256;
const ZOOM_MAX = 18;

/** West, south, east, north in degrees; west is never greater than east. */
export type Box = readonly [west: number, south: number, east: number, north: number];

export interface View {
  x: number;
  y: number;
  zoom: number;
}

export class Camera {
  x = 0.5;
  y = 0.5;
  zoom = 2;
  width = 1;
  height = 1;

  /** Pixels per world unit. */
  get scale(): number {
    return TILE_PX * 2 ** this.zoom;
  }

  get zoomMin(): number {
    return Math.log2(Math.max(this.width, this.height, 1) / TILE_PX);
  }

  resize(width: number, height: number): void {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.clamp();
  }

  /** Screen pixels of a world point, of the copy of the world nearest to the centre. */
  place(x: number, y: number): [number, number] {
    const dx = x - this.x;
    return [this.width / 2 + (dx - Math.round(dx)) * this.scale, this.height / 2 + (y - this.y) * this.scale];
  }

  screen(point: LonLat): [number, number] {
    const [x, y] = toWorld(point[0], point[1]);
    return this.place(x, y);
  }

  world(px: number, py: number): WorldPoint {
    return [this.x + (px - this.width / 2) / this.scale, this.y + (py - this.height / 2) / this.scale];
  }

  lonLat(px: number, py: number): LonLat {
    return toLonLat(...this.world(px, py));
  }

  /** The offsets (whole worlds) at which something spanning these x values is in view. */
  copies(west: number, east: number): number[] {
    const half = this.width / 2 / this.scale;
    const offsets: number[] = [];
    for (let offset = Math.ceil(this.x - half - east); offset <= this.x + half - west; offset += 1) offsets.push(offset);
    return offsets;
  }

  panBy(dx: number, dy: number): void {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.clamp();
  }

  /** Zooms so that the point under (px, py) stays there. */
  zoomAt(px: number, py: number, levels: number): void {
    const [wx, wy] = this.world(px, py);
    this.zoom = Math.min(ZOOM_MAX, Math.max(this.zoomMin, this.zoom + levels));
    this.x = wx - (px - this.width / 2) / this.scale;
    this.y = wy - (py - this.height / 2) / this.scale;
    this.clamp();
  }

  /** The view that shows a box of world units (x unwrapped) with a margin in pixels. */
  fitted(west: number, north: number, east: number, south: number, margin_px = 48, zoomLimit = 14.5): View {
    const width = Math.max(64, this.width - 2 * margin_px);
    const height = Math.max(64, this.height - 2 * margin_px);
    const span = Math.max((east - west) / width, (south - north) / height, 1e-12);
    const zoom = Math.min(zoomLimit, Math.max(this.zoomMin, Math.log2(1 / (span * TILE_PX))));
    return { x: (west + east) / 2, y: (north + south) / 2, zoom };
  }

  set(view: View): void {
    this.x = view.x;
    this.y = view.y;
    this.zoom = view.zoom;
    this.clamp();
  }

  /** What is in view: one box, or two where the view crosses the antimeridian. */
  boxes(): Box[] {
    const half = this.width / 2 / this.scale;
    const [, north] = this.lonLat(0, 0);
    const [, south] = this.lonLat(0, this.height);
    if (half >= 0.5) return [[-180, south, 180, north]];
    const west = (this.x - half - 0.5) * 360;
    const east = (this.x + half - 0.5) * 360;
    if (west < -180) return [[west + 360, south, 180, north], [-180, south, east, north]];
    if (east > 180) return [[west, south, 180, north], [-180, south, east - 360, north]];
    return [[west, south, east, north]];
  }

  private clamp(): void {
    this.zoom = Math.min(ZOOM_MAX, Math.max(this.zoomMin, this.zoom));
    const half = this.height / 2 / this.scale;
    this.y = half >= 0.5 ? 0.5 : Math.min(1 - half, Math.max(half, this.y));
    this.x -= Math.floor(this.x);
  }
}
