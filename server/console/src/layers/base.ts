/**
 * The base map: sea, land, borders, graticule and city names, all from data built into the page.
 *
 * The coast is drawn for the whole world at 1:110 million; close up it would be wrong by kilometres,
 * so it fades out and the graticule and city names carry the orientation.
 */

import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import type { MultiPolygon, Polygon, Position } from "geojson";
import atlasText from "world-atlas/countries-110m.json";
import { places } from "../places";
import { unwrap } from "../projection";
import { onScreen, type Scene } from "../scene";

const COAST_FADE_START = 7;
const COAST_FADE_END = 9;
const GRID_STEPS = [45, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002];
const GRID_PX_MIN = 110;
const LABELS_MAX = 60;
/** Room under a badge for its name. */
const BADGE_NAME_PX = 22;

type Box = [left: number, top: number, right: number, bottom: number];

interface Outlines {
  readonly land: Path2D;
  readonly borders: Path2D;
}

let outlines: Outlines | null = null;

export function drawBase(scene: Scene): void {
  const { ctx, camera, palette } = scene;
  ctx.fillStyle = palette.colour("sea");
  ctx.fillRect(0, 0, camera.width, camera.height);
  const fade = Math.min(1, Math.max(0, (COAST_FADE_END - camera.zoom) / (COAST_FADE_END - COAST_FADE_START)));
  if (fade > 0) drawLand(scene, fade);
  drawGraticule(scene);
  drawPlaces(scene);
}

function drawLand(scene: Scene, fade: number): void {
  const { ctx, camera, palette } = scene;
  const { land, borders } = (outlines ??= readAtlas());
  for (const offset of camera.copies(-0.5, 1.5)) {
    ctx.save();
    ctx.globalAlpha = fade;
    ctx.translate(camera.width / 2 + (offset - camera.x) * camera.scale, camera.height / 2 - camera.y * camera.scale);
    ctx.scale(camera.scale, camera.scale);
    ctx.fillStyle = palette.colour("land");
    ctx.fill(land, "evenodd");
    ctx.lineJoin = "round";
    ctx.lineWidth = 0.75 / camera.scale;
    ctx.strokeStyle = palette.colour("border");
    ctx.stroke(borders);
    ctx.lineWidth = 1 / camera.scale;
    ctx.strokeStyle = palette.colour("coast");
    ctx.stroke(land);
    ctx.restore();
  }
}

function drawGraticule(scene: Scene): void {
  const { ctx, camera, palette } = scene;
  const perDegree = camera.scale / 360;
  const stepDeg = GRID_STEPS.findLast((candidate) => candidate * perDegree >= GRID_PX_MIN) ?? 45;
  const [, north] = camera.lonLat(0, 0);
  const [, south] = camera.lonLat(0, camera.height);
  const west = (camera.world(0, 0)[0] - 0.5) * 360;
  const east = (camera.world(camera.width, 0)[0] - 0.5) * 360;
  ctx.lineWidth = 1;
  ctx.strokeStyle = palette.colour("grid");
  ctx.beginPath();
  for (let index = Math.ceil(west / stepDeg); index * stepDeg <= east; index += 1) {
    const px = Math.round(camera.width / 2 + ((index * stepDeg) / 360 + 0.5 - camera.x) * camera.scale) + 0.5;
    ctx.moveTo(px, 0);
    ctx.lineTo(px, camera.height);
  }
  for (let index = Math.ceil(south / stepDeg); index * stepDeg <= north; index += 1) {
    const py = Math.round(camera.screen([0, index * stepDeg])[1]) + 0.5;
    ctx.moveTo(0, py);
    ctx.lineTo(camera.width, py);
  }
  ctx.stroke();
}

function drawPlaces(scene: Scene): void {
  const { ctx, camera, palette } = scene;
  const peopleMin = camera.zoom < 3 ? 8e6 : camera.zoom < 4 ? 4e6 : camera.zoom < 5 ? 1.5e6 : camera.zoom < 6.5 ? 6e5 : 0;
  const taken: Box[] = scene.badges.map(({ px, py, radius_px }) => {
    return [px - radius_px - 40, py - radius_px, px + radius_px + 40, py + radius_px + BADGE_NAME_PX];
  });
  const limit = taken.length + LABELS_MAX;
  ctx.font = "500 12px system-ui, sans-serif";
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 3;
  ctx.strokeStyle = palette.colour("place-halo");
  ctx.fillStyle = palette.colour("place");
  for (const place of places) {
    if (place.people < peopleMin || taken.length >= limit) break;
    const [px, py] = camera.place(place.x, place.y);
    if (!onScreen(camera, px, py, 40)) continue;
    const half = place.name.length * 3.4 + 8;
    const box: Box = [px - half, py - 11, px + half, py + 11];
    if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
    taken.push(box);
    ctx.strokeText(place.name, px, py);
    ctx.fillText(place.name, px, py);
  }
}

function readAtlas(): Outlines {
  const atlas = atlasText as unknown as Topology<{ countries: GeometryCollection; land: GeometryCollection }>;
  const land = new Path2D();
  for (const part of feature(atlas, atlas.objects.land).features) {
    const shape = part.geometry as Polygon | MultiPolygon;
    const polygons = shape.type === "Polygon" ? [shape.coordinates] : shape.coordinates;
    for (const ring of polygons.flat()) follow(land, ring, true);
  }
  const borders = new Path2D();
  for (const line of mesh(atlas, atlas.objects.countries, (a, b) => a !== b).coordinates) follow(borders, line, false);
  return { land, borders };
}

/** The atlas cuts nothing at the antimeridian: rings and lines simply jump across it. */
function follow(path: Path2D, positions: readonly Position[], closed: boolean): void {
  const { points } = unwrap(positions.map(([lon, lat]) => [lon ?? 0, lat ?? 0] as const), closed);
  for (let at = 0; at + 1 < points.length; at += 2) {
    const [x, y] = [points[at] ?? 0, points[at + 1] ?? 0];
    if (at === 0) path.moveTo(x, y);
    else path.lineTo(x, y);
  }
}
