/**
 * Turns a thing on the map or an event into what the details panel shows, and gives things their names.
 */

import type { Ad, Adlist, Document, Fence } from "./api";
import type { Fact, Subject } from "./details";
import type { FenceEvent, LiveEvent, MatchEvent } from "./events";
import type { Target } from "./scene";
import type { World } from "./world";
import { toLonLat } from "./projection";
import { coordinatesText, distanceText, reasonText } from "./words";

const PAIRS_MAX = 40;

export interface Actions {
  open(target: Target): void;
  show(target: Target): void;
}

export function nameOf(world: World, { kind, id }: Target): string {
  if (kind === "device") return id;
  const doc: Document | undefined = world.of(kind === "ad" ? "ads" : kind === "adlist" ? "adlists" : "fences").get(id);
  const name = kind === "ad" ? doc?.["title"] : doc?.["name"];
  return typeof name === "string" && name !== "" ? name : id;
}

export function subjectOf(world: World, target: Target, actions: Actions): Subject {
  const showOnMap = () => actions.show(target);
  const title = nameOf(world, target);
  switch (target.kind) {
    case "device":
      return { ...deviceSubject(world, target.id, actions), title, showOnMap };
    case "ad":
      return { ...adSubject(world, target.id), title, showOnMap };
    case "adlist":
      return { ...adlistSubject(world, target.id, actions), title, showOnMap };
    case "fence":
      return { ...fenceSubject(world, target.id), title, showOnMap };
  }
}

export function eventSubject(world: World, event: LiveEvent, actions: Actions): Subject {
  return event.kind === "match" ? matchSubject(world, event, actions) : fenceEventSubject(world, event, actions);
}

function deviceSubject(world: World, id: string, actions: Actions): Omit<Subject, "title"> {
  const track = world.tracks.get(id);
  const facts: Fact[] = [];
  if (track) {
    const { properties } = track;
    facts.push({ name: "Position", value: coordinatesText(track.lon, track.lat, 5) });
    if (properties.at !== undefined) facts.push({ name: "Fix time", value: properties.at });
    if (typeof properties["speed"] === "number") facts.push({ name: "Speed", value: `${properties["speed"].toFixed(1)} m/s` });
    if (typeof properties["heading"] === "number") facts.push({ name: "Heading", value: `${Math.round(properties["heading"])}\u00b0` });
  }
  for (const list of world.listsOf(id).slice(0, 12)) facts.push(link("List", world, { kind: "adlist", id: list._id }, actions));
  const open = (item: Document) => actions.open({ kind: "fence", id: String(item["fence"] ?? item._id) });
  const path = `/api/devices/${encodeURIComponent(id)}/fences`;
  return {
    kind: "Device",
    facts,
    path: `/api/positions/${encodeURIComponent(id)}`,
    related: { title: "Inside these fences", path, open },
  };
}

function adSubject(world: World, id: string): Omit<Subject, "title"> {
  const ad: Ad | undefined = world.ads.get(id);
  const facts: Fact[] = [];
  if (ad?.category !== undefined) facts.push({ name: "Category", value: ad.category });
  if (ad?.price !== undefined) facts.push({ name: "Price", value: `${ad.price} ${ad.currency ?? ""}`.trim() });
  if (ad?.expires !== undefined) facts.push({ name: "Expires", value: ad.expires });
  if (ad?.active === false) facts.push({ name: "State", value: "not active" });
  const point = ad && world.adPoint(ad);
  const lists = point ? world.listsNear(toLonLat(...point), PAIRS_MAX) : [];
  const pairs = lists.map((list) => ({ ad: id, adlist: list._id, label: nameOf(world, { kind: "adlist", id: list._id }) }));
  return { kind: "Ad", facts, pairs, path: documentPath("ads", id) };
}

