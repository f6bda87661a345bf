/**
 * The details panel: one thing or event with its facts, its JSON, why a pair matches, and the same as curl.
 *
 * The panel shows the newest answer only: an answer that comes after the reader has moved on is dropped.
 */

import { ApiError, explainPath, itemsIn, request, type Document } from "./api";
import { byId, element, setText } from "./element";
import { readExplanation } from "./explanation";
import { jsonView } from "./json";
import { curlCommand, distanceText } from "./words";

export interface Fact {
  readonly name: string;
  readonly value: string;
  /** Makes the value a link to something else. */
  readonly open?: () => void;
}

export interface Subject {
  readonly kind: string;
  readonly title: string;
  readonly facts: readonly Fact[];
  /** Where the same is had from the server. */
  readonly path: string;
  /** What is known already; without it the panel fetches `path`. */
  readonly json?: unknown;
  /** Pairs to explain: one is offered as a button, more as a choice. */
  readonly pairs?: readonly { readonly ad: string; readonly adlist: string; readonly label: string }[];
  /** A further list to fetch and offer, as `/matches` of a list. */
  readonly related?: { readonly title: string; readonly path: string; readonly open: (item: Document) => void };
  readonly showOnMap?: () => void;
}

export class Details {
  private readonly panel = byId("details");
  private readonly kind = byId("details-kind");
  private readonly title = byId("details-title");
  private readonly body = byId("details-body");
  private opener: HTMLElement | null = null;
  private turn = 0;

  constructor(private readonly onClosed: () => void) {
    byId("details-close").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !this.panel.hidden) this.close();
    });
  }

  get isOpen(): boolean {
    return !this.panel.hidden;
  }

  open(subject: Subject): void {
    const turn = ++this.turn;
    if (this.panel.hidden) this.opener = document.activeElement instanceof HTMLElement ? document.activeElement : null;
    this.panel.hidden = false;
    setText(this.kind, subject.kind);
    setText(this.title, subject.title);
    this.body.replaceChildren(this.facts(subject), this.actions(subject));
    this.body.scrollTop = 0;
    if (subject.pairs && subject.pairs.length > 0) this.body.append(this.why(subject.pairs));
    if (subject.related) this.body.append(this.relatedList(subject.related, turn));
    const json = element("section", { class: "details-json" }, element("h3", {}, "JSON"));
    this.body.append(json);
    if (subject.json !== undefined) json.append(jsonView(subject.json));
    else void this.fill(json, subject.path, turn, (answer) => [jsonView(answer)]);
    this.title.focus({ preventScroll: true });
  }

  close(): void {
    if (this.panel.hidden) return;
    this.turn += 1;
    this.panel.hidden = true;
    if (this.opener?.isConnected) this.opener.focus({ preventScroll: true });
    this.onClosed();
  }

  private facts({ facts }: Subject): HTMLElement {
    const list = element("dl", { class: "facts" });
    for (const { name, value, open } of facts) {
      const shown = open ? element("button", { type: "button", class: "link", onclick: open }, value) : value;
      list.append(element("div", {}, element("dt", {}, name), element("dd", {}, shown)));
    }
    return list;
  }

  private actions(subject: Subject): HTMLElement {
    const row = element("div", { class: "actions" });
    if (subject.showOnMap) row.append(element("button", { type: "button", onclick: subject.showOnMap }, "Show on map"));
    row.append(copyButton(subject.path));
    return row;
  }

  private why(pairs: NonNullable<Subject["pairs"]>): HTMLElement {
    const section = element("section", { class: "why" });
    const answer = element("div", { class: "why-answer", "aria-live": "polite" });
    const choice = element("select", { id: "why-pair" });
    for (const [index, pair] of pairs.entries()) choice.append(element("option", { value: String(index) }, pair.label));
    const ask = () => {
      const pair = pairs[Number(choice.value)] ?? pairs[0];
      if (!pair) return;
      const path = explainPath(pair.ad, pair.adlist);
      answer.replaceChildren();
      void this.fill(answer, path, this.turn, (body) => [explanationView(body), copyButton(path)]);
    };
    const single = pairs.length === 1;
    section.append(
      element("h3", {}, single ? "Why does this match?" : "Why, or why not?"),
      element(
        "div",
        { class: "actions" },
        !single && element("label", { for: "why-pair" }, "List"),
        !single && choice,
        element("button", { type: "button", class: "primary", id: "why", onclick: ask }, "Explain"),
      ),
      answer,
    );
    return section;
  }

  private relatedList({ title, path, open }: NonNullable<Subject["related"]>, turn: number): HTMLElement {
    const section = element("section", { class: "related" }, element("h3", {}, title));
    void this.fill(section, path, turn, (answer) => {
      const items = itemsIn<Document>(answer).slice(0, 50);
      if (items.length === 0) return [element("p", { class: "quiet" }, "None now.")];
      const list = element("ul", {});
      for (const item of items) {
        const distance = typeof item["distance_m"] === "number" ? distanceText(item["distance_m"]) : "";
        const name = [item["title"], item["name"], item["ad"], item["fence"], item._id].find((text) => typeof text === "string");
        const link = element("button", { type: "button", class: "link", onclick: () => open(item) }, String(name));
        list.append(element("li", {}, link, element("span", { class: "quiet" }, distance)));
      }
      return [list];
    });
    return section;
  }

  private async fill(place: HTMLElement, path: string, turn: number, make: (answer: unknown) => HTMLElement[]): Promise<void> {
    const wait = element("p", { class: "quiet" }, "Loading\u2026");
    place.append(wait);
    let made: HTMLElement[];
    try {
      made = make(await request(path));
    } catch (error) {
      made = [element("p", { class: "problem" }, error instanceof ApiError ? error.message : "The answer could not be read.")];
    }
    if (turn !== this.turn) return;
    wait.remove();
    place.append(...made);
  }
}

function explanationView(body: unknown): HTMLElement {
  const { verdict, tests } = readExplanation(body);
  const view = element("div", { class: "explanation" });
  if (verdict !== null) view.append(element("p", { class: verdict ? "verdict yes" : "verdict no" }, verdict ? "It matches." : "It does not match."));
  if (tests.length > 0) {
    const list = element("ol", { class: "tests" });
    for (const { name, passed, facts } of tests) {
      const mark = passed === null ? "\u2013" : passed ? "\u2713" : "\u2717";
      const said = passed === null ? "not decided" : passed ? "passed" : "failed";
      const state = passed === null ? "open" : passed ? "yes" : "no";
      const told = element("div", {}, element("span", { class: "test-name" }, name));
      for (const [fact, value] of facts) told.append(element("span", { class: "test-fact" }, `${fact}: ${value}`));
      list.append(element("li", { class: state }, element("span", { class: "test-mark", role: "img", "aria-label": said }, mark), told));
    }
    view.append(list);
  }
  const whole = element("details", {}, element("summary", {}, "Whole answer"), jsonView(body));
  if (tests.length === 0) whole.open = true;
  view.append(whole);
  return view;
}

function copyButton(path: string): HTMLElement {
  const command = curlCommand(window.location.origin, path);
  const button = element("button", { type: "button", class: "copy", title: command }, "Copy as curl");
  button.addEventListener("click", () => {
    void copy(command).then((copied) => {
      if (!copied) button.after(element("textarea", { class: "curl", readonly: true, rows: "3", "aria-label": "curl command" }, command));
      setText(button, copied ? "Copied" : "Copy from below");
      window.setTimeout(() => setText(button, "Copy as curl"), 2000);
    });
  });
  return button;
}

// Browsers give the clipboard only to secure pages; plain HTTP from another host is not one.
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
