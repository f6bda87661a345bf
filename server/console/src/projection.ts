/**
 * Spherical geometry and the Mercator projection.
 *
 * Coordinates are [longitude, latitude] in degrees, distances metres, angles degrees clockwise from north.
 * World units: x grows east and y south, the whole world is the unit square. A run of points may leave
 * [0, 1] in x: it is "unwrapped", so that a shape over the antimeridian stays in one piece.
 */

export const EARTH_RADIUS_M = 6_371_008.8;
/** Mercator is cut where the world becomes square. */
export const LAT_LIMIT = 85.0511287798066;

export type LonLat = readonly [lon: number, lat: number];
export type WorldPoint = readonly [x: number, y: number];

const RAD = Math.PI / 180;

export function toWorld(lon: number, lat: number): WorldPoint {
  const clamped = Math.min(LAT_LIMIT, Math.max(-LAT_LIMIT, lat));
  const sine = Math.sin(clamped * RAD);
  return [lon / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

/** The longitude comes back in [-180, 180). */
export function toLonLat(x: number, y: number): LonLat {
  return [wrapLon((x - 0.5) * 360), Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) / RAD];
}

export function wrapLon(lon: number): number {
  return lon - 360 * Math.floor((lon + 180) / 360);
}

/** Great-circle distance by the haversine formula, exact enough at any separation. */
export function distanceM(a: LonLat, b: LonLat): number {
  const dLat = (b[1] - a[1]) * RAD;
  const dLon = (b[0] - a[0]) * RAD;
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a[1] * RAD) * Math.cos(b[1] * RAD) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The point reached from `from` along a great circle. */
export function destination(from: LonLat, bearing: number, distance_m: number): LonLat {
  const angle = distance_m / EARTH_RADIUS_M;
  const lat = from[1] * RAD;
  const sinLat = Math.sin(lat) * Math.cos(angle) + Math.cos(lat) * Math.sin(angle) * Math.cos(bearing * RAD);
  // The textbook form has a factor cos(lat) on both sides, which is left out so that it holds at the poles too.
  const east = Math.sin(bearing * RAD) * Math.sin(angle);
  const north = Math.cos(lat) * Math.cos(angle) - Math.sin(lat) * Math.sin(angle) * Math.cos(bearing * RAD);
  const lon = from[0] + Math.atan2(east, north) / RAD;
  return [wrapLon(lon), Math.asin(Math.min(1, Math.max(-1, sinLat))) / RAD];
}

/** A circle on the sphere as `steps` points; longitudes are each within [-180, 180). */
export function circleRing(center: LonLat, radius_m: number, steps = 72): LonLat[] {
  return Array.from({ length: steps }, (_, step) => destination(center, (step * 360) / steps, radius_m));
}

/** A wedge: the centre, then the arc from the first bearing clockwise to the second. */
export function sectorRing(center: LonLat, radius_m: number, from: number, to: number, steps = 48): LonLat[] {
  const sweep = (to - from + 360) % 360 || 360;
  const arc = Array.from({ length: steps + 1 }, (_, step) => destination(center, from + (sweep * step) / steps, radius_m));
  return [center, ...arc];
}

/** Projected points as x, y pairs. */
export interface Run {
  readonly points: Float64Array;
  /** How many of the values are the true outline; the rest runs along the edge of the map, to be filled but not stroked. */
  readonly outline: number;
}

/**
 * Projects a run of points, taking each step the short way round the world.
 * A closed ring that goes once round a pole is completed along the cut edge of the map on that pole's side.
 */
export function unwrap(points: readonly LonLat[], closed: boolean): Run {
  const flat: number[] = [];
  let previous = 0;
  let latSum = 0;
  for (const [index, [lon, lat]] of points.entries()) {
    const near = index === 0 ? lon : previous + wrapLon(lon - previous);
    const [x, y] = toWorld(near, lat);
    flat.push(x, y);
    previous = near;
    latSum += lat;
  }
  let outline = flat.length;
  const first = points[0];
  if (closed && first !== undefined) {
    const turn = previous + wrapLon(first[0] - previous) - first[0];
    if (Math.abs(turn) > 180) {
      const edge = latSum >= 0 ? 0 : 1;
      const [startX, startY] = [flat[0] ?? 0, flat[1] ?? 0];
      flat.push(startX + turn / 360, startY);
      outline = flat.length;
      flat.push(startX + turn / 360, edge, startX, edge);
    }
  }
  return { points: Float64Array.from(flat), outline };
}

/** How many world units one metre is at a latitude. Mercator stretches alike in all directions. */
export function worldPerMetre(lat: number): number {
  const cos = Math.cos(Math.min(LAT_LIMIT, Math.abs(lat)) * RAD);
  return 1 / (2 * Math.PI * EARTH_RADIUS_M * cos);
}
