import { describe, expect, test } from "vitest";
import { INITIAL, parseId, step, type StreamInput, type StreamOutput, type StreamState } from "./stream";

const event = (name: string, data: unknown, id = ""): StreamInput => ({
  type: "event",
  event: name,
  id,
  data: typeof data === "string" ? data : JSON.stringify(data),
});
const hello = (from = 10, epoch: number | string = 1) => event("hello", { epoch, from, head: from, floor: 1 });
const match = (seq: number, epoch = 1) => event("match", { adlist: "l", ad: "a", event: "enter", seq }, `${epoch}-${seq}`);

function run(inputs: readonly StreamInput[]): { state: StreamState; outputs: StreamOutput[] } {
  let state = INITIAL;
  const outputs: StreamOutput[] = [];
  for (const input of inputs) {
    const taken = step(state, input);
    state = taken.state;
    if (taken.output) outputs.push(taken.output);
  }
  return { state, outputs };
}

describe("ids", () => {
  test.each([
    ["1-42", { epoch: "1", seq: 42 }],
    ["2a-0", { epoch: "2a", seq: 0 }],
    ["", null],
    ["42", null],
    ["1-x", null],
  ])("%j", (id, expected) => expect(parseId(id)).toEqual(expected));
});

describe("phases", () => {
  test.each<[string, StreamInput[], StreamState["phase"]]>([
    ["before anything", [], "connecting"],
    ["hello makes it live", [hello()], "live"],
    ["a failure before hello is still connecting", [{ type: "lost" }], "connecting"],
    ["a failure after hello is a reconnection", [hello(), { type: "lost" }], "reconnecting"],
    ["hello after a failure is live again", [hello(), { type: "lost" }, hello()], "live"],
    ["a goodbye is no failure", [hello(), event("bye", { reason: "shutdown", retry_ms: 500 }), { type: "lost" }], "stopping"],
  ])("%s", (_, inputs, phase) => expect(run(inputs).state.phase).toBe(phase));

  test("a goodbye tells how long to wait, and hello forgets it", () => {
    const bye = event("bye", { reason: "shutdown", retry_ms: 700 });
    expect(run([hello(), bye]).state.retry_ms).toBe(700);
    expect(run([hello(), bye, hello()]).state.retry_ms).toBeNull();
  });
});

describe("position", () => {
  test("follows the ids and remembers the last one as it came", () => {
    const { state } = run([hello(10), match(11), match(15)]);
    expect(state).toMatchObject({ epoch: "1", position: 15, lastId: "1-15" });
  });

  test("moves on by pos events when the filter passes nothing", () => {
    expect(run([hello(10), event("pos", { seq: 90, head: 95 })]).state).toMatchObject({ position: 90, head: 95 });
  });

  test("drops what lies before it and counts the fault", () => {
    const { state, outputs } = run([hello(10), match(20), match(15)]);
    expect(outputs.map((output) => output.type)).toEqual(["hello", "match"]);
    expect(state).toMatchObject({ position: 20, faults: 1 });
  });

  test("lets several events of one sequence number through", () => {
    expect(run([hello(10), match(20), match(20)]).outputs).toHaveLength(3);
  });

  test("starts over in a new epoch, even with smaller numbers", () => {
    const { state, outputs } = run([hello(100), match(120), hello(3, 2), match(4, 2)]);
    expect(outputs.filter((output) => output.type === "match")).toHaveLength(2);
    expect(state).toMatchObject({ epoch: "2", position: 4, faults: 0 });
  });

  test("starts over when the same epoch comes with a head behind it", () => {
    const { state, outputs } = run([hello(100), match(120), hello(3), match(4)]);
    expect(outputs.map((output) => output.type)).toEqual(["hello", "match", "reset", "match"]);
    expect(state).toMatchObject({ position: 4, faults: 0 });
  });

  test("goes on from the head after a reset", () => {
    const { state, outputs } = run([hello(10), event("reset", { reason: "gone", head: 500 }), match(501)]);
    expect(outputs.map((output) => output.type)).toEqual(["hello", "reset", "match"]);
    expect(state.position).toBe(501);
  });
});

test("what is null in an event is as if it were not there", () => {
  const input = event("match", { adlist: "l", ad: "a", event: "exit", device: null, user: "u", distance_m: null }, "1-11");
  expect(run([hello(10), input]).outputs[1]).toEqual({ type: "match", data: { adlist: "l", ad: "a", event: "exit", user: "u" } });
});

describe("malformed input", () => {
  test.each<[string, StreamInput]>([
    ["no JSON", event("match", "{", "1-11")],
    ["no object", event("match", "[1]", "1-11")],
    ["null", event("match", "null", "1-11")],
    ["a match without an ad", event("match", { adlist: "l", event: "enter" }, "1-11")],
    ["an unknown event", event("weather", { rain: true }, "1-11")],
  ])("%s is counted and not delivered", (_, input) => {
    const { state, outputs } = run([hello(10), input]);
    expect(outputs.map((output) => output.type)).toEqual(["hello"]);
    expect(state).toMatchObject({ faults: 1, position: 10, phase: "live" });
  });
});
