/**
 * The event stream: a pure state machine over what EventSource reports, and the thin owner of the EventSource.
 *
 * `step` does no I/O and reads no clock. Within one epoch the position never moves back, and an event
 * from before the position is dropped: the server promises neither loss nor repeat, so one would be a fault.
 */

export const TOPICS = "matches,fences,changes:ads,changes:adlists,changes:fences";

export type Phase = "connecting" | "live" | "reconnecting" | "stopping";

export interface MatchData {
  readonly adlist: string;
  readonly adlist_name?: string;
  readonly ad: string;
  readonly device?: string;
  readonly user?: string;
  readonly event: "enter" | "exit";
  readonly reason?: string;
  readonly distance_m?: number;
  readonly at?: string;
  readonly seq?: number;
}

export interface FenceData {
  readonly fence: string;
  readonly fence_name?: string;
  readonly device?: string;
  readonly event: string;
  readonly reason?: string;
  readonly at?: string;
  readonly lon?: number;
  readonly lat?: number;
  readonly distance_m?: number;
  readonly seq?: number;
}

export interface ChangeData {
  readonly seq?: number;
  readonly op: string;
  readonly collection: string;
  readonly _id: string;
  readonly doc?: unknown;
}

export interface StreamState {
  readonly phase: Phase;
  readonly epoch: string | null;
  readonly position: number;
  readonly head: number;
  /** The last event's id as it came: what a new connection resumes from. */
  readonly lastId: string | null;
  /** Wait before the next connection, as the server asked on saying goodbye. */
  readonly retry_ms: number | null;
  readonly faults: number;
}

export type StreamInput =
  | { readonly type: "lost" }
  | { readonly type: "event"; readonly event: string; readonly id: string; readonly data: string };

export type StreamOutput =
  | { readonly type: "hello" }
  | { readonly type: "reset"; readonly reason: string }
  | { readonly type: "match"; readonly data: MatchData }
  | { readonly type: "fence"; readonly data: FenceData }
  | { readonly type: "change"; readonly data: ChangeData };

export const INITIAL: StreamState = { phase: "connecting", epoch: null, position: 0, head: 0, lastId: null, retry_ms: null, faults: 0 };

export interface Step {
  readonly state: StreamState;
  readonly output: StreamOutput | null;
}

export function step(state: StreamState, input: StreamInput): Step {
  if (input.type === "lost") {
    const phase = state.phase === "live" ? "reconnecting" : state.phase;
    return { state: { ...state, phase }, output: null };
  }
  const data = parseObject(input.data);
  if (data === null) return { state: { ...state, faults: state.faults + 1 }, output: null };
  return receive(input.id === "" ? state : { ...state, lastId: input.id }, input, data);
}

function receive(state: StreamState, input: StreamInput & { type: "event" }, data: Record<string, unknown>): Step {
  switch (input.event) {
    case "hello": {
      const epoch = data["epoch"] === undefined ? state.epoch : String(data["epoch"]);
      const head = numberIn(data, "head");
      // A head behind us under the same epoch is another server's log: a fresh demo at the old address.
      const foreign = epoch === state.epoch && head < state.position;
      const start = epoch === state.epoch && !foreign ? state.position : 0;
      const position = Math.max(start, numberIn(data, "from"));
      const next = { ...state, phase: "live" as const, epoch, position, head, retry_ms: null };
      return { state: next, output: foreign ? { type: "reset", reason: "another log" } : { type: "hello" } };
    }
    case "reset": {
      const head = numberIn(data, "head");
      const epoch = parseId(input.id)?.epoch ?? state.epoch;
      return { state: { ...state, epoch, position: head, head }, output: { type: "reset", reason: String(data["reason"] ?? "") } };
    }
    case "bye":
      return { state: { ...state, phase: "stopping", retry_ms: numberIn(data, "retry_ms") || 1000 }, output: null };
    case "pos":
      return { state: advance(state, numberIn(data, "seq"), numberIn(data, "head")), output: null };
    default:
      return deliver(state, input.event, parseId(input.id), data);
  }
}

