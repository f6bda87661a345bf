import { describe, expect, test } from "vitest";
import { EventLog, EVENTS_MAX } from "./events";

const addMatches = (log: EventLog, count: number) => {
  for (let index = 0; index < count; index += 1) log.addMatch({ adlist: "l", ad: `a${index}`, event: "enter" }, index);
};
const addFences = (log: EventLog, count: number) => {
  for (let index = 0; index < count; index += 1) log.addFence({ fence: `f${index}`, event: "exit" }, index);
};

describe("event log", () => {
  test("shows the newest first", () => {
    const log = new EventLog();
    addMatches(log, 2);
    addFences(log, 1);
    expect(log.shown().map((event) => event.key)).toEqual([3, 2, 1]);
  });

  test.each([0, 1, EVENTS_MAX - 1, EVENTS_MAX, EVENTS_MAX + 1, 10 * EVENTS_MAX])("after %i matches it shows at most the bound", (count) => {
    const log = new EventLog();
    addMatches(log, count);
    expect(log.shown()).toHaveLength(Math.min(count, EVENTS_MAX));
    expect(log.shown()[0]?.key).toBe(count === 0 ? undefined : count);
  });

  test("a rush of matches does not push out the fence events", () => {
    const log = new EventLog();
    addFences(log, 3);
    addMatches(log, 5 * EVENTS_MAX);
    log.filter = "fence";
    expect(log.shown()).toHaveLength(3);
    log.filter = "match";
    expect(log.shown()).toHaveLength(EVENTS_MAX);
  });

  test("held, it stands still and counts what waits", () => {
    const log = new EventLog();
    addMatches(log, 5);
    log.hold();
    const before = log.shown();
    addMatches(log, 3);
    addFences(log, 2);
    expect(log.shown()).toEqual(before);
    expect(log.waiting()).toBe(5);
    log.filter = "fence";
    expect(log.waiting()).toBe(2);
    log.filter = "all";
    log.release();
    expect(log.shown()).toHaveLength(10);
    expect(log.waiting()).toBe(0);
  });

  test("a long hold keeps what it shows and stays bounded", () => {
    const log = new EventLog();
    addMatches(log, EVENTS_MAX);
    log.hold();
    const before = log.shown();
    addMatches(log, 20 * EVENTS_MAX);
    expect(log.shown()).toEqual(before);
    expect(log.waiting()).toBeLessThanOrEqual(EVENTS_MAX);
    log.release();
    expect(log.shown()[0]?.key).toBe(21 * EVENTS_MAX);
    expect(log.shown()).toHaveLength(EVENTS_MAX);
    addMatches(log, 1);
    expect(log.shown()[0]?.key).toBe(21 * EVENTS_MAX + 1);
  });

  test("holding twice does not move the line", () => {
    const log = new EventLog();
    log.hold();
    addMatches(log, 1);
    log.hold();
    expect(log.shown()).toHaveLength(0);
    expect(log.waiting()).toBe(1);
  });
});
