/**
 * Fences: filled outlines, named when they are large enough on the screen.
 */

import { isSelected, type Scene } from "../scene";
import { middleOf, strokeShape, trace } from "../shape";

const NAME_PX_MIN = 64;

export function drawFences(scene: Scene): void {
  const { ctx, camera, world, palette } = scene;
  ctx.lineJoin = "round";
  for (const fence of world.fences.values()) {
    if (fence.active === false) continue;
    const shape = world.shape(fence, fence);
    if (shape === null) continue;
    ctx.beginPath();
    if (!trace(ctx, camera, shape)) continue;
    const selected = isSelected(scene, "fence", fence._id);
    ctx.fillStyle = palette.colour("fence-fill");
    ctx.fill("evenodd");
    ctx.lineWidth = selected ? 3.5 : 1.75;
    ctx.strokeStyle = palette.colour(selected ? "select" : "fence");
    ctx.setLineDash([7, 4]);
    strokeShape(ctx, camera, shape);
    ctx.setLineDash([]);
    const across = (shape.east - shape.west) * camera.scale;
    if (across < NAME_PX_MIN || fence.name === undefined) continue;
    const [x] = middleOf(shape);
    const [px, py] = camera.place(x, shape.north);
    ctx.font = "600 12px system-ui, sans-serif";
    ctx.textAlign = "center";
    ctx.textBaseline = "bottom";
    ctx.lineWidth = 3;
    ctx.strokeStyle = palette.colour("place-halo");
    ctx.fillStyle = palette.colour("fence");
    ctx.strokeText(fence.name, px, py - 4);
    ctx.fillText(fence.name, px, py - 4);
  }
}
