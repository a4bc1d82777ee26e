/** Pages of lists, newest first, as Stripe cuts them. */
import { missing } from "./errors.ts";
import { invalidParameter } from "./errors.ts";
import type { List } from "./wire.ts";

/** What a list was asked for. */
export interface Page {
  limit: number;
  starting_after?: string | undefined;
  ending_before?: string | undefined;
  created?: Range | undefined;
}

interface Range {
  gt?: number | undefined;
  gte?: number | undefined;
  lt?: number | undefined;
  lte?: number | undefined;
}

const within = (time: number, range: Range) =>
  (range.gt === undefined || time > range.gt) &&
  (range.gte === undefined || time >= range.gte) &&
  (range.lt === undefined || time < range.lt) &&
  (range.lte === undefined || time <= range.lte);

/** A list of things as it travels. */
export const wholeList = <T>(url: string, data: T[]): List<T> => ({
  object: "list",
  url,
  has_more: false,
  data,
});

/**
 * One page.
 *
 * @param oldestFirst all that may be listed.
 * @throws {StripeFailure} when a cursor names nothing in the list.
 */
export function paginate<T extends { id: string; object: string; created?: number }>(
  url: string,
  oldestFirst: readonly T[],
  page: Page,
): List<T> {
  const { limit, starting_after, ending_before, created } = page;
  if (starting_after !== undefined && ending_before !== undefined) {
    throw invalidParameter(
      "You cannot parameterize both starting_after and ending_before. Please choose one.",
    );
  }
  const all = oldestFirst
    .filter((thing) => created === undefined || within(thing.created ?? 0, created))
    .reverse();
  const cursor = (id: string, param: string) => {
    const index = all.findIndex((thing) => thing.id === id);
    if (index === -1) throw missing(oldestFirst[0]?.object ?? "object", id, param);
    return index;
  };
  if (ending_before !== undefined) {
    const end = cursor(ending_before, "ending_before");
    const start = Math.max(0, end - limit);
    return { ...wholeList(url, all.slice(start, end)), has_more: start > 0 };
  }
  const start = starting_after === undefined ? 0 : cursor(starting_after, "starting_after") + 1;
  return {
    ...wholeList(url, all.slice(start, start + limit)),
    has_more: start + limit < all.length,
  };
}
