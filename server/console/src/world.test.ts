import { describe, expect, test } from "vitest";
import type { Positions } from "./api";
import { clustersOf } from "./clusters";
import { citiesOf } from "./cities";
import { readExplanation } from "./explanation";
import type { LonLat } from "./projection";
import { Rate } from "./rate";
import { takeDemoPassword } from "./session";
import { ageText, curlCommand, distanceText, parseTime, roundLength } from "./words";
import { World } from "./world";

const at = (device: string, lon: number, lat: number): Positions["features"][number] => ({
  type: "Feature",
  geometry: { type: "Point", coordinates: [lon, lat] },
  properties: { device },
});
const seen = (...features: Positions["features"]): Positions => ({ type: "FeatureCollection", features });

describe("world", () => {
  test("an older version never replaces a newer one", () => {
    const world = new World();
    world.put("ads", { _id: "a", _seq: 5, title: "new" });
    expect(world.put("ads", { _id: "a", _seq: 4, title: "old" })).toBe(false);
    expect(world.ads.get("a")?.title).toBe("new");
  });

  test("a load drops what is gone, keeps what came during it, and counts what was not read", () => {
    const world = new World();
    world.put("fences", { _id: "gone", _seq: 1 });
    world.put("fences", { _id: "fresh", _seq: 99 });
    world.load("fences", { items: [{ _id: "kept", _seq: 10 }], total: 7 });
    expect([...world.fences.keys()].sort()).toEqual(["fresh", "kept"]);
    expect(world.count("fences")).toBe(8);
  });

  test("a device that left the view is dropped, one outside the asked boxes is not", () => {
    const world = new World();
    world.see(seen(at("in", 1, 1), at("out", 50, 1)), [], 0, 1000);
    world.see(seen(), [[0, 0, 10, 10]], 1000, 1000);
    expect([...world.tracks.keys()]).toEqual(["out"]);
  });

  test("a dot glides the short way over the antimeridian", () => {
    const world = new World();
    world.see(seen(at("d", 179.99, 0)), [], 0, 1000);
    world.see(seen(at("d", -179.99, 0)), [], 1000, 1000);
    const track = world.tracks.get("d")!;
    track.glide(1500);
    expect(track.x).toBeCloseTo(1, 6);
    track.glide(9000);
    expect(track.x).toBeCloseTo(1 + 0.01 / 360, 9);
  });

  test("a document with a shape of an unknown kind is listed but has no outline", () => {
    const world = new World();
    const odd = { _id: "x", geometry: { type: "Polygon", coordinates: null } } as never;
    expect(world.shape(odd, odd)).toBeNull();
  });
});

describe("clusters", () => {
  const around = ([lon, lat]: LonLat, count: number): LonLat[] =>
    Array.from({ length: count }, (_, index) => [lon + Math.cos(index) * 0.1, lat + Math.sin(index) * 0.1]);

  test("cities come out largest first, with names", () => {
    const points = [...around([13.4, 52.52], 20), ...around([-0.12, 51.5], 50), ...around([139.75, 35.68], 30)];
    const cities = citiesOf(clustersOf(points, 10));
    expect(cities.map((city) => [city.name, city.count])).toEqual([["London", 50], ["Tokyo", 30], ["Berlin", 20]]);
  });

  test("a group on the antimeridian is one group, centred on it", () => {
    const [group, ...others] = clustersOf([[179.95, -17], [-179.95, -17], [180, -17.05]], 10);
    expect(others).toEqual([]);
    expect(Math.abs(group!.center[0])).toBeCloseTo(180, 6);
    expect(group!.reach[0]).toBeLessThan(0.1);
  });

  test("poles and bounds do not break it", () => {
    expect(clustersOf([[0, 90], [0, -90], [-180, 0], [180, 0]], 10).map((group) => group.count)).toEqual([2, 1, 1]);
    expect(clustersOf([], 10)).toEqual([]);
  });
});

