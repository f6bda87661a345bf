/**
 * The state of the connection, as a lamp in the header and a banner when something is wrong.
 */

import { byId, setText } from "./element";

export type State = "signed-out" | "connecting" | "loading" | "live" | "reconnecting" | "stopping" | "offline";

const LABELS: Record<State, string> = {
  "signed-out": "Signed out",
  connecting: "Connecting",
  loading: "Loading",
  live: "Live",
  reconnecting: "Reconnecting",
  stopping: "Server stopping",
  offline: "Offline",
};

const BANNERS: Partial<Record<State, string>> = {
  reconnecting: "The connection was lost. Events go on from where they stopped as soon as the server answers.",
  stopping: "The server is shutting down or restarting. This page reconnects by itself.",
  offline: "The server does not answer. Trying again.",
};

export class Status {
  private readonly lamp = byId("status");
  private readonly label = byId("status-label");
  private readonly banner = byId("banner");

  show(state: State, detail = ""): void {
    this.lamp.dataset["state"] = state;
    setText(this.label, LABELS[state]);
    const text = [BANNERS[state] ?? "", detail].filter((part) => part !== "").join(" ");
    this.banner.hidden = text === "";
    setText(this.banner, text);
  }
}
