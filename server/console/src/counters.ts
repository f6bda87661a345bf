/**
 * The numbers in the header, and the last minute of matches as a line.
 */

import { byId, setText } from "./element";
import type { Rate } from "./rate";
import type { World } from "./world";
import { countText } from "./words";

const WIDTH = 88;
const HEIGHT = 24;

export class Counters {
  private readonly devices = byId("device-count");
  private readonly ads = byId("ad-count");
  private readonly lists = byId("list-count");
  private readonly fences = byId("fence-count");
  private readonly rate = byId("match-rate");
  private readonly line = document.getElementById("rate-line");

  constructor(
    private readonly world: World,
    private readonly matches: Rate,
  ) {}

  render(now_ms: number): void {
    // Plain digits: tests and scripts read this one as a number.
    setText(this.devices, String(Math.max(this.world.devices, this.world.tracks.size)));
    setText(this.ads, countText(this.world.count("ads")));
    setText(this.lists, countText(this.world.count("adlists")));
    setText(this.fences, countText(this.world.count("fences")));
    const perSecond = this.matches.perSecond(now_ms);
    setText(this.rate, perSecond >= 100 ? countText(Math.round(perSecond)) : perSecond.toFixed(1));
    this.drawLine(this.matches.history(now_ms));
  }

  private drawLine(history: readonly number[]): void {
    const top = Math.max(4, ...history);
    const points = history.map((count, index) => {
      const x = (index / (history.length - 1)) * WIDTH;
      const y = HEIGHT - 2 - (count / top) * (HEIGHT - 4);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    this.line?.setAttribute("points", points.join(" "));
  }
}
