/**
 * The sign-in form.
 */

import { ApiError } from "./api";
import { byId, setText } from "./element";
import { signIn } from "./session";

export class SignInForm {
  private readonly panel = byId("signin");
  private readonly form = byId<HTMLFormElement>("signin-form");
  private readonly problem = byId("signin-problem");
  private readonly button = byId<HTMLButtonElement>("signin-button");

  constructor(private readonly onSignedIn: () => void) {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const fields = new FormData(this.form);
      void this.attempt(String(fields.get("username") ?? ""), String(fields.get("password") ?? ""));
    });
  }

  show(problem = ""): void {
    this.setShown(true);
    setText(this.problem, problem);
    const fields = [...this.form.querySelectorAll<HTMLInputElement>("input")];
    (fields.find((field) => field.value === "") ?? fields.at(-1))?.focus();
  }

  async attempt(username: string, password: string): Promise<void> {
    this.button.disabled = true;
    setText(this.problem, "");
    try {
      await signIn(username, password);
      this.form.reset();
      this.setShown(false);
      this.onSignedIn();
    } catch (error) {
      this.show(reason(error));
    } finally {
      this.button.disabled = false;
    }
  }

  /** What lies behind the form cannot be reached while it is shown. */
  private setShown(shown: boolean): void {
    this.panel.hidden = !shown;
    for (const behind of [byId("top"), document.querySelector<HTMLElement>("main")]) if (behind) behind.inert = shown;
  }
}

function reason(error: unknown): string {
  if (!(error instanceof ApiError)) return "Something went wrong in this page.";
  if (error.status === 401 || error.status === 403) return "Wrong user name or password.";
  if (error.status === 429) return "Too many attempts. Please wait a moment.";
  if (error.status === 0) return "The server cannot be reached.";
  return error.message;
}
