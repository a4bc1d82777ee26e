/** The outbox's worker: takes what is due, delivers it, and writes down what became of it. */
import type { Row } from "./database.ts";
import type { Deps } from "./deps.ts";
import type { Attempt, Destination } from "./destinations.ts";
import { ScripError } from "./errors.ts";
import { alertOperator } from "./http.ts";

/** How many attempts ended how: `failed` ones are tried again, `dead` ones were the last. */
export interface Outcomes {
  delivered: number;
  failed: number;
  dead: number;
  skipped: number;
}

type Claimed = Row<"claim_outbox">;

// Each starts at once, so that its lease covers all of it.
const AT_ONCE = 5;
const BUDGET_MS = 45_000;
const DEFAULT_TIMEOUT_MS = 10_000;
// For the database, before and after.
const MARGIN_MS = 30_000;

/**
 * Delivers what is due in the outbox, until nothing is or the time is over. Any number may run at once. What cannot be
 * delivered is the outbox's to try again; the operator is told of it.
 *
 * @param request whose log tells of failures, though it be answered by then.
 * @param budgetMs after which no more is begun.
 * @throws {ScripError} `service_unavailable` when the database cannot be asked.
 */
export async function deliverDue(
  deps: Deps,
  request: Request,
  budgetMs = BUDGET_MS,
): Promise<Outcomes> {
  const until = performance.now() + budgetMs;
  const destinations: Record<string, Destination | undefined> = {
    hub: open(() => deps.hub),
    webhook: open(() => deps.noticeWebhook),
  };
  const timeouts = Object.values(destinations).map((each) => each?.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const lease_seconds = Math.ceil((Math.max(...timeouts) + MARGIN_MS) / 1000);
  const outcomes: Outcomes = { delivered: 0, failed: 0, dead: 0, skipped: 0 };
  const failures: string[] = [];

  const work = async (claimed: Claimed) => {
    const { id, claim_id, destination, attempts } = claimed;
    try {
      const attempt = await destinations[destination]?.deliver(claimed);
      const ended = attempt ?? { outcome: "skipped" };
      const { status } = await deps.rpcOne("finish_outbox", { outbox_id: id, claim_id, ...ended });
      const outcome = status === "pending" ? "failed" : status;
      if (isOutcome(outcome)) outcomes[outcome]++;
      if (outcome === "failed") failures.push(`to ${destination}: ${attempt?.error}`);
      if (outcome === "dead") {
        const what = `Delivery ${id} to ${destination} is dead after ${attempts} attempts`;
        alertOperator(request, `${what}: ${attempt?.error}`);
      }
    } catch (error) {
      // Its lease runs out, and it is delivered again.
      const cause = error instanceof ScripError ? error.cause ?? error : error;
      alertOperator(request, `Delivery ${id} to ${destination} is unfinished: ${cause}`);
    }
  };

  try {
    for (;;) {
      const claimed = await deps.rpc("claim_outbox", { max_count: AT_ONCE, lease_seconds });
      await Promise.all(claimed.map(work));
      if (claimed.length === 0 || performance.now() >= until) return outcomes;
    }
  } finally {
    if (failures.length > 0) {
      alertOperator(request, `Deliveries failed: ${failures.length}, the last ${failures.at(-1)}`);
    }
  }
}

// One run for a process: a HUB that hangs then keeps five connections and not five for each refill.
const runs = new WeakMap<Deps, { again: boolean }>();

/** Delivers in the background what is due; a run that is under way looks once more instead. */
export function deliverSoon(deps: Deps, request: Request): void {
  const underWay = runs.get(deps);
  if (underWay) {
    underWay.again = true;
    return;
  }
  const run = { again: true };
  runs.set(deps, run);
  const work = async () => {
    try {
      while (run.again) {
        run.again = false;
        await deliverDue(deps, request);
      }
    } finally {
      runs.delete(deps);
    }
  };
  deps.background(work());
}

const isOutcome = (text: string): text is keyof Outcomes =>
  ["delivered", "failed", "dead", "skipped"].includes(text);

/** A destination; one that is wrongly configured fails every attempt and says why. */
function open(read: () => Destination | undefined): Destination | undefined {
  try {
    return read();
  } catch (error) {
    const attempt: Attempt = {
      outcome: "failed",
      error: error instanceof Error ? error.message : String(error),
    };
    return { timeoutMs: DEFAULT_TIMEOUT_MS, deliver: () => Promise.resolve(attempt) };
  }
}
