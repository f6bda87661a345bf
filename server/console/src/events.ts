/**
 * The bounded record of matches and fence events behind the event list. No DOM.
 *
 * Invariants: at most `EVENTS_MAX` of each kind are kept, so a rush of matches never pushes out the fence events;
 * while held, `shown` does not change and `waiting` counts what would be added (never more than can be kept).
 */

import type { FenceData, MatchData } from "./stream";

export const EVENTS_MAX = 200;

export interface MatchEvent extends MatchData {
  readonly kind: "match";
  readonly key: number;
  readonly received_ms: number;
}

export interface FenceEvent extends FenceData {
  readonly kind: "fence";
  readonly key: number;
  readonly received_ms: number;
}

export type LiveEvent = MatchEvent | FenceEvent;
export type Filter = "all" | LiveEvent["kind"];

export class EventLog {
  private readonly kept: Record<LiveEvent["kind"], LiveEvent[]> = { match: [], fence: [] };
  private heldAt: number | null = null;
  private nextKey = 1;
  filter: Filter = "all";

  addMatch(data: MatchData, received_ms: number): MatchEvent {
    const event: MatchEvent = { ...data, kind: "match", key: this.nextKey++, received_ms };
    this.keep(event);
    return event;
  }

  addFence(data: FenceData, received_ms: number): FenceEvent {
    const event: FenceEvent = { ...data, kind: "fence", key: this.nextKey++, received_ms };
    this.keep(event);
    return event;
  }

  get held(): boolean {
    return this.heldAt !== null;
  }

  hold(): void {
    this.heldAt ??= this.nextKey;
  }

  release(): void {
    this.heldAt = null;
  }

  clear(): void {
    this.kept.match = [];
    this.kept.fence = [];
  }

  /** Newest first, after the filter; at most `EVENTS_MAX`. */
  shown(): LiveEvent[] {
    const limit = this.heldAt ?? Infinity;
    return this.filtered().filter((event) => event.key < limit).slice(0, EVENTS_MAX);
  }

  /** How many events the hold keeps back. */
  waiting(): number {
    const limit = this.heldAt;
    return limit === null ? 0 : this.filtered().filter((event) => event.key >= limit).length;
  }

  private filtered(): LiveEvent[] {
    const { match, fence } = this.kept;
    if (this.filter !== "all") return [...this.kept[this.filter]].reverse();
    return [...match, ...fence].sort((a, b) => b.key - a.key);
  }

  private keep(event: LiveEvent): void {
    const list = this.kept[event.kind];
    list.push(event);
    // A hold keeps what it shows: then twice the bound, half of it hidden until the release.
    const bound = this.heldAt === null ? EVENTS_MAX : 2 * EVENTS_MAX;
    if (list.length <= bound) return;
    if (this.heldAt === null) list.splice(0, list.length - bound);
    else list.splice(this.oldestHidden(list), list.length - bound);
  }

  private oldestHidden(list: readonly LiveEvent[]): number {
    const limit = this.heldAt ?? 0;
    const found = list.findIndex((event) => event.key >= limit);
    return found < 0 ? 0 : found;
  }
}
