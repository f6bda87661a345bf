/**
 * The map: owns the canvas, the camera, the order of the layers and the frame loop.
 *
 * It draws what the world holds and never changes it. `data-drawn` on the canvas tells how many devices
 * the last frame showed.
 */

import { Camera, type View } from "./camera";
import type { City } from "./cities";
import { listen } from "./gestures";
import { targetAt } from "./hit";
import { drawAdlists } from "./layers/adlists";
import { drawAds } from "./layers/ads";
import { drawBase } from "./layers/base";
import { drawDevices } from "./layers/devices";
import { drawFences } from "./layers/fences";
import { badgesOf, drawGroups } from "./layers/groups";
import { Pulses } from "./layers/pulses";
import type { Palette } from "./palette";
import { toWorld, worldPerMetre, type LonLat } from "./projection";
import type { LayerName, Scene, Target } from "./scene";
import type { Shape } from "./shape";
import type { World } from "./world";
import { lengthText, roundLength } from "./words";

const FRAME_MS = 33;
const STILL_FRAME_MS = 500;
const FLIGHT_MS = 700;
const TOUCH_REACH_PX = 20;
const MOUSE_REACH_PX = 12;
const SCALE_PX_MAX = 110;

interface Flight {
  readonly from: View;
  readonly to: View;
  readonly start_ms: number;
}

export interface MapEvents {
  chosen(target: Target | null): void;
  cityChosen(city: City): void;
  nameOf(target: Target): string;
}

