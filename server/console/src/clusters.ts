/**
 * Groups of devices, so that the map can offer the places where something happens.
 *
 * Devices are binned into cells about 55 km wide and touching cells are joined: linear in the devices.
 */

import { wrapLon, type LonLat } from "./projection";

const CELL_DEG = 0.5;
const ROWS = 180 / CELL_DEG;

export interface Cluster {
  readonly count: number;
  readonly center: LonLat;
  /** Half-sizes of the box that holds the members, in degrees. */
  readonly reach: readonly [lon: number, lat: number];
}

/** The `limit` largest groups, largest first. */
export function clustersOf(points: readonly LonLat[], limit: number): Cluster[] {
  const cells = new Map<string, LonLat[]>();
  for (const point of points) {
    const key = keyOf(point);
    const cell = cells.get(key);
    if (cell) cell.push(point);
    else cells.set(key, [point]);
  }
  const groups: LonLat[][] = [];
  for (const key of [...cells.keys()]) if (cells.has(key)) groups.push(collect(cells, key));
  groups.sort((a, b) => b.length - a.length);
  return groups.slice(0, limit).map(describe);
}

/** Columns in a row: fewer towards the poles, so that cells stay about square. */
function columns(row: number): number {
  const lat = (row + 0.5) * CELL_DEG - 90;
  return Math.max(1, Math.round((360 / CELL_DEG) * Math.cos((lat * Math.PI) / 180)));
}

function column(lon: number, row: number): number {
  return Math.min(columns(row) - 1, Math.floor(((wrapLon(lon) + 180) / 360) * columns(row)));
}

function keyOf([lon, lat]: LonLat): string {
  const row = Math.min(ROWS - 1, Math.max(0, Math.floor((lat + 90) / CELL_DEG)));
  return `${row}:${column(lon, row)}`;
}

function neighbours(key: string): string[] {
  const [row = 0, col = 0] = key.split(":").map(Number);
  const lon = ((col + 0.5) / columns(row)) * 360 - 180;
  return [row - 1, row, row + 1]
    .filter((near) => near >= 0 && near < ROWS)
    .flatMap((near) => {
      const across = columns(near);
      const middle = column(lon, near);
      return [middle - 1, middle, middle + 1].map((step) => `${near}:${(step + across) % across}`);
    });
}

function collect(cells: Map<string, LonLat[]>, start: string): LonLat[] {
  const members: LonLat[] = [];
  const todo = [start];
  for (let key = todo.pop(); key !== undefined; key = todo.pop()) {
    const cell = cells.get(key);
    if (cell === undefined) continue;
    cells.delete(key);
    for (const point of cell) members.push(point);
    todo.push(...neighbours(key));
  }
  return members;
}

function describe(members: readonly LonLat[]): Cluster {
  const origin = members[0]?.[0] ?? 0;
  // Offsets from one member keep a group on the antimeridian together; medians ignore a stray member.
  const east = members.map(([lon]) => wrapLon(lon - origin)).sort((a, b) => a - b);
  const north = members.map(([, lat]) => lat).sort((a, b) => a - b);
  const center: LonLat = [wrapLon(origin + quantile(east, 0.5)), quantile(north, 0.5)];
  const reach = (sorted: readonly number[]) => (quantile(sorted, 0.95) - quantile(sorted, 0.05)) / 2;
  return { count: members.length, center, reach: [reach(east), reach(north)] };
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.round((sorted.length - 1) * part)] ?? 0;
}
