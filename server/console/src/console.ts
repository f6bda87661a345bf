/**
 * The console while somebody is signed in: joins stream, polls and lists to the world, map and event list.
 *
 * The stream is opened before the lists are read, and documents are replaced by newer versions only,
 * so nothing that happens in between is missed.
 */

import { ApiError, list, positionsIn, type CollectionName, type Document } from "./api";
import type { Box } from "./camera";
import { citiesOf, CityPicker } from "./cities";
import { clustersOf } from "./clusters";
import { Counters } from "./counters";
import { Details, type Subject } from "./details";
import { byId } from "./element";
import type { LiveEvent } from "./events";
import { EventList } from "./eventlist";
import { Legend } from "./legend";
import { LiveMap } from "./map";
import { Palette } from "./palette";
import { Poll } from "./poll";
import type { LonLat } from "./projection";
import { Rate } from "./rate";
import { Refresh } from "./refresh";
import type { Target } from "./scene";
import { isSignedIn } from "./session";
import type { Status } from "./status";
import { Stream, type ChangeData, type StreamOutput } from "./stream";
import { eventSubject, nameOf, subjectOf } from "./subjects";
import { World } from "./world";

const VIEW_POLL_MS = 1000;
const WORLD_POLL_MS = 15_000;
const CITIES_MAX = 16;
const LOAD_RETRY_MS = 3000;
const WORLD_BOX: Box = [-180, -90, 180, 90];
const COLLECTIONS: readonly CollectionName[] = ["ads", "adlists", "fences"];

export class Console {
  private readonly world = new World();
  private readonly palette = new Palette(document.documentElement);
  private readonly matches = new Rate();
  private readonly counters = new Counters(this.world, this.matches);
  private readonly refresh = new Refresh((collection, items) => this.put(collection, items));
  private readonly map: LiveMap;
  private readonly legend: Legend;
  private readonly details = new Details(() => this.select(null));
  private readonly events: EventList;
  private readonly cities: CityPicker;
  private readonly stream: Stream;
  private readonly viewPoll = new Poll(() => this.lookAtView(), VIEW_POLL_MS, (error) => this.failed(error));
  private readonly worldPoll = new Poll(() => this.lookAtWorld(), WORLD_POLL_MS, (error) => this.failed(error));
  private readonly actions = { open: (target: Target) => this.open(target), show: (target: Target) => this.show(target) };
  private loaded = false;
  private loading = false;
  private placed = false;
  private active = false;

  constructor(
    private readonly status: Status,
    private readonly onSignedOut: () => void,
  ) {
    const canvas = byId<HTMLCanvasElement>("map");
    this.map = new LiveMap(canvas, byId("tip"), byId("scale"), this.world, this.palette, {
      chosen: (target) => (target === null ? this.details.close() : this.open(target)),
      cityChosen: (city) => this.map.flyToCity(city),
      nameOf: (target) => nameOf(this.world, target),
    });
    this.legend = new Legend(this.palette, this.map.visible, () => this.map.refresh());
    this.events = new EventList({
      titleOf: (event) => this.titleOf(event),
      subtitleOf: (event) => this.subtitleOf(event),
      categorySlot: (event) => (event.kind === "match" ? this.palette.slot(this.world.ads.get(event.ad)?.category) : null),
      chosen: (event) => this.openEvent(event),
    });
    this.cities = new CityPicker((city) => this.map.flyToCity(city), () => this.map.home());
    this.stream = new Stream((output) => this.take(output), () => this.showState(), () => this.mayRetry());
    byId("zoom-in").addEventListener("click", () => this.map.zoomBy(1));
    byId("zoom-out").addEventListener("click", () => this.map.zoomBy(-1));
    byId("zoom-world").addEventListener("click", () => this.map.home());
    window.setInterval(() => this.counters.render(Date.now()), 1000);
  }

  start(): void {
    this.active = true;
    this.status.show("connecting");
    this.stream.open();
    this.viewPoll.start();
    this.worldPoll.start();
  }

  stop(): void {
    this.active = false;
    this.loaded = false;
    this.stream.end();
    this.viewPoll.stop();
    this.worldPoll.stop();
    this.details.close();
    this.world.clear();
    this.events.log.clear();
    this.events.changed();
    this.map.cities = [];
    this.map.refresh();
  }

  /** The theme has changed. */
  repaint(): void {
    this.palette.read();
    this.map.refresh();
  }

  private take(output: StreamOutput): void {
    const now_ms = performance.now();
    switch (output.type) {
      case "hello":
        if (!this.loaded) void this.load();
        else this.showState();
        return;
      case "reset":
        void this.load();
        return;
      case "match": {
        const { ad, adlist, device, event } = output.data;
        this.matches.add(Date.now());
        this.events.log.addMatch(output.data, Date.now());
        if (device !== undefined) this.map.pulses.match(ad, device, event === "exit", now_ms);
        if (!this.world.ads.has(ad)) this.refresh.missing("ads", ad);
        if (!this.world.adlists.has(adlist)) this.refresh.missing("adlists", adlist);
        this.events.changed();
        return;
      }
      case "fence":
        this.events.log.addFence(output.data, Date.now());
        this.map.pulses.fence(output.data.fence, output.data.event === "exit", now_ms);
        if (!this.world.fences.has(output.data.fence)) this.refresh.missing("fences", output.data.fence);
        this.events.changed();
        return;
      case "change":
        this.change(output.data);
    }
  }

