/**
 * Seen from far: one badge per group of devices with its count, since single dots would cover each other.
 */

import type { Camera } from "../camera";
import type { City } from "../cities";
import type { Badge, Scene } from "../scene";
import { countText } from "../words";

const ZOOM_MAX = 6;

/** Where badges are; none when the map is close enough for dots. */
export function badgesOf(camera: Camera, cities: readonly City[]): Badge[] {
  if (camera.zoom > ZOOM_MAX) return [];
  return cities.map((city) => {
    const [px, py] = camera.screen(city.center);
    return { city, px, py, radius_px: 11 + Math.min(20, Math.sqrt(city.count)) };
  });
}

export function drawGroups(scene: Scene): void {
  const { ctx, palette, badges } = scene;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 3.5;
  const named: [number, number, number][] = [];
  for (const { city, px, py, radius_px } of badges) {
    ctx.fillStyle = palette.colour("device");
    ctx.beginPath();
    ctx.arc(px, py, radius_px + 5, 0, 2 * Math.PI);
    ctx.globalAlpha = 0.25;
    ctx.fill();
    ctx.globalAlpha = 1;
    ctx.beginPath();
    ctx.arc(px, py, radius_px, 0, 2 * Math.PI);
    ctx.fill();
    ctx.font = "700 12px system-ui, sans-serif";
    ctx.fillStyle = palette.colour("device-edge");
    ctx.fillText(countText(city.count), px, py + 0.5);
    const half = city.name.length * 4 + 4;
    const nameY = py + radius_px + 14;
    // Badges come largest first; a name that would cover another is left to the next zoom.
    if (named.some(([x, y, other]) => Math.abs(x - px) < half + other && Math.abs(y - nameY) < 16)) continue;
    named.push([px, nameY, half]);
    ctx.font = "600 12px system-ui, sans-serif";
    ctx.strokeStyle = palette.colour("place-halo");
    ctx.fillStyle = palette.colour("text");
    ctx.strokeText(city.name, px, nameY);
    ctx.fillText(city.name, px, nameY);
  }
}
