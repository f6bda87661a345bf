/**
 * The live list of matches and fence events.
 *
 * It stands still while the reader points at it, has the focus in it, or has paused it, and then says how
 * many events wait. Rows are added in batches, at most four times a second.
 */

import { byId, element, setText } from "./element";
import { EVENTS_MAX, EventLog, type Filter, type LiveEvent } from "./events";
import { ageText, distanceText, parseTime, reasonText } from "./words";

const UPDATE_MS = 250;
const AGES_MS = 1000;

export interface EventListHost {
  titleOf(event: LiveEvent): string;
  /** The name of the list of a match, of the device of a fence event. */
  subtitleOf(event: LiveEvent): string;
  categorySlot(event: LiveEvent): number | null;
  chosen(event: LiveEvent): void;
}

interface Row {
  readonly event: LiveEvent;
  readonly item: HTMLLIElement;
  readonly title: HTMLElement;
  readonly subtitle: HTMLElement;
  readonly age: HTMLElement;
}

export class EventList {
  readonly log = new EventLog();
  private readonly list = byId("events");
  private readonly pauseButton = byId<HTMLButtonElement>("events-pause");
  private readonly waiting = byId<HTMLButtonElement>("events-waiting");
  private readonly empty = byId("events-empty");
  private rows: Row[] = [];
  private paused = false;
  private pointed = false;
  private focused = false;
  private dirty = true;

  constructor(private readonly host: EventListHost) {
    this.pauseButton.addEventListener("click", () => this.setPaused(!this.paused));
    this.waiting.addEventListener("click", () => {
      this.log.release();
      this.render();
      if (this.stands) this.log.hold();
      this.list.scrollTop = 0;
    });
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-filter]")) {
      button.addEventListener("click", () => this.setFilter(button.dataset["filter"] as Filter));
    }
    this.list.addEventListener("pointerenter", (event) => this.setPointed(event.pointerType === "mouse"));
    this.list.addEventListener("pointerleave", () => this.setPointed(false));
    this.list.addEventListener("focusin", (event) => this.setFocused((event.target as Element).matches(":focus-visible")));
    this.list.addEventListener("focusout", () => this.setFocused(false));
    window.setInterval(() => this.update(), UPDATE_MS);
    window.setInterval(() => this.renderAges(), AGES_MS);
  }

  /** Something was added to the log, or names have become known. */
  changed(): void {
    this.dirty = true;
  }

  private setPaused(paused: boolean): void {
    this.paused = paused;
    this.pauseButton.setAttribute("aria-pressed", String(paused));
    setText(this.pauseButton, paused ? "Resume" : "Pause");
    this.applyHold();
  }

  private setPointed(pointed: boolean): void {
    this.pointed = pointed;
    this.applyHold();
  }

  private setFocused(focused: boolean): void {
    this.focused = focused;
    this.applyHold();
  }

  private get stands(): boolean {
    return this.paused || this.pointed || this.focused;
  }

  private applyHold(): void {
    if (this.stands) this.log.hold();
    else this.log.release();
    this.dirty = true;
  }

  private setFilter(filter: Filter): void {
    this.log.filter = filter;
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-filter]")) {
      button.setAttribute("aria-pressed", String(button.dataset["filter"] === filter));
    }
    this.render();
    this.list.scrollTop = 0;
  }

  private update(): void {
    if (!this.dirty) return;
    this.dirty = false;
    this.render();
  }

  private render(): void {
    const shown = this.log.shown();
    const known = new Map(this.rows.map((row) => [row.event.key, row]));
    this.rows = shown.map((event) => known.get(event.key) ?? this.makeRow(event));
    const kept = new Set(this.rows.map((row) => row.item));
    for (const row of known.values()) if (!kept.has(row.item)) row.item.remove();
    // Rows keep their order, so only new ones are moved into place.
    let next: Element | null = this.list.firstElementChild;
    for (const { item } of this.rows) {
      if (item === next) next = next.nextElementSibling;
      else this.list.insertBefore(item, next);
    }
    for (const row of this.rows) this.renderNames(row);
    this.empty.hidden = this.rows.length > 0;
    const waiting = this.log.waiting();
    this.waiting.hidden = waiting === 0;
    setText(this.waiting, `${waiting >= EVENTS_MAX ? `${EVENTS_MAX}+` : waiting} new \u2013 show`);
  }

  private makeRow(event: LiveEvent): Row {
    const leaves = event.event === "exit" || event.event === "outside";
    const title = element("span", { class: "event-title" });
    const subtitle = element("span", { class: "event-subtitle" });
    const age = element("time", { class: "event-age", datetime: event.at ?? "" });
    const slot = this.host.categorySlot(event);
    const mark = element("span", { class: `event-mark ${slot === null ? "" : `category-${slot}`}`, "aria-hidden": "true" });
    const verb = element("span", { class: "event-verb" }, verbOf(event));
    const button = element("button", { type: "button", class: "event-button", onclick: () => this.host.chosen(event) });
    button.append(mark, title, age, verb, subtitle);
    const item = element("li", {
      class: `${event.kind} ${leaves ? "leaves" : "enters"}`,
      "data-event": event.event,
      "data-device": event.device ?? "",
      ...(event.kind === "match" ? { "data-adlist": event.adlist, "data-ad": event.ad } : { "data-fence": event.fence }),
    });
    item.append(button);
    const row = { event, item, title, subtitle, age };
    this.renderAge(row);
    return row;
  }

  private renderNames(row: Row): void {
    const { event } = row;
    const distance = event.distance_m === undefined ? "" : distanceText(Math.abs(event.distance_m));
    const far = event.kind === "fence" && distance !== "" ? `${distance} from the edge` : distance;
    // Nearly all events come from movement, which is not worth a word in each row.
    const reason = event.reason === "update:pos" ? "" : reasonText(event.reason);
    const parts = event.kind === "match" ? [far, reason, this.host.subtitleOf(event)] : [this.host.subtitleOf(event), reason, far];
    setText(row.title, this.host.titleOf(event));
    setText(row.subtitle, parts.filter((part) => part !== "").join(" \u00b7 "));
  }

  private renderAges(): void {
    for (const row of this.rows) this.renderAge(row);
  }

  private renderAge({ event, age }: Row): void {
    setText(age, ageText(Date.now() - (parseTime(event.at) ?? event.received_ms)));
  }
}

function verbOf(event: LiveEvent): string {
  if (event.kind === "match") return event.event === "enter" ? "match" : "ended";
  return event.event === "enter" ? "entered" : event.event === "exit" ? "left" : event.event;
}
