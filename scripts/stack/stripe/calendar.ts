/** Periods of subscriptions. */
import type { Price } from "./wire.ts";

const DAY_SECONDS = 86_400;

/** The end of a period that begins then; months keep the day of the anchor where they have it. */
export function periodEnd(start: number, recurring: Price["recurring"], anchor: number): number {
  const count = recurring?.interval_count ?? 1;
  if (recurring?.interval === "day") return start + count * DAY_SECONDS;
  if (recurring?.interval === "week") return start + 7 * count * DAY_SECONDS;
  const months = recurring?.interval === "year" ? 12 * count : count;
  const from = new Date(start * 1000);
  const to = new Date(start * 1000);
  to.setUTCDate(1);
  to.setUTCMonth(from.getUTCMonth() + months);
  const last = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate();
  to.setUTCDate(Math.min(new Date(anchor * 1000).getUTCDate(), last));
  return to.getTime() / 1000;
}

/** A day for people: 7 Nov 2026. */
export function formatDay(time: number): string {
  const options = { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" } as const;
  return new Date(time * 1000).toLocaleDateString("en-GB", options);
}
