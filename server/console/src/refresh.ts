/**
 * Fetches documents that the stream or an event named and the page does not have, many at a time.
 *
 * Bounded: one request per collection at once, at most `BATCH` ids in it, at most `WAITING_MAX` waiting;
 * an id that the server does not know is not asked for again on the same ground.
 */

import { byIds, type CollectionName, type Document } from "./api";

const DELAY_MS = 250;
const RETRY_MS = 3000;
const BATCH = 100;
const WAITING_MAX = 1000;

export class Refresh {
  private readonly waiting: Record<CollectionName, Set<string>> = { ads: new Set(), adlists: new Set(), fences: new Set() };
  private readonly absent = new Set<string>();
  private readonly running = new Set<CollectionName>();

  constructor(private readonly onDocuments: (collection: CollectionName, items: Document[]) => void) {}

  /** The document has changed: its newest version is wanted. */
  changed(collection: CollectionName, id: string): void {
    this.absent.delete(`${collection}/${id}`);
    this.want(collection, id);
  }

  /** The document is named somewhere and unknown here. */
  missing(collection: CollectionName, id: string): void {
    if (!this.absent.has(`${collection}/${id}`)) this.want(collection, id);
  }

  private want(collection: CollectionName, id: string): void {
    const waiting = this.waiting[collection];
    if (waiting.size >= WAITING_MAX) return;
    waiting.add(id);
    if (this.running.has(collection)) return;
    this.running.add(collection);
    window.setTimeout(() => void this.run(collection), DELAY_MS);
  }

  private async run(collection: CollectionName): Promise<void> {
    const waiting = this.waiting[collection];
    const ids = [...waiting].slice(0, BATCH);
    for (const id of ids) waiting.delete(id);
    let pause_ms = DELAY_MS;
    try {
      const items = await byIds(collection, ids);
      const found = new Set(items.map((item) => item._id));
      if (this.absent.size > WAITING_MAX) this.absent.clear();
      for (const id of ids) if (!found.has(id)) this.absent.add(`${collection}/${id}`);
      this.onDocuments(collection, items);
    } catch {
      // The connection's state is told elsewhere; what was wanted stays wanted.
      for (const id of ids) if (waiting.size < WAITING_MAX) waiting.add(id);
      pause_ms = RETRY_MS;
    }
    if (waiting.size === 0) this.running.delete(collection);
    else window.setTimeout(() => void this.run(collection), pause_ms);
  }
}
