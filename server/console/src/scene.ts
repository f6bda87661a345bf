/**
 * What a layer may look at while it draws one frame.
 */

import type { Camera } from "./camera";
import type { City } from "./cities";
import type { Palette } from "./palette";
import type { World } from "./world";

export type LayerName = "devices" | "ads" | "lists" | "fences" | "matches";

/** One thing on the map that a reader can choose. */
export interface Target {
  readonly kind: "device" | "ad" | "adlist" | "fence";
  readonly id: string;
}

export interface Badge {
  readonly city: City;
  readonly px: number;
  readonly py: number;
  readonly radius_px: number;
}

export interface Scene {
  readonly ctx: CanvasRenderingContext2D;
  readonly camera: Camera;
  readonly world: World;
  readonly palette: Palette;
  readonly now_ms: number;
  /** Groups of devices, drawn as one mark each while the map shows much of the world. */
  readonly badges: readonly Badge[];
  readonly selected: Target | null;
  /** The reader asked the system for less motion. */
  readonly still: boolean;
}

export function isSelected(scene: Scene, kind: Target["kind"], id: string): boolean {
  return scene.selected?.kind === kind && scene.selected.id === id;
}

/** Whether a pixel is on the canvas or within a margin round it. */
export function onScreen(camera: Camera, px: number, py: number, margin_px: number): boolean {
  return px > -margin_px && py > -margin_px && px < camera.width + margin_px && py < camera.height + margin_px;
}
