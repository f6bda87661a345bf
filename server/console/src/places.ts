/**
 * Names of the world's larger cities, for labels and for naming a group of devices.
 *
 * Source: GeoNames (CC BY 4.0), places of more than 250,000 people, largest first.
 */

import rows from "./data/places.json";
import { distanceM, toWorld, type LonLat } from "./projection";

export interface Place {
  readonly name: string;
  readonly at: LonLat;
  readonly x: number;
  readonly y: number;
  readonly people: number;
}

export const places: readonly Place[] = (rows as unknown as [string, number, number, number][]).map(
  ([name, lon, lat, thousands]) => {
    const [x, y] = toWorld(lon, lat);
    return { name, at: [lon, lat], x, y, people: thousands * 1000 };
  },
);

const REACH_M = 45_000;

/** The largest place near a point, discounted by distance; null in open country. */
export function placeNear(point: LonLat): Place | null {
  let best: Place | null = null;
  let bestWeight = 0;
  for (const place of places) {
    if (Math.abs(place.at[1] - point[1]) > 0.5) continue;
    const away_m = distanceM(place.at, point);
    if (away_m > REACH_M) continue;
    const weight = place.people / (1 + (away_m / 8000) ** 2);
    if (weight > bestWeight) [best, bestWeight] = [place, weight];
  }
  return best;
}
