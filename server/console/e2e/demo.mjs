/**
 * Looks at a running server's console with a real browser and fails unless it is alive.
 *
 *     node e2e/demo.mjs URL OUT.png        URL as `dateline demo` prints it, with its #demo= part
 *
 * Checked: the page reaches the live state, draws devices, shows a match with its ids, asks nothing of any
 * other origin, and logs no error. The browser is $CHROMIUM or /usr/bin/chromium. Exit code 0, 1 or 2 (usage).
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const WAIT_MS = 60_000;
const SETTLE_MS = 3000;
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const [url, picture] = process.argv.slice(2);
if (!url || !picture || !URL.canParse(url)) {
  console.error("usage: node e2e/demo.mjs URL OUT.png");
  process.exit(2);
}

/** Runs the checks on one page; returns what was seen. */
async function look(page) {
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await page.waitForSelector('#status[data-state="live"]', { timeout: WAIT_MS });
  await page.waitForFunction(() => Number(document.querySelector("#map")?.dataset.drawn) > 0, null, { timeout: WAIT_MS });
  await page.waitForSelector("#events .match[data-ad][data-adlist]", { state: "visible", timeout: WAIT_MS });
  await page.waitForTimeout(SETTLE_MS);
  return page.evaluate(() => ({
    state: document.querySelector("#status")?.dataset.state,
    fragment: location.hash,
    devices: Number(document.querySelector("#device-count")?.textContent),
    drawn: Number(document.querySelector("#map")?.dataset.drawn),
    matches: document.querySelectorAll("#events .match").length,
    unnamed: [...document.querySelectorAll("#events .match")].filter((item) => !item.dataset.ad || !item.dataset.adlist).length,
  }));
}

function faultsIn(seen) {
  const faults = [];
  if (seen.state !== "live") faults.push(`the state is ${seen.state}, not live`);
  if (!(seen.devices > 0)) faults.push(`the device count is ${seen.devices}`);
  if (!(seen.drawn > 0)) faults.push("no device is drawn");
  if (seen.matches === 0) faults.push("no match is listed");
  if (seen.unnamed > 0) faults.push(`${seen.unnamed} matches lack an ad or a list`);
  if (seen.fragment !== "") faults.push("the password is still in the address");
  return faults;
}

const origin = new URL(url).origin;
const profile = await mkdtemp(join(tmpdir(), "dateline-console-"));
const faults = [];
let seen = null;
try {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    chromiumSandbox: false,
    args: ARGUMENTS,
    viewport: { width: 1440, height: 900 },
    colorScheme: "dark",
  });
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    context.on("request", (request) => {
      const asked = new URL(request.url());
      const local = asked.protocol === "data:" || asked.protocol === "blob:";
      if (!local && asked.origin !== origin) faults.push(`asked another origin: ${request.url()}`);
    });
    page.on("console", (message) => {
      if (message.type() === "error") faults.push(`console error: ${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => faults.push(`page error: ${error.message}`));
    try {
      seen = await look(page);
      faults.push(...faultsIn(seen));
    } catch (error) {
      faults.push(error.message);
    }
    await page.screenshot({ path: picture });
  } finally {
    await context.close();
  }
} catch (error) {
  faults.push(error.message);
} finally {
  await rm(profile, { recursive: true, force: true });
}

console.log(JSON.stringify({ ok: faults.length === 0, ...seen, faults, picture }));
process.exit(faults.length === 0 ? 0 : 1);
