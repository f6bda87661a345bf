/**
 * What the console knows: documents by id, devices in view, and how many there are in all.
 *
 * A document is only ever replaced by a newer version (`_seq`), so answers may arrive in any order.
 * Derived outlines and anchors are kept with the document they were made from.
 */

import type { Ad, Adlist, CollectionName, Document, Fence, Listing, Positions } from "./api";
import type { Box } from "./camera";
import { distanceM, worldPerMetre, type LonLat } from "./projection";
import { middleOf, shapeOf, type AreaSource, type Shape } from "./shape";
import { withoutNulls } from "./stream";
import { Track } from "./track";

/** Devices not seen for this long are dropped even if no poll covered their place. */
const FORGET_MS = 120_000;

export class World {
  readonly ads = new Map<string, Ad>();
  readonly adlists = new Map<string, Adlist>();
  readonly fences = new Map<string, Fence>();
  readonly tracks = new Map<string, Track>();
  /** Devices on the whole world at the last count. */
  devices = 0;
  private readonly unread: Record<CollectionName, number> = { ads: 0, adlists: 0, fences: 0 };
  private readonly shapes = new WeakMap<object, Shape | null>();

  of(collection: CollectionName): Map<string, Document> {
    return this[collection];
  }

  /** Replaces a whole collection, keeping versions that the stream brought in the meantime. */
  load(collection: CollectionName, listing: Listing<Document>): void {
    const known = this.of(collection);
    const newest = listing.items.reduce((seq, item) => Math.max(seq, item._seq ?? 0), 0);
    const listed = new Set(listing.items.map((item) => item._id));
    for (const [id, old] of known) if (!listed.has(id) && (old._seq ?? 0) <= newest) known.delete(id);
    for (const item of listing.items) this.put(collection, item);
    this.unread[collection] = Math.max(0, listing.total - listing.items.length);
  }

  /** True if this is news. */
  put(collection: CollectionName, item: Document): boolean {
    const known = this.of(collection);
    const old = known.get(item._id);
    if (old !== undefined && (old._seq ?? 0) > (item._seq ?? 0)) return false;
    known.set(item._id, withoutNulls(item));
    return true;
  }

  remove(collection: CollectionName, id: string): void {
    this.of(collection).delete(id);
  }

  /** Live documents, counting those that were not fetched. */
  count(collection: CollectionName): number {
    let live = this.unread[collection];
    for (const item of this.of(collection).values()) if (item["active"] !== false) live += 1;
    return live;
  }

  /** Takes in one poll; devices that should have been in its boxes and were not are dropped. */
  see(positions: Positions, boxes: readonly Box[], now_ms: number, span_ms: number): void {
    for (const { geometry, properties } of positions.features) {
      const [lon, lat] = geometry.coordinates;
      const id = properties.device;
      if (lon === undefined || lat === undefined || typeof id !== "string") continue;
      let track = this.tracks.get(id);
      if (track === undefined) this.tracks.set(id, (track = new Track(id, properties)));
      track.properties = properties;
      track.moveTo(lon, lat, now_ms, span_ms);
    }
    for (const [id, track] of this.tracks) {
      const missed = track.seen_ms < now_ms && boxes.some((box) => holds(box, track.lon, track.lat));
      if (missed || now_ms - track.seen_ms > FORGET_MS) this.tracks.delete(id);
    }
  }

  /** The outline of a fence or of a list's fixed area. */
  shape(owner: object, area: AreaSource): Shape | null {
    let shape = this.shapes.get(owner);
    if (shape === undefined) this.shapes.set(owner, (shape = safeShape(area)));
    return shape;
  }

  adShape(ad: Ad): Shape | null {
    if (ad.location) return this.shape(ad, { geometry: ad.location });
    const coords = ad.coords;
    return coords ? this.shape(ad, { geometry: { type: "Point", coordinates: [coords[1], coords[0]] } }) : null;
  }

  /** Where an ad is drawn, in world units. */
  adPoint(ad: Ad): readonly [number, number] | null {
    const shape = this.adShape(ad);
    return shape && middleOf(shape);
  }

  /** The circle of a list around its device, in world units; null while the device is not in view. */
  aroundOf(list: Adlist): { x: number; y: number; radius: number; center: LonLat; radius_m: number } | null {
    const radius_m = list.area?.around?.radius_m;
    const track = list.device === undefined ? undefined : this.tracks.get(list.device);
    if (radius_m === undefined || track === undefined) return null;
    return { x: track.x, y: track.y, radius: radius_m * worldPerMetre(track.lat), center: [track.lon, track.lat], radius_m };
  }

  /** Ad categories, the most frequent first. */
  categories(): string[] {
    const counts = new Map<string, number>();
    for (const { category } of this.ads.values()) if (category !== undefined) counts.set(category, (counts.get(category) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1]).map(([category]) => category);
  }

  /** The lists that belong to a device. */
  listsOf(device: string): Adlist[] {
    return [...this.adlists.values()].filter((list) => list.device === device);
  }

  /** The live lists nearest to a point, for the choice of what to explain. */
  listsNear(point: LonLat, limit: number): Adlist[] {
    const ranked: [number, Adlist][] = [];
    for (const list of this.adlists.values()) {
      if (list.active === false) continue;
      const around = this.aroundOf(list);
      ranked.push([around ? distanceM(point, around.center) : Infinity, list]);
    }
    return ranked.sort((a, b) => a[0] - b[0]).slice(0, limit).map(([, list]) => list);
  }

  clear(): void {
    for (const map of [this.ads, this.adlists, this.fences, this.tracks]) map.clear();
    this.devices = 0;
  }
}


function holds([west, south, east, north]: Box, lon: number, lat: number): boolean {
  return lon >= west && lon <= east && lat >= south && lat <= north;
}

// A document the server accepted may still hold what this page does not know; it is then listed but not drawn.
function safeShape(area: AreaSource): Shape | null {
  try {
    return shapeOf(area);
  } catch {
    return null;
  }
}
