import { describe, expect, test } from "vitest";
import { Camera } from "./camera";
import { circleRing, destination, distanceM, LAT_LIMIT, toLonLat, toWorld, unwrap, wrapLon, type LonLat } from "./projection";
import { contains, shapeOf } from "./shape";

describe("projection", () => {
  test.each([
    [0, 0, 0.5, 0.5],
    [-180, 0, 0, 0.5],
    [180, LAT_LIMIT, 1, 0],
    [90, -LAT_LIMIT, 0.75, 1],
    [0, 90, 0.5, 0],
  ])("puts %f, %f at %f, %f of the unit square", (lon, lat, x, y) => {
    const [worldX, worldY] = toWorld(lon, lat);
    expect(worldX).toBeCloseTo(x, 12);
    expect(worldY).toBeCloseTo(y, 9);
  });

  test.each<LonLat>([
    [13.4, 52.52],
    [-179.999, -16.9],
    [151.2, -33.9],
    [0, 85],
  ])("comes back from %f, %f", (lon, lat) => {
    const [lonBack, latBack] = toLonLat(...toWorld(lon, lat));
    expect(lonBack).toBeCloseTo(lon, 9);
    expect(latBack).toBeCloseTo(lat, 9);
  });

  test("wraps longitudes into [-180, 180)", () => {
    expect([180, -180, 181, 540, -190, 0].map(wrapLon)).toEqual([-180, -180, -179, -180, 170, 0]);
  });
});

describe("sphere", () => {
  test.each<[LonLat, LonLat, number]>([
    [[0, 0], [0, 0], 0],
    // A quarter and a half of a great circle, radius 6371008.8 m.
    [[0, 0], [90, 0], 10007557.22],
    [[0, 90], [0, -90], 20015114.44],
    [[179.5, 0], [-179.5, 0], 111195.08],
    [[0, 60], [180, 60], 6671704.81],
  ])("from %s to %s is %f m", (a, b, expected) => {
    expect(Math.abs(distanceM(a, b) - expected)).toBeLessThan(0.02);
  });

  test.each<[LonLat, number]>([
    [[13.4, 52.52], 1000],
    [[179.99, -16.9], 5000],
    [[20, 88], 900_000],
    [[0, -90], 2_000_000],
    [[-60, 0], 9_000_000],
  ])("every point of the circle round %s is %f m away", (center, radius_m) => {
    const ring = circleRing(center, radius_m);
    expect(ring).toHaveLength(72);
    for (const point of ring) expect(Math.abs(distanceM(center, point) - radius_m)).toBeLessThan(0.01);
  });

  test("goes east over the antimeridian", () => {
    const [lon, lat] = destination([179.9, 0], 90, 22_239.016);
    expect(lon).toBeCloseTo(-179.9, 5);
    expect(lat).toBeCloseTo(0, 9);
  });
});

describe("unwrap", () => {
  test("keeps a shape over the antimeridian in one piece", () => {
    const { points, outline } = unwrap([[179, 0], [-179, 0], [-179, 1], [179, 1]], true);
    expect(outline).toBe(points.length);
    expect(points[2]! - points[0]!).toBeCloseTo(2 / 360, 12);
  });

  test("closes a ring round the north pole along the northern edge, outside the outline", () => {
    const { points, outline } = unwrap(circleRing([0, 90], 1_000_000, 36), true);
    const added = points.slice(outline);
    expect(added.filter((_, index) => index % 2 === 1)).toEqual(Float64Array.of(0, 0));
    expect(Math.abs(added[0]! - added[2]!)).toBeCloseTo(1, 9);
  });

  test("closes a ring round the south pole along the southern edge", () => {
    const { points, outline } = unwrap(circleRing([40, -88], 900_000), true);
    expect(points[outline + 1]).toBe(1);
  });
});

describe("shapes", () => {
  const inside = (shape: ReturnType<typeof shapeOf>, lon: number, lat: number) => shape !== null && contains(shape, ...toWorld(lon, lat));

  test("a circle over the antimeridian holds points on both sides", () => {
    const circle = shapeOf({ circle: { center: [180, -17], radius_m: 50_000 } });
    expect([179.8, -179.8, 179, -179].map((lon) => inside(circle, lon, -17))).toEqual([true, true, false, false]);
  });

  test("a circle round the pole holds all longitudes near it and none beyond", () => {
    const cap = shapeOf({ circle: { center: [20, 88], radius_m: 900_000 } });
    expect([-170, -90, 0, 90, 179].map((lon) => inside(cap, lon, 84.5))).toEqual([true, true, true, true, true]);
    expect([-170, -90, 0, 90, 179].map((lon) => inside(cap, lon, 70))).toEqual([false, false, false, false, false]);
  });

  test("a hole is outside", () => {
    const square = (from: number, to: number) => [[from, from], [to, from], [to, to], [from, to], [from, from]];
    const shape = shapeOf({ geometry: { type: "Polygon", coordinates: [square(0, 10), square(4, 6)] } });
    expect([1, 5, 11].map((at) => inside(shape, at, at))).toEqual([true, false, false]);
  });

  test("a sector reaches clockwise from its first to its second bearing", () => {
    const shape = shapeOf({ sector: { center: [0, 0], radius_m: 100_000, bearing: [350, 80] } });
    expect([inside(shape, 0.3, 0.3), inside(shape, -0.3, 0.3), inside(shape, 0.3, -0.3)]).toEqual([true, false, false]);
  });
});

describe("camera", () => {
  const camera = (lon: number, lat: number, zoom: number) => {
    const made = new Camera();
    made.resize(800, 600);
    const [x, y] = toWorld(lon, lat);
    made.set({ x, y, zoom });
    return made;
  };

  test("screen and lonLat are inverse", () => {
    const view = camera(13.4, 52.5, 12);
    const [px, py] = view.screen([13.42, 52.51]);
    const [lon, lat] = view.lonLat(px, py);
    expect(lon).toBeCloseTo(13.42, 9);
    expect(lat).toBeCloseTo(52.51, 9);
  });

  test("zooming keeps the point under the pointer", () => {
    const view = camera(13.4, 52.5, 12);
    const before = view.lonLat(100, 500);
    view.zoomAt(100, 500, 1.5);
    const after = view.lonLat(100, 500);
    expect(after[0]).toBeCloseTo(before[0], 9);
    expect(after[1]).toBeCloseTo(before[1], 9);
  });

  test("a view over the antimeridian asks for two boxes that meet there", () => {
    const boxes = camera(179.95, -17, 11).boxes();
    expect(boxes).toHaveLength(2);
    expect(boxes[0]![2]).toBe(180);
    expect(boxes[1]![0]).toBe(-180);
    for (const [west, , east] of boxes) expect(west).toBeLessThan(east);
  });

  test("elsewhere one box is enough, and it never leaves the world", () => {
    expect(camera(13, 52, 10).boxes()).toHaveLength(1);
    const [whole] = camera(0, 89, 0).boxes();
    expect(whole![3]).toBeLessThanOrEqual(LAT_LIMIT + 1e-9);
  });

  test("a point just over the antimeridian is drawn next to the centre", () => {
    const [px] = camera(179.99, 0, 10).screen([-179.99, 0]);
    expect(px).toBeGreaterThan(400);
    expect(px).toBeLessThan(430);
  });
});
