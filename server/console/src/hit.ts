/**
 * What is under a point of the map: the nearest dot or diamond, else a list's edge, else the smallest area.
 */

import type { Camera } from "./camera";
import { worldPerMetre } from "./projection";
import type { LayerName, Target } from "./scene";
import { contains, type Shape } from "./shape";
import type { World } from "./world";

const POINT_REACH_PX = 12;
const EDGE_REACH_PX = 5;

export function targetAt(
  world: World,
  camera: Camera,
  px: number,
  py: number,
  visible: ReadonlySet<LayerName>,
  reach_px = POINT_REACH_PX,
): Target | null {
  return (
    nearestPoint(world, camera, px, py, visible, reach_px) ??
    (visible.has("lists") ? listEdge(world, camera, px, py) : null) ??
    areaUnder(world, camera, px, py, visible)
  );
}

function nearestPoint(
  world: World,
  camera: Camera,
  px: number,
  py: number,
  visible: ReadonlySet<LayerName>,
  reach_px: number,
): Target | null {
  let best: Target | null = null;
  let bestDistance = reach_px;
  const offer = (kind: Target["kind"], id: string, x: number, y: number) => {
    const [qx, qy] = camera.place(x, y);
    const distance = Math.hypot(qx - px, qy - py);
    if (distance <= bestDistance) [best, bestDistance] = [{ kind, id }, distance];
  };
  if (visible.has("ads")) {
    for (const ad of world.ads.values()) {
      const point = ad.active === false ? null : world.adPoint(ad);
      if (point !== null) offer("ad", ad._id, point[0], point[1]);
    }
  }
  if (visible.has("devices")) for (const track of world.tracks.values()) offer("device", track.id, track.x, track.y);
  return best;
}

function listEdge(world: World, camera: Camera, px: number, py: number): Target | null {
  for (const list of world.adlists.values()) {
    if (list.active === false) continue;
    const around = world.aroundOf(list);
    if (around !== null) {
      const [qx, qy] = camera.place(around.x, around.y);
      const off = Math.abs(Math.hypot(qx - px, qy - py) - around.radius * camera.scale);
      if (off <= EDGE_REACH_PX) return { kind: "adlist", id: list._id };
      continue;
    }
    const circle = list.area?.circle;
    if (circle === undefined) continue;
    const [qx, qy] = camera.screen(circle.center);
    const radius_px = circle.radius_m * worldPerMetre(circle.center[1]) * camera.scale;
    if (Math.abs(Math.hypot(qx - px, qy - py) - radius_px) <= EDGE_REACH_PX) return { kind: "adlist", id: list._id };
  }
  return null;
}

/** The smallest fence or fixed list area that holds the point. */
function areaUnder(world: World, camera: Camera, px: number, py: number, visible: ReadonlySet<LayerName>): Target | null {
  const [x, y] = camera.world(px, py);
  let best: Target | null = null;
  let bestSize = Infinity;
  const offer = (kind: Target["kind"], id: string, shape: Shape | null) => {
    if (shape === null) return;
    const size = (shape.east - shape.west) * (shape.south - shape.north);
    if (size < bestSize && contains(shape, x, y)) [best, bestSize] = [{ kind, id }, size];
  };
  if (visible.has("fences")) {
    for (const fence of world.fences.values()) if (fence.active !== false) offer("fence", fence._id, world.shape(fence, fence));
  }
  if (visible.has("lists")) {
    for (const list of world.adlists.values()) {
      if (list.active !== false && list.area && !list.area.around) offer("adlist", list._id, world.shape(list, list.area));
    }
  }
  return best;
}