  private change(change: ChangeData): void {
    const collection = COLLECTIONS.find((name) => name === change.collection);
    if (collection === undefined) return;
    if (change.op === "delete" && collection !== "ads") this.world.remove(collection, change._id);
    // An ad is deactivated, never removed, and so is read again like any other change.
    else this.refresh.changed(collection, change._id);
    this.map.refresh();
  }

  private put(collection: CollectionName, items: readonly Document[]): void {
    for (const item of items) {
      const isNew = !this.world.of(collection).has(item._id);
      this.world.put(collection, item);
      if (collection === "ads" && isNew && this.loaded && item["active"] !== false) this.map.pulses.ring(item._id, performance.now());
    }
    this.named();
  }

  private async load(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    this.showState();
    try {
      const listings = await Promise.all(COLLECTIONS.map((collection) => list<Document>(collection)));
      for (const [index, listing] of listings.entries()) {
        const collection = COLLECTIONS[index];
        if (collection !== undefined && this.active) this.world.load(collection, listing);
      }
      this.loaded = this.active;
      this.named();
    } catch (error) {
      this.failed(error);
      window.setTimeout(() => this.active && !this.loaded && void this.load(), LOAD_RETRY_MS);
    } finally {
      this.loading = false;
      this.showState();
    }
  }

  /** Names and categories have become known. */
  private named(): void {
    for (const category of this.world.categories()) this.palette.slot(category);
    this.legend.render();
    this.events.changed();
    this.counters.render(Date.now());
    this.map.refresh();
  }

  private async lookAtView(): Promise<void> {
    const boxes = this.map.camera.boxes();
    const answers = await Promise.all(boxes.map(positionsIn));
    if (!this.active) return;
    const features = answers.flatMap((answer) => answer.features);
    this.world.see({ type: "FeatureCollection", features }, boxes, performance.now(), VIEW_POLL_MS * 1.1);
    this.showState();
  }

  private async lookAtWorld(): Promise<void> {
    const { features } = await positionsIn(WORLD_BOX);
    if (!this.active) return;
    this.world.devices = features.length;
    const points = features.map(({ geometry }): LonLat => [geometry.coordinates[0] ?? 0, geometry.coordinates[1] ?? 0]);
    this.map.cities = citiesOf(clustersOf(points, CITIES_MAX));
    this.cities.update(this.map.cities);
    this.counters.render(Date.now());
    const busiest = this.map.cities[0];
    if (this.placed || busiest === undefined) return;
    this.placed = true;
    this.map.flyToCity(busiest);
  }

  private showState(): void {
    if (!this.active) return;
    const { phase } = this.stream.state;
    if (phase !== "live") this.status.show(phase);
    else this.status.show(this.loaded && !this.loading ? "live" : "loading");
  }

  private failed(error: unknown): void {
    if (!this.active) return;
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) this.onSignedOut();
    else if (error.status === 0) this.status.show("offline");
    else this.status.show("reconnecting", `(${error.message})`);
  }

  private async mayRetry(): Promise<boolean> {
    try {
      if (await isSignedIn()) return this.active;
      if (this.active) this.onSignedOut();
      return false;
    } catch {
      return this.active;
    }
  }

  private titleOf(event: LiveEvent): string {
    if (event.kind === "match") return nameOf(this.world, { kind: "ad", id: event.ad });
    return event.fence_name ?? nameOf(this.world, { kind: "fence", id: event.fence });
  }

  private subtitleOf(event: LiveEvent): string {
    if (event.kind === "fence") return event.device ?? "";
    const list = event.adlist_name ?? nameOf(this.world, { kind: "adlist", id: event.adlist });
    return event.device === undefined ? list : `${event.device} \u00b7 ${list}`;
  }

  private open(target: Target): void {
    this.openSubject(subjectOf(this.world, target, this.actions), target);
  }

  private openEvent(event: LiveEvent): void {
    const target: Target = event.kind === "match" ? { kind: "ad", id: event.ad } : { kind: "fence", id: event.fence };
    this.openSubject(eventSubject(this.world, event, this.actions), target);
  }

  private openSubject(subject: Subject, target: Target): void {
    this.details.open(subject);
    this.select(target);
  }

  private select(target: Target | null): void {
    this.map.selected = target;
    this.map.refresh();
  }

  private show({ kind, id }: Target): void {
    const { world, map } = this;
    if (kind === "device" || kind === "adlist") {
      const device = kind === "device" ? id : world.adlists.get(id)?.device;
      const track = device === undefined ? undefined : world.tracks.get(device);
      if (track !== undefined) return map.flyToPoint([track.lon, track.lat]);
    }
    const ad = kind === "ad" ? world.ads.get(id) : undefined;
    const fence = kind === "fence" ? world.fences.get(id) : undefined;
    const area = kind === "adlist" ? world.adlists.get(id)?.area : undefined;
    const shape = ad ? world.adShape(ad) : fence ? world.shape(fence, fence) : area ? world.shape(area, area) : null;
    if (shape !== null) map.flyToShape(shape);
  }
}
