/** The stand-in for Stripe's API as one server: the API, its controls, and the pages that customers see. */
import { checkKey, serveApi } from "./api.ts";
import { expireCheckout } from "./checkout.ts";
import { serveCheckoutPage } from "./checkout-page.ts";
import { serveControl } from "./control.ts";
import { Deliverer } from "./delivery.ts";
import { StripeFailure } from "./errors.ts";
import { errorPage } from "./page.ts";
import { servePortalPage } from "./portal-page.ts";
import { Store } from "./store.ts";
import { expirePending } from "./subscriptions.ts";
import type { World } from "./world.ts";

/** How a stand-in runs. */
export interface StandInOptions {
  /** The key that calls of the API carry. */
  key: string;
  /** The secret that events are signed with. */
  webhookSecret: string;
  /** Where events are sent. */
  webhookUrl: string;
  /** The address under which browsers reach `/stand-in/…`. */
  publicUrl: string;
  /** The file that keeps the state. */
  stateFile: string;
}

/** A running stand-in. */
export interface StandIn {
  /** Answers a request. */
  handle(request: Request): Promise<Response>;
  /** Stops deliveries and closes the file. */
  stop(): void;
}

const LARGEST_BODY_BYTES = 1_000_000;
const SWEEP_MS = 10_000;

async function readBody(request: Request): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = "";
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > LARGEST_BODY_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** Ends what has run out of time. */
function sweep(world: World) {
  const now = world.now();
  const checkouts = world.store.all("checkout")
    .filter(({ session }) => session.status === "open" && session.expires_at <= now);
  const pending = world.store.all("subscription")
    .filter(({ pending_update: update }) => update && update.expires_at <= now);
  if (checkouts.length + pending.length === 0) return;
  world.store.transact(() => {
    for (const checkout of checkouts) expireCheckout(world, checkout);
    for (const subscription of pending) expirePending(world, subscription);
  });
}

/** Opens a stand-in with the state that its file holds. */
export function openStandIn(options: StandInOptions): StandIn {
  const store = new Store(options.stateFile);
  const base: World = {
    store,
    publicUrl: options.publicUrl,
    now: () => Math.floor(Date.now() / 1000),
    request: { id: null, idempotency_key: null },
  };
  const deliverer = new Deliverer(store, {
    url: options.webhookUrl,
    secret: options.webhookSecret,
  });
  // What one request makes is put in order apart from what others make.
  const newWorld = (): World => ({ ...base });
  const tick = () => {
    sweep(newWorld());
    deliverer.wake();
  };
  const sweeper = setInterval(tick, SWEEP_MS);
  tick();

  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const body = await readBody(request);
    if (body === undefined) return new Response("The body is too large", { status: 413 });
    if (pathname.startsWith("/stand-in/checkout/")) {
      return serveCheckoutPage(newWorld(), request, body);
    }
    if (pathname.startsWith("/stand-in/portal/")) return servePortalPage(newWorld(), request, body);
    if (!pathname.startsWith("/stand-in/")) return serveApi(newWorld(), request, body, options.key);
    checkKey(request, options.key);
    return await serveControl(newWorld(), deliverer, request, body);
  };

  return {
    async handle(request) {
      try {
        return await answer(request);
      } catch (error) {
        if (!(error instanceof StripeFailure)) throw error;
        const isPage = request.headers.get("accept")?.includes("text/html");
        return isPage
          ? errorPage(error.status, error.message)
          : Response.json({ error: error.body }, { status: error.status });
      } finally {
        deliverer.wake();
      }
    },
    stop() {
      clearInterval(sweeper);
      deliverer.stop();
      store.close();
    },
  };
}
