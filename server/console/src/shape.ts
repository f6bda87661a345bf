/**
 * The outline of an area (fence, list or ad geometry) in world units, ready to draw and to hit-test.
 *
 * Filled by the even-odd rule, so holes are simply further outlines. Areas the console cannot draw give null.
 */

import type { Geometry, Position } from "geojson";
import type { Camera } from "./camera";
import { circleRing, sectorRing, unwrap, type LonLat, type Run } from "./projection";

export interface Outline extends Run {
  readonly closed: boolean;
}

export interface Shape {
  readonly outlines: readonly Outline[];
  readonly west: number;
  readonly north: number;
  readonly east: number;
  readonly south: number;
}

export interface Circle {
  readonly center: LonLat;
  readonly radius_m: number;
}

/** The parts of a fence or of a list's area that say where it is. */
export interface AreaSource {
  readonly geometry?: Geometry | null;
  readonly circle?: Circle;
  readonly sector?: Circle & { readonly bearing: readonly [number, number] };
}

export function shapeOf(area: AreaSource): Shape | null {
  if (area.circle) return shapeFrom([ring(circleRing(area.circle.center, area.circle.radius_m))]);
  if (area.sector) {
    const { center, radius_m, bearing } = area.sector;
    return shapeFrom([ring(sectorRing(center, radius_m, bearing[0], bearing[1]))]);
  }
  return area.geometry ? shapeFrom(outlinesOf(area.geometry)) : null;
}

/** A point to hang labels and links on: the middle of the shape's box, in world units. */
export function middleOf(shape: Shape): readonly [number, number] {
  return [(shape.west + shape.east) / 2, (shape.north + shape.south) / 2];
}

/** Draws the border, leaving out where a shape round a pole follows the edge of the map. The path is replaced. */
export function strokeShape(ctx: CanvasRenderingContext2D, camera: Camera, shape: Shape): void {
  ctx.beginPath();
  if (trace(ctx, camera, shape, true)) ctx.stroke();
}

/** Adds the shape to the current path, in every copy of the world that is in view; false if none is. */
export function trace(ctx: CanvasRenderingContext2D, camera: Camera, shape: Shape, bordersOnly = false): boolean {
  const half = camera.height / 2 / camera.scale;
  if (shape.south < camera.y - half || shape.north > camera.y + half) return false;
  const offsets = camera.copies(shape.west, shape.east);
  const { scale } = camera;
  const originY = camera.height / 2 - camera.y * scale;
  for (const offset of offsets) {
    const originX = camera.width / 2 + (offset - camera.x) * scale;
    for (const { points, closed, outline } of shape.outlines) {
      const whole = !bordersOnly || outline === points.length;
      const end = whole ? points.length : outline;
      for (let at = 0; at + 1 < end; at += 2) {
        const px = originX + (points[at] ?? 0) * scale;
        const py = originY + (points[at + 1] ?? 0) * scale;
        if (at === 0) ctx.moveTo(px, py);
        else ctx.lineTo(px, py);
      }
      if (closed && whole) ctx.closePath();
    }
  }
  return offsets.length > 0;
}

/** Whether a world point is inside, by counting the edges to its east. */
export function contains(shape: Shape, x: number, y: number): boolean {
  if (y < shape.north || y > shape.south) return false;
  let inside = false;
  for (let at = x + Math.ceil(shape.west - x); at <= shape.east; at += 1) {
    for (const { points, closed } of shape.outlines) {
      if (closed && crossings(points, at, y) % 2 === 1) inside = !inside;
    }
    if (inside) return true;
  }
  return inside;
}

function crossings(points: Float64Array, x: number, y: number): number {
  let count = 0;
  for (let at = 0, last = points.length - 2; at + 1 < points.length; last = at, at += 2) {
    const [ax, ay] = [points[at] ?? 0, points[at + 1] ?? 0];
    const [bx, by] = [points[last] ?? 0, points[last + 1] ?? 0];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) count += 1;
  }
  return count;
}

function ring(points: readonly LonLat[]): Outline {
  return { ...unwrap(points, true), closed: true };
}

function positions(list: readonly Position[]): LonLat[] {
  return list.map(([lon, lat]) => [lon ?? 0, lat ?? 0] as const);
}

function outlinesOf(geometry: Geometry): Outline[] {
  switch (geometry.type) {
    case "Polygon":
      return geometry.coordinates.map((part) => ring(positions(part)));
    case "MultiPolygon":
      return geometry.coordinates.flatMap((polygon) => polygon.map((part) => ring(positions(part))));
    case "LineString":
      return [{ ...unwrap(positions(geometry.coordinates), false), closed: false }];
    case "MultiLineString":
      return geometry.coordinates.map((line) => ({ ...unwrap(positions(line), false), closed: false }));
    case "Point":
      return [{ ...unwrap(positions([geometry.coordinates]), false), closed: false }];
    case "MultiPoint":
      return geometry.coordinates.map((point) => ({ ...unwrap(positions([point]), false), closed: false }));
    case "GeometryCollection":
      return geometry.geometries.flatMap(outlinesOf);
  }
}

function shapeFrom(outlines: readonly Outline[]): Shape | null {
  let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { points } of outlines) {
    for (let at = 0; at + 1 < points.length; at += 2) {
      west = Math.min(west, points[at] ?? west);
      east = Math.max(east, points[at] ?? east);
      north = Math.min(north, points[at + 1] ?? north);
      south = Math.max(south, points[at + 1] ?? south);
    }
  }
  return west <= east ? { outlines, west, north, east, south } : null;
}