/** Splits `EPOCH-SEQ`. */
export function parseId(id: string): { epoch: string; seq: number } | null {
  const found = /^(.+)-(\d+)$/.exec(id);
  return found?.[1] !== undefined ? { epoch: found[1], seq: Number(found[2]) } : null;
}

function deliver(state: StreamState, event: string, id: ReturnType<typeof parseId>, data: Record<string, unknown>): Step {
  const output = outputOf(event, withoutNulls(data));
  if (output === null) return { state: { ...state, faults: state.faults + 1 }, output: null };
  if (id === null) return { state, output };
  if (state.epoch === id.epoch && id.seq < state.position) return { state: { ...state, faults: state.faults + 1 }, output: null };
  const moved = state.epoch === id.epoch ? state : { ...state, epoch: id.epoch, position: 0 };
  return { state: advance(moved, id.seq, 0), output };
}

function advance(state: StreamState, seq: number, head: number): StreamState {
  const position = Math.max(state.position, seq);
  return { ...state, position, head: Math.max(state.head, head, position) };
}

function outputOf(event: string, data: Record<string, unknown>): StreamOutput | null {
  const has = (...fields: string[]) => fields.every((field) => typeof data[field] === "string");
  if (event === "match" && has("adlist", "ad", "event")) return { type: "match", data: data as unknown as MatchData };
  if (event === "fence" && has("fence", "event")) return { type: "fence", data: data as unknown as FenceData };
  if (event === "change" && has("collection", "_id", "op")) return { type: "change", data: data as unknown as ChangeData };
  return null;
}

/** The server writes null for what does not apply, such as the user of a device's list. */
export function withoutNulls<T extends object>(data: T): T {
  const kept = Object.entries(data).filter(([, value]) => value !== null);
  return kept.length === Object.keys(data).length ? data : (Object.fromEntries(kept) as T);
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function numberIn(data: Record<string, unknown>, field: string): number {
  const value = data[field];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

const EVENT_NAMES = ["hello", "match", "fence", "change", "pos", "reset", "bye"] as const;
const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 30_000;

/** Owns the EventSource; a connection that the browser gives up is opened again from the last position. */
export class Stream {
  private source: EventSource | null = null;
  private timer: number | undefined;
  private attempts = 0;
  state = INITIAL;

  constructor(
    private readonly onOutput: (output: StreamOutput) => void,
    private readonly onState: (state: StreamState) => void,
    /** Asked when the server refused the connection; false ends the stream (no session any more). */
    private readonly mayRetry: () => Promise<boolean>,
  ) {}

  open(): void {
    this.close();
    const { lastId } = this.state;
    const resume = lastId === null ? "" : `&last_event_id=${encodeURIComponent(lastId)}`;
    const source = new EventSource(`/api/stream?topics=${TOPICS}${resume}`);
    for (const name of EVENT_NAMES) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        this.take({ type: "event", event: name, id: event.lastEventId, data: event.data });
      });
    }
    source.onerror = () => {
      this.take({ type: "lost" });
      if (source.readyState === EventSource.CLOSED) void this.retry();
    };
    this.source = source;
    this.onState(this.state);
  }

  /** Ends the session: the next opening starts at the head. */
  end(): void {
    this.close();
    this.state = INITIAL;
  }

  close(): void {
    window.clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  private take(input: StreamInput): void {
    const { state, output } = step(this.state, input);
    const changed = state.phase !== this.state.phase;
    this.state = state;
    if (state.phase === "live") this.attempts = 0;
    if (output !== null) this.onOutput(output);
    if (changed) this.onState(state);
  }

  private async retry(): Promise<void> {
    this.close();
    if (!(await this.mayRetry())) return;
    const backoff = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.attempts) * (0.75 + Math.random() / 2);
    this.attempts += 1;
    this.timer = window.setTimeout(() => this.open(), Math.max(this.state.retry_ms ?? 0, backoff));
  }
}
