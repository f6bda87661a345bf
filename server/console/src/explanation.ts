/**
 * Reads the answer of `GET /api/explain/match`: the verdict and each test with its numbers.
 *
 * The reading is lenient about names, since the answer says in full what the reader needs in any case:
 * whatever is not recognised is still shown as JSON.
 */

export interface Test {
  readonly name: string;
  readonly passed: boolean | null;
  readonly facts: readonly (readonly [name: string, value: string])[];
}

export interface Explanation {
  readonly verdict: boolean | null;
  readonly tests: readonly Test[];
}

const VERDICTS = ["matches", "match", "matched", "result"];
const LISTS = ["tests", "steps", "checks"];
const NAMES = ["test", "name", "check", "step"];
const OUTCOMES = ["passed", "pass", "ok", "holds", "result", "matches", "accepted"];

export function readExplanation(body: unknown): Explanation {
  const answer = asObject(body);
  const verdict = pick(answer, VERDICTS, "boolean") as boolean | undefined;
  const tests = LISTS.map((name) => answer[name]).find((value) => typeof value === "object" && value !== null);
  return { verdict: verdict ?? null, tests: Array.isArray(tests) ? tests.map(readTest) : readNamedTests(asObject(tests)) };
}

function readTest(item: unknown): Test {
  const test = asObject(item);
  const name = (pick(test, NAMES, "string") as string | undefined) ?? "test";
  return { name, passed: outcomeOf(test), facts: factsOf(test) };
}

function readNamedTests(tests: Record<string, unknown>): Test[] {
  return Object.entries(tests).map(([name, value]) => {
    if (typeof value === "boolean") return { name, passed: value, facts: [] };
    const test = asObject(value);
    return { name, passed: outcomeOf(test), facts: factsOf(test) };
  });
}

function outcomeOf(test: Record<string, unknown>): boolean | null {
  return (pick(test, OUTCOMES, "boolean") as boolean | undefined) ?? null;
}

function factsOf(test: Record<string, unknown>): [string, string][] {
  const known = new Set(NAMES.filter((name) => typeof test[name] === "string"));
  for (const name of OUTCOMES) if (typeof test[name] === "boolean") known.add(name);
  return Object.entries(test)
    .filter(([name, value]) => !known.has(name) && value !== null)
    .map(([name, value]) => [name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : String(value)]);
}

function pick(object: Record<string, unknown>, names: readonly string[], type: "boolean" | "string"): unknown {
  return names.map((name) => object[name]).find((value) => typeof value === type);
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
