/**
 * How numbers, times and codes are written for a reader.
 */

/** Unix milliseconds of an RFC 3339 or Eve-style (`+0000`) time; null if it is neither. */
export function parseTime(text: string | undefined): number | null {
  if (text === undefined) return null;
  const time = Date.parse(text.replace(/([+-]\d{2})(\d{2})$/, "$1:$2"));
  return Number.isNaN(time) ? null : time;
}

export function ageText(age_ms: number): string {
  const seconds = Math.max(0, Math.floor(age_ms / 1000));
  if (seconds < 1) return "now";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function distanceText(distance_m: number): string {
  if (distance_m < 1000) return `${Math.round(distance_m)} m`;
  return `${(distance_m / 1000).toFixed(distance_m < 10_000 ? 2 : distance_m < 100_000 ? 1 : 0)} km`;
}

/** A distance without a fraction that says nothing, for a round length. */
export function lengthText(length_m: number): string {
  return length_m < 1000 ? `${length_m} m` : `${length_m / 1000} km`;
}

/** A round bar length for a scale: 1, 2 or 5 times a power of ten, at most `limit_m`. */
export function roundLength(limit_m: number): number {
  const power = 10 ** Math.floor(Math.log10(limit_m));
  return ([5, 2, 1].find((factor) => factor * power <= limit_m) ?? 1) * power;
}

export function countText(count: number): string {
  return count.toLocaleString("en-GB");
}

export function coordinatesText(lon: number, lat: number, digits = 2): string {
  const east = `${Math.abs(lon).toFixed(digits)}\u00b0 ${lon < 0 ? "W" : "E"}`;
  return `${Math.abs(lat).toFixed(digits)}\u00b0 ${lat < 0 ? "S" : "N"}, ${east}`;
}

const REASONS: Record<string, string> = {
  "new:ad": "new ad",
  "update:pos": "device moved",
  changed: "changed",
  expired: "ad expired",
  removed: "removed",
  initial: "already inside",
  fence_changed: "fence changed",
  fence_removed: "fence removed",
  deleted: "device deleted",
};

export function reasonText(reason: string | undefined): string {
  return reason === undefined ? "" : (REASONS[reason] ?? reason);
}

/** One argument for a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The command that repeats a GET outside the browser. The token is left to the reader's own environment. */
export function curlCommand(origin: string, path: string): string {
  return `curl -s -H "Authorization: Bearer $DATELINE_TOKEN" ${shellQuote(origin + path)}`;
}
