/**
 * A JSON value as indented, coloured text, made of text nodes only.
 */

import { element } from "./element";

const DEPTH_MAX = 12;
const ITEMS_MAX = 200;

export function jsonView(value: unknown): HTMLElement {
  const view = element("pre", { class: "json", tabindex: "0", "aria-label": "JSON" });
  write(view, value, 0);
  return view;
}

function write(out: HTMLElement, value: unknown, depth: number): void {
  if (typeof value === "string") out.append(element("span", { class: "json-string" }, JSON.stringify(value)));
  else if (typeof value === "number") out.append(element("span", { class: "json-number" }, String(value)));
  else if (typeof value !== "object" || value === null) out.append(element("span", { class: "json-word" }, String(value)));
  else if (depth >= DEPTH_MAX) out.append("\u2026");
  else if (isFlat(value)) writeFlat(out, value, depth);
  else writeBlock(out, value, depth);
}

/** Coordinates and other short lists of numbers read better on one line. */
function isFlat(value: object): value is readonly number[] {
  return Array.isArray(value) && value.length <= 4 && value.every((item) => typeof item === "number");
}

function writeFlat(out: HTMLElement, items: readonly number[], depth: number): void {
  out.append("[");
  for (const [index, item] of items.entries()) {
    if (index > 0) out.append(", ");
    write(out, item, depth + 1);
  }
  out.append("]");
}

function writeBlock(out: HTMLElement, value: object, depth: number): void {
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  const indent = "  ".repeat(depth + 1);
  out.append(isList ? "[" : "{");
  for (const [index, [key, item]] of entries.slice(0, ITEMS_MAX).entries()) {
    out.append(`${index > 0 ? "," : ""}\n${indent}`);
    if (!isList) out.append(element("span", { class: "json-key" }, JSON.stringify(key)), ": ");
    write(out, item, depth + 1);
  }
  if (entries.length > ITEMS_MAX) out.append(`,\n${indent}\u2026 ${entries.length - ITEMS_MAX} more`);
  if (entries.length > 0) out.append(`\n${"  ".repeat(depth)}`);
  out.append(isList ? "]" : "}");
}
