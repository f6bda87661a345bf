/**
 * The HTTP interface as the console uses it: typed documents, one error class, bounded waits.
 *
 * Everything goes to the page's own origin and signs itself with the session cookie.
 */

import type { FeatureCollection, Geometry, Point } from "geojson";
import type { Box } from "./camera";
import type { AreaSource, Circle } from "./shape";

const WAIT_MS = 15_000;
const PAGE_ITEMS = 500;
/** Lists longer than this are shown in part; the counters still tell the whole number. */
const PAGES_MAX = 8;

export interface Document {
  readonly _id: string;
  readonly _seq?: number;
  readonly _etag?: string;
  readonly _created?: string;
  readonly [field: string]: unknown;
}

export interface Ad extends Document {
  readonly title?: string;
  readonly category?: string;
  readonly price?: number;
  readonly currency?: string;
  readonly location?: Geometry;
  /** Latitude first: the one legacy exception. */
  readonly coords?: readonly [number, number];
  readonly expires?: string;
  readonly active?: boolean;
}

export interface Adlist extends Document {
  readonly name?: string;
  readonly device?: string;
  readonly area?: AreaSource & { readonly around?: { readonly radius_m: number } };
  readonly active?: boolean;
}

export interface Fence extends Document, AreaSource {
  readonly name?: string;
  readonly circle?: Circle;
  readonly active?: boolean;
}

export interface PositionProperties {
  readonly device: string;
  readonly at?: string;
  readonly [field: string]: unknown;
}

export type Positions = FeatureCollection<Point, PositionProperties>;
export type CollectionName = "ads" | "adlists" | "fences";

export interface Listing<T> {
  readonly items: T[];
  /** How many there are in all, which may be more than were fetched. */
  readonly total: number;
}

/** An answer that was not a success; `status` 0 means that there was no answer. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retry_ms: number | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export async function request(path: string, init: RequestInit = {}): Promise<unknown> {
  let response: Response;
  try {
    const headers = { Accept: "application/json", ...(init.headers as Record<string, string> | undefined) };
    response = await fetch(path, { credentials: "same-origin", signal: AbortSignal.timeout(WAIT_MS), ...init, headers });
  } catch (cause) {
    throw new ApiError(0, cause instanceof Error && cause.name === "TimeoutError" ? "no answer in time" : "server not reached");
  }
  const body: unknown = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, reasonIn(body) ?? `status ${response.status}`, retryAfter(response));
  return body;
}

export function postJson(path: string, body: unknown): Promise<unknown> {
  return request(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** Reads a collection page by page, up to a bound. */
export async function list<T extends Document>(collection: CollectionName): Promise<Listing<T>> {
  const items: T[] = [];
  let total = 0;
  for (let page = 1; page <= PAGES_MAX; page += 1) {
    const body = await request(`/api/${collection}?max_results=${PAGE_ITEMS}&page=${page}`);
    const found = itemsIn<T>(body);
    items.push(...found);
    total = totalIn(body) ?? items.length;
    if (found.length < PAGE_ITEMS || items.length >= total) break;
  }
  return { items, total: Math.max(total, items.length) };
}

export async function byIds<T extends Document>(collection: CollectionName, ids: readonly string[]): Promise<T[]> {
  const where = encodeURIComponent(JSON.stringify({ _id: { $in: ids } }));
  return itemsIn<T>(await request(`/api/${collection}?where=${where}&max_results=${PAGE_ITEMS}`));
}

export async function positionsIn(box: Box): Promise<Positions> {
  const bbox = box.map((degrees) => degrees.toFixed(6)).join(",");
  const body = await request(`/api/positions?bbox=${bbox}`, { headers: { Accept: "application/geo+json" } });
  const features = (body as Partial<Positions> | null)?.features;
  return { type: "FeatureCollection", features: Array.isArray(features) ? features : [] };
}

export function explainPath(ad: string, adlist: string): string {
  return `/api/explain/match?ad=${encodeURIComponent(ad)}&adlist=${encodeURIComponent(adlist)}`;
}

export function itemsIn<T>(body: unknown): T[] {
  const items = (body as { _items?: unknown } | null)?._items;
  return Array.isArray(items) ? (items as T[]) : [];
}

function totalIn(body: unknown): number | null {
  const total = (body as { _meta?: { total?: unknown } } | null)?._meta?.total;
  return typeof total === "number" ? total : null;
}

function reasonIn(body: unknown): string | null {
  const problem = body as { detail?: unknown; _message?: unknown; title?: unknown } | null;
  const words = [problem?.detail, problem?._message, problem?.title].find((text) => typeof text === "string" && text !== "");
  return typeof words === "string" ? words : null;
}

function retryAfter(response: Response): number | null {
  const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1000 : null;
}