function adlistSubject(world: World, id: string, actions: Actions): Omit<Subject, "title"> {
  const list: Adlist | undefined = world.adlists.get(id);
  const facts: Fact[] = [];
  const radius_m = list?.area?.around?.radius_m ?? list?.area?.circle?.radius_m;
  if (radius_m !== undefined) facts.push({ name: "Radius", value: distanceText(radius_m) });
  if (list?.device !== undefined) facts.push(link("Device", world, { kind: "device", id: list.device }, actions));
  const wanted = list?.["category"];
  if (wanted !== undefined) facts.push({ name: "Categories", value: Array.isArray(wanted) ? wanted.join(", ") : String(wanted) });
  for (const bound of ["price_min", "price_max", "q"] as const) {
    if (list?.[bound] !== undefined) facts.push({ name: bound.replace("_", " "), value: String(list[bound]) });
  }
  const open = (item: Document) => actions.open({ kind: "ad", id: String(item["ad"] ?? item._id) });
  const related = { title: "Matches now, nearest first", path: `/api/adlists/${encodeURIComponent(id)}/matches`, open };
  return { kind: "Ad list", facts, related, path: documentPath("adlists", id) };
}

function fenceSubject(world: World, id: string): Omit<Subject, "title"> {
  const fence: Fence | undefined = world.fences.get(id);
  const facts: Fact[] = [];
  if (Array.isArray(fence?.["detect"])) facts.push({ name: "Detects", value: fence["detect"].join(", ") });
  if (fence?.circle) facts.push({ name: "Radius", value: distanceText(fence.circle.radius_m) });
  return { kind: "Fence", facts, path: documentPath("fences", id) };
}

function matchSubject(world: World, event: MatchEvent, actions: Actions): Subject {
  const { ad, adlist, device } = event;
  const facts: Fact[] = [link("Ad", world, { kind: "ad", id: ad }, actions), link("List", world, { kind: "adlist", id: adlist }, actions)];
  if (device !== undefined) facts.push(link("Device", world, { kind: "device", id: device }, actions));
  if (event.distance_m !== undefined) facts.push({ name: "Distance", value: distanceText(event.distance_m) });
  facts.push(...commonFacts(event));
  const label = nameOf(world, { kind: "adlist", id: adlist });
  const ends = event.event === "exit";
  return {
    kind: ends ? "Match ended" : "Match",
    title: nameOf(world, { kind: "ad", id: ad }),
    facts,
    pairs: [{ ad, adlist, label }],
    path: `/api/adlists/${encodeURIComponent(adlist)}/matches`,
    json: bare(event),
    showOnMap: () => actions.show({ kind: "ad", id: ad }),
  };
}

function fenceEventSubject(world: World, event: FenceEvent, actions: Actions): Subject {
  const facts: Fact[] = [link("Fence", world, { kind: "fence", id: event.fence }, actions)];
  if (event.device !== undefined) facts.push(link("Device", world, { kind: "device", id: event.device }, actions));
  if (event.lon !== undefined && event.lat !== undefined) facts.push({ name: "Position", value: coordinatesText(event.lon, event.lat, 5) });
  if (event.distance_m !== undefined) facts.push({ name: "From the edge", value: distanceText(Math.abs(event.distance_m)) });
  facts.push(...commonFacts(event));
  return {
    kind: `Fence ${event.event}`,
    title: nameOf(world, { kind: "fence", id: event.fence }),
    facts,
    path: `/api/fences/${encodeURIComponent(event.fence)}`,
    json: bare(event),
    showOnMap: () => actions.show({ kind: "fence", id: event.fence }),
  };
}

function commonFacts(event: LiveEvent): Fact[] {
  const facts: Fact[] = [];
  if (event.reason !== undefined) facts.push({ name: "Reason", value: reasonText(event.reason) });
  if (event.at !== undefined) facts.push({ name: "At", value: event.at });
  return facts;
}

function documentPath(collection: string, id: string): string {
  return `/api/${collection}/${encodeURIComponent(id)}`;
}

function link(name: string, world: World, target: Target, actions: Actions): Fact {
  return { name, value: nameOf(world, target), open: () => actions.open(target) };
}

/** The event as the server told it, without what this page added. */
function bare(event: LiveEvent): unknown {
  const { kind: _kind, key: _key, received_ms: _received, ...told } = event;
  return told;
}
