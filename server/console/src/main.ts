/**
 * The start of the page: theme, sign-in, then the console.
 */

import "./style.css";
import { ApiError } from "./api";
import { Console } from "./console";
import { byId } from "./element";
import { canSignOut, isSignedIn, signOut, takeDemoPassword } from "./session";
import { SignInForm } from "./signin";
import { Status } from "./status";

const THEME = "dateline.theme";
const RETRY_MS = 3000;
const DEMO_USER = "admin";

const status = new Status();
const dark = matchMedia("(prefers-color-scheme: dark)");
const signOutButton = byId<HTMLButtonElement>("sign-out");
const form = new SignInForm(enter);
const live = new Console(status, leave);

function enter(): void {
  signOutButton.hidden = !canSignOut();
  live.start();
}

function leave(problem = "Please sign in again."): void {
  live.stop();
  signOutButton.hidden = true;
  status.show("signed-out");
  form.show(problem);
}

async function begin(): Promise<void> {
  const password = takeDemoPassword(window.location, window.history);
  if (password !== null) return form.attempt(DEMO_USER, password);
  try {
    if (await isSignedIn()) enter();
    else leave("");
  } catch (error) {
    status.show("offline", error instanceof ApiError && error.status !== 0 ? `(${error.message})` : "");
    window.setTimeout(() => void begin(), RETRY_MS);
  }
}

function applyTheme(): void {
  const theme = localStorage.getItem(THEME) ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset["theme"] = theme;
  byId("theme").setAttribute("aria-label", theme === "dark" ? "Use light colours" : "Use dark colours");
  live.repaint();
}

byId("theme").addEventListener("click", () => {
  localStorage.setItem(THEME, document.documentElement.dataset["theme"] === "dark" ? "light" : "dark");
  applyTheme();
});
dark.addEventListener("change", applyTheme);
signOutButton.addEventListener("click", () => {
  leave("");
  void signOut().catch(() => form.show("The session could not be ended on the server."));
});

applyTheme();
void begin();