describe("rate", () => {
  test("averages the last ten whole seconds and forgets older ones", () => {
    const rate = new Rate();
    for (let second = 0; second < 10; second += 1) for (let hit = 0; hit < 3; hit += 1) rate.add(1_000_000 + second * 1000);
    expect(rate.perSecond(1_010_000)).toBe(3);
    expect(rate.perSecond(1_015_000)).toBe(1.5);
    expect(rate.perSecond(1_100_000)).toBe(0);
    expect(rate.history(1_100_000)).toHaveLength(59);
  });
});

describe("explanation", () => {
  test("reads a list of tests", () => {
    const body = { matches: false, tests: [{ test: "area", passed: false, distance_m: 12.5 }, { test: "price", passed: null }] };
    expect(readExplanation(body)).toEqual({
      verdict: false,
      tests: [
        { name: "area", passed: false, facts: [["distance m", "12.5"]] },
        { name: "price", passed: null, facts: [] },
      ],
    });
  });

  test("reads the server's answer, and leaves out what is null", () => {
    const area = { test: "area", kind: "around", passed: true, distance_m: 40.1, radius_m: 500, position: [13.4, 52.5] };
    const body = { ad: "a", adlist: "l", matches: true, member: true, tests: [area, { test: "price", passed: true, min: null, found: 3 }] };
    expect(readExplanation(body)).toEqual({
      verdict: true,
      tests: [
        { name: "area", passed: true, facts: [["kind", "around"], ["distance m", "40.1"], ["radius m", "500"], ["position", "[13.4,52.5]"]] },
        { name: "price", passed: true, facts: [["found", "3"]] },
      ],
    });
  });

  test("reads tests by name, and anything else as nothing", () => {
    expect(readExplanation({ match: true, tests: { active: true, area: { ok: true } } })).toEqual({
      verdict: true,
      tests: [{ name: "active", passed: true, facts: [] }, { name: "area", passed: true, facts: [] }],
    });
    for (const body of [null, 3, [], {}, { tests: "x" }]) expect(readExplanation(body)).toEqual({ verdict: null, tests: [] });
  });
});

describe("words", () => {
  test("times of both dialects", () => {
    expect(parseTime("2026-01-31T12:00:00+0000")).toBe(Date.UTC(2026, 0, 31, 12));
    expect(parseTime("2026-01-31T12:00:00.5Z")).toBe(Date.UTC(2026, 0, 31, 12) + 500);
    expect(parseTime("soon")).toBeNull();
  });

  test("ages, distances, scales", () => {
    expect([-5, 900, 59_999, 61_000, 7_200_000].map(ageText)).toEqual(["now", "now", "59 s", "1 min", "2 h"]);
    expect([12.4, 1234, 45_678, 1_234_567].map(distanceText)).toEqual(["12 m", "1.23 km", "45.7 km", "1235 km"]);
    expect([130, 99, 0.7, 49_999].map(roundLength)).toEqual([100, 50, 0.5, 20_000]);
  });

  test("a curl command cannot be broken out of", () => {
    expect(curlCommand("http://h", "/api/ads/a'; rm")).toBe(`curl -s -H "Authorization: Bearer $DATELINE_TOKEN" 'http://h/api/ads/a'\\''; rm'`);
  });
});

describe("demo address", () => {
  const take = (hash: string) => {
    const replaced: string[] = [];
    const location = { hash, pathname: "/", search: "?x=1" } as Location;
    const history = { replaceState: (_: unknown, __: string, url: string) => replaced.push(url) } as unknown as History;
    return { password: takeDemoPassword(location, history), replaced };
  };

  test.each([
    ["#demo=secret", "secret", ["/?x=1"]],
    ["#demo=a%20b%2B", "a b+", ["/?x=1"]],
    ["#demo=50%", "50%", ["/?x=1"]],
    ["#demo=", null, []],
    ["#other", null, []],
    ["", null, []],
  ])("%j", (hash, password, replaced) => expect(take(hash)).toEqual({ password, replaced }));
});
