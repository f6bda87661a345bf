/**
 * Pointer, wheel and keyboard on the map, turned into moves of the camera.
 *
 * One finger or the mouse pans, two fingers pan and pinch; a press that does not travel is a choice.
 */

import type { Camera } from "./camera";

const TRAVEL_PX = 5;
const KEY_PAN_PX = 90;
const KEY_ZOOM = 0.75;

export interface GestureTarget {
  readonly canvas: HTMLCanvasElement;
  readonly camera: Camera;
  /** The reader took over: any flight ends. */
  moved(): void;
  chosen(px: number, py: number): void;
  hovered(px: number, py: number): void;
  left(): void;
  zoomBy(levels: number): void;
  home(): void;
}

export function listen(target: GestureTarget): void {
  const { canvas, camera } = target;
  const pointers = new Map<number, [number, number]>();
  let travel_px = 0;

  const at = (event: PointerEvent | WheelEvent): [number, number] => {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    if (pointers.size === 1) travel_px = 0;
  });

  canvas.addEventListener("pointermove", (event) => {
    const now = at(event);
    const before = pointers.get(event.pointerId);
    if (before === undefined) {
      target.hovered(...now);
      return;
    }
    travel_px += Math.hypot(now[0] - before[0], now[1] - before[1]);
    const others = [...pointers].filter(([id]) => id !== event.pointerId);
    const other = others[0]?.[1];
    if (other === undefined) {
      if (travel_px > TRAVEL_PX) camera.panBy(now[0] - before[0], now[1] - before[1]);
    } else {
      const spread = (point: [number, number]) => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
      camera.panBy((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
      camera.zoomAt((now[0] + other[0]) / 2, (now[1] + other[1]) / 2, Math.log2(spread(now) / spread(before)));
    }
    pointers.set(event.pointerId, now);
    target.moved();
  });

  const release = (event: PointerEvent) => {
    const last = pointers.get(event.pointerId);
    if (!pointers.delete(event.pointerId) || last === undefined) return;
    if (event.type === "pointerup" && pointers.size === 0 && travel_px <= TRAVEL_PX) target.chosen(...last);
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => target.left());

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 16 : event.deltaY;
      camera.zoomAt(...at(event), Math.max(-1, Math.min(1, -lines / 240)));
      target.moved();
    },
    { passive: false },
  );

  canvas.addEventListener("dblclick", (event) => {
    const frame = canvas.getBoundingClientRect();
    camera.zoomAt(event.clientX - frame.left, event.clientY - frame.top, 1);
    target.moved();
  });

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !pressed(event.key, target)) return;
    event.preventDefault();
  });
}

function pressed(key: string, target: GestureTarget): boolean {
  const { camera } = target;
  const pan: Record<string, [number, number]> = {
    ArrowLeft: [KEY_PAN_PX, 0],
    ArrowRight: [-KEY_PAN_PX, 0],
    ArrowUp: [0, KEY_PAN_PX],
    ArrowDown: [0, -KEY_PAN_PX],
  };
  const shift = pan[key];
  if (shift !== undefined) {
    camera.panBy(...shift);
    target.moved();
  } else if (key === "+" || key === "=") target.zoomBy(KEY_ZOOM);
  else if (key === "-") target.zoomBy(-KEY_ZOOM);
  else if (key === "0") target.home();
  else if (key === "Enter" || key === " ") target.chosen(camera.width / 2, camera.height / 2);
  else return false;
  return true;
}
