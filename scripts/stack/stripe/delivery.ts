/** Delivers events to the webhook: signed, and again until it answers. */
import Stripe from "stripe";
import type { Delivery, Store } from "./store.ts";

/** Where events go. */
export interface Webhook {
  url: string;
  /** The signing secret. */
  secret: string;
}

const AT_ONCE = 8;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
const MOST_ATTEMPTS = 20;
const ANSWER_MS = 10_000;
const LONGEST_SLEEP_MS = 60_000;

/** Delivers what waits in a store. */
export class Deliverer {
  #running = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = new AbortController();
  #waiters = new Set<() => void>();

  constructor(readonly store: Store, readonly webhook: Webhook) {}

  /** Begins whatever is due, and comes back for the rest. */
  wake(): void {
    if (this.#stopped.signal.aborted) return;
    clearTimeout(this.#timer);
    const now = Date.now();
    let next = now + LONGEST_SLEEP_MS;
    for (const delivery of this.waiting()) {
      if (this.#running.size >= AT_ONCE) return;
      if (this.#running.has(delivery.id) || this.#isBehind(delivery)) continue;
      if (delivery.due_ms <= now) this.#run(delivery);
      else next = Math.min(next, delivery.due_ms);
    }
    this.#timer = setTimeout(() => this.wake(), next - now);
    for (const waiter of this.#waiters) waiter();
  }

  /** What is still to be delivered. */
  waiting(): Delivery[] {
    return this.store.all("delivery").filter(({ status }) => status === "waiting");
  }

  /** Resolves when `check` holds, or at the deadline; `check` runs after every attempt. */
  async until(check: () => boolean, timeoutMs: number): Promise<boolean> {
    if (check()) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter = () => {
      if (check()) resolve(true);
    };
    this.#waiters.add(waiter);
    const timer = setTimeout(() => resolve(false), timeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  /** Stops at once. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#stopped.abort();
  }

  /** Whether another delivery has to be attempted before this one. */
  #isBehind({ after }: Delivery): boolean {
    const first = after === null ? undefined : this.store.get("delivery", after);
    return first?.status === "waiting" && first.attempts === 0;
  }

  async #run(delivery: Delivery) {
    this.#running.add(delivery.id);
    const answer = await this.#attempt(delivery);
    this.#running.delete(delivery.id);
    if (this.#stopped.signal.aborted) return;
    this.store.transact(() => this.#note(delivery.id, answer));
    this.wake();
  }

  async #attempt({ event: id }: Delivery): Promise<number | null> {
    const event = this.store.get("event", id);
    // It was too old to be kept.
    if (!event) return 200;
    const payload = JSON.stringify(event, null, 2);
    try {
      // The signature holds the time, so every attempt has its own.
      const signature = await Stripe.webhooks.generateTestHeaderStringAsync({
        payload,
        secret: this.webhook.secret,
      });
      const response = await fetch(this.webhook.url, {
        method: "POST",
        headers: {
          "content-type": "application/json; charset=utf-8",
          "stripe-signature": signature,
          "user-agent": "Stripe/1.0 (stand-in)",
        },
        body: payload,
        redirect: "manual",
        signal: AbortSignal.any([AbortSignal.timeout(ANSWER_MS), this.#stopped.signal]),
      });
      await response.body?.cancel();
      return response.status;
    } catch {
      return null;
    }
  }

  #note(id: string, answer: number | null) {
    const before = this.store.get("delivery", id);
    if (!before) return;
    const attempts = before.attempts + 1;
    const delivered = answer !== null && answer >= 200 && answer < 300;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1));
    this.store.put("delivery", {
      ...before,
      attempts,
      answer,
      status: delivered ? "delivered" : attempts < MOST_ATTEMPTS ? "waiting" : "given_up",
      due_ms: Date.now() + pause,
    });
    const event = this.store.get("event", before.event);
    if (delivered && event && event.pending_webhooks > 0) {
      this.store.put("event", { ...event, pending_webhooks: 0 });
    }
  }
}
