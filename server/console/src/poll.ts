/**
 * Asks again and again, with a pause between the answer and the next question; longer after failures,
 * not at all while nobody can see the page.
 */

import { ApiError } from "./api";

const FAILURE_MS_MAX = 15_000;

export class Poll {
  private timer: number | undefined;
  private failures = 0;
  private running = false;
  private turn = 0;

  constructor(
    private readonly ask: () => Promise<void>,
    private readonly pause_ms: number,
    private readonly onFailure: (error: unknown) => void,
  ) {
    document.addEventListener("visibilitychange", () => {
      if (this.running && !document.hidden) this.soon();
    });
  }

  start(): void {
    this.running = true;
    this.soon();
  }

  stop(): void {
    this.running = false;
    this.turn += 1;
    window.clearTimeout(this.timer);
  }

  private soon(): void {
    window.clearTimeout(this.timer);
    void this.run(++this.turn);
  }

  private async run(turn: number): Promise<void> {
    let pause_ms = this.pause_ms;
    try {
      await this.ask();
      this.failures = 0;
    } catch (error) {
      this.failures += 1;
      const asked_ms = error instanceof ApiError ? (error.retry_ms ?? 0) : 0;
      pause_ms = Math.max(asked_ms, Math.min(FAILURE_MS_MAX, this.pause_ms * 2 ** this.failures));
      if (turn === this.turn) this.onFailure(error);
    }
    if (this.running && turn === this.turn && !document.hidden) {
      this.timer = window.setTimeout(() => void this.run(turn), pause_ms);
    }
  }
}
