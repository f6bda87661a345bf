/**
 * Signing in and out. The token itself stays in the cookie, out of reach of scripts.
 *
 * `dateline demo` prints an address that ends in `#demo=PASSWORD`; a fragment is never sent to a server,
 * and it is taken out of the address before it is used.
 */

import { ApiError, postJson, request } from "./api";

const KEPT = "dateline.session";

/** Takes the demo password out of the address; null if there is none. */
export function takeDemoPassword(location: Location, history: History): string | null {
  const found = /^#demo=(.+)$/.exec(location.hash);
  if (found?.[1] === undefined) return null;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return found[1];
  }
}

export async function signIn(username: string, password: string): Promise<void> {
  const session = (await postJson("/api/auth", { username, password })) as { _id?: unknown } | null;
  if (typeof session?._id === "string") localStorage.setItem(KEPT, session._id);
}

/** Whether the cookie is (still) good. Other failures than a refusal are thrown. */
export async function isSignedIn(): Promise<boolean> {
  try {
    await request("/api/ads?max_results=1");
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return false;
    throw error;
  }
}

/** Whether this page knows which session to end. */
export function canSignOut(): boolean {
  return localStorage.getItem(KEPT) !== null;
}

export async function signOut(): Promise<void> {
  const id = localStorage.getItem(KEPT);
  localStorage.removeItem(KEPT);
  if (id === null) return;
  const path = `/api/auth/${encodeURIComponent(id)}`;
  const session = (await request(path)) as { _etag?: unknown } | null;
  const etag = typeof session?._etag === "string" ? session._etag : "*";
  await request(path, { method: "DELETE", headers: { "If-Match": etag } });
}