export class LiveMap {
  readonly camera = new Camera();
  readonly pulses = new Pulses();
  readonly visible = new Set<LayerName>(["devices", "ads", "lists", "fences", "matches"]);
  cities: readonly City[] = [];
  selected: Target | null = null;
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");
  private readonly coarse = matchMedia("(pointer: coarse)");
  private readonly ctx: CanvasRenderingContext2D;
  private flight: Flight | null = null;
  private last_ms = 0;
  private fresh = false;
  private drawn = -1;
  private hover: [number, number] | null = null;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly tip: HTMLElement,
    private readonly scale: HTMLElement,
    private readonly world: World,
    private readonly palette: Palette,
    private readonly events: MapEvents,
  ) {
    const ctx = canvas.getContext("2d", { alpha: false });
    if (ctx === null) throw new Error("this browser cannot draw on a canvas");
    this.ctx = ctx;
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
    listen({
      canvas,
      camera: this.camera,
      moved: () => this.moved(),
      chosen: (px, py) => this.choose(px, py),
      hovered: (px, py) => this.hovered(px, py),
      left: () => this.hovered(),
      zoomBy: (levels) => this.zoomBy(levels),
      home: () => this.home(),
    });
    requestAnimationFrame((now_ms) => this.frame(now_ms));
  }

  /** Draw soon, although nothing moves. */
  refresh(): void {
    this.fresh = false;
  }

  zoomBy(levels: number): void {
    const { width, height } = this.camera;
    this.camera.zoomAt(width / 2, height / 2, levels);
    this.moved();
  }

  home(): void {
    this.fly({ x: this.camera.x, y: 0.42, zoom: this.camera.zoomMin });
  }

  flyToCity({ center, reach }: City): void {
    const [x] = toWorld(center[0], center[1]);
    const half = Math.max(reach[0], 0.02) / 360;
    const [, north] = toWorld(0, center[1] + Math.max(reach[1], 0.015));
    const [, south] = toWorld(0, center[1] - Math.max(reach[1], 0.015));
    this.fly(this.camera.fitted(x - half, north, x + half, south));
  }

  flyToPoint(at: LonLat, zoom = 14): void {
    const [x, y] = toWorld(at[0], at[1]);
    this.fly({ x, y, zoom: Math.max(zoom, this.camera.zoom) });
  }

  flyToShape(shape: Shape): void {
    this.fly(this.camera.fitted(shape.west, shape.north, shape.east, shape.south, 90));
  }

  private fly(to: View): void {
    const { x, y, zoom } = this.camera;
    const near = { ...to, x: to.x + Math.round(x - to.x) };
    this.flight = this.still.matches ? null : { from: { x, y, zoom }, to: near, start_ms: performance.now() };
    if (this.flight === null) this.camera.set(near);
    this.fresh = false;
  }

  private moved(): void {
    this.flight = null;
    this.fresh = false;
  }

  private resize(): void {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.camera.resize(clientWidth, clientHeight);
    this.draw(performance.now());
  }

  private frame(now_ms: number): void {
    requestAnimationFrame((next_ms) => this.frame(next_ms));
    const due_ms = this.still.matches ? STILL_FRAME_MS : FRAME_MS;
    // Screens tick slightly off their nominal rate; the slack keeps every second frame of a 60 Hz screen.
    if (this.fresh && now_ms - this.last_ms < due_ms - 4) return;
    this.continueFlight(now_ms);
    this.draw(now_ms);
  }

  private continueFlight(now_ms: number): void {
    if (this.flight === null) return;
    const { from, to, start_ms } = this.flight;
    const part = Math.min(1, Math.max(0, (now_ms - start_ms) / FLIGHT_MS));
    const eased = part < 0.5 ? 4 * part ** 3 : 1 - (-2 * part + 2) ** 3 / 2;
    const zoom = from.zoom + (to.zoom - from.zoom) * eased;
    // Going in the scale of the target keeps it in sight all the way, however far the zoom.
    const growth = 2 ** (to.zoom - from.zoom);
    const shift = Math.abs(growth - 1) < 1e-3 ? eased : (1 - 2 ** (from.zoom - zoom)) / (1 - 1 / growth);
    this.camera.set({ x: from.x + (to.x - from.x) * shift, y: from.y + (to.y - from.y) * shift, zoom });
    if (part === 1) this.flight = null;
  }

  private draw(now_ms: number): void {
    this.last_ms = now_ms;
    this.fresh = true;
    const { ctx, camera, world, palette, selected } = this;
    const badges = this.visible.has("devices") ? badgesOf(camera, this.cities) : [];
    const scene: Scene = { ctx, camera, world, palette, now_ms, badges, selected, still: this.still.matches };
    drawBase(scene);
    if (this.visible.has("fences")) drawFences(scene);
    if (this.visible.has("lists")) drawAdlists(scene);
    if (this.visible.has("ads")) drawAds(scene);
    const drawn = this.visible.has("devices") ? drawDevices(scene) : 0;
    if (this.visible.has("matches")) this.pulses.draw(scene);
    drawGroups(scene);
    if (drawn !== this.drawn) this.canvas.dataset["drawn"] = String((this.drawn = drawn));
    this.showScale();
    this.showTip();
  }

  private showScale(): void {
    const { camera } = this;
    const [, lat] = camera.lonLat(camera.width / 2, camera.height / 2);
    const metresPerPixel = 1 / (worldPerMetre(lat) * camera.scale);
    const length_m = roundLength(metresPerPixel * SCALE_PX_MAX);
    const text = lengthText(length_m);
    const width = `${Math.round(length_m / metresPerPixel)}px`;
    if (this.scale.style.width !== width) this.scale.style.width = width;
    if (this.scale.textContent !== text) this.scale.textContent = text;
  }

  private targetAt(px: number, py: number): Target | null {
    const reach_px = this.coarse.matches ? TOUCH_REACH_PX : MOUSE_REACH_PX;
    return targetAt(this.world, this.camera, px, py, this.visible, reach_px);
  }

  private badgeAt(px: number, py: number): City | null {
    if (!this.visible.has("devices")) return null;
    const badges = badgesOf(this.camera, this.cities);
    return badges.find((badge) => Math.hypot(badge.px - px, badge.py - py) <= badge.radius_px + 5)?.city ?? null;
  }

  private choose(px: number, py: number): void {
    const city = this.badgeAt(px, py);
    if (city !== null) this.events.cityChosen(city);
    else this.events.chosen(this.targetAt(px, py));
    this.fresh = false;
  }

  private hovered(px?: number, py?: number): void {
    this.hover = px === undefined || py === undefined ? null : [px, py];
  }

  private showTip(): void {
    const { hover } = this;
    const overBadge = hover !== null && this.badgeAt(...hover) !== null;
    const target = hover === null || overBadge ? null : this.targetAt(...hover);
    this.canvas.style.cursor = target !== null || overBadge ? "pointer" : "grab";
    this.tip.hidden = target === null;
    if (target === null || hover === null) return;
    const name = this.events.nameOf(target);
    if (this.tip.textContent !== name) this.tip.textContent = name;
    const left = Math.min(hover[0] + 14, this.camera.width - this.tip.offsetWidth - 8);
    this.tip.style.transform = `translate(${Math.round(Math.max(4, left))}px, ${Math.round(hover[1] + 16)}px)`;
  }
}
