/**
 * Events per second over the last minute, one bucket a second. No clock of its own.
 */

export const RATE_SECONDS = 60;
const AVERAGE_SECONDS = 10;

export class Rate {
  private readonly buckets = new Array<number>(RATE_SECONDS).fill(0);
  private second = 0;

  add(now_ms: number): void {
    this.turn(now_ms);
    const at = this.second % RATE_SECONDS;
    this.buckets[at] = (this.buckets[at] ?? 0) + 1;
  }

  /** Mean of the last whole seconds. */
  perSecond(now_ms: number): number {
    const whole = this.history(now_ms).slice(-AVERAGE_SECONDS);
    return whole.reduce((sum, count) => sum + count, 0) / AVERAGE_SECONDS;
  }

  /** Counts of the last whole seconds, oldest first; the running second is left out. */
  history(now_ms: number): number[] {
    this.turn(now_ms);
    return Array.from({ length: RATE_SECONDS - 1 }, (_, index) => this.buckets[(this.second + 1 + index) % RATE_SECONDS] ?? 0);
  }

  private turn(now_ms: number): void {
    const second = Math.floor(now_ms / 1000);
    const empty = Math.min(RATE_SECONDS, Math.max(0, second - this.second));
    for (let back = 0; back < empty; back += 1) this.buckets[(second - back) % RATE_SECONDS] = 0;
    this.second = Math.max(this.second, second);
  }
}
