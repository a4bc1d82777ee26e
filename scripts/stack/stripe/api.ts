/** Stripe's API: who may call, what is called, and what the answer is. */
import { createHash, timingSafeEqual } from "node:crypto";
import Stripe from "stripe";
import { attachById, cardRoutes } from "./cards.ts";
import { checkoutRoutes } from "./checkout.ts";
import { customerRoutes } from "./customers.ts";
import { disputeRoutes } from "./disputes.ts";
import { invalidParameter, StripeFailure } from "./errors.ts";
import { parseForm, type Tree } from "./form.ts";
import { newId } from "./ids.ts";
import { invoiceRoutes } from "./invoices.ts";
import { paginate } from "./lists.ts";
import { boolean, list, text } from "./params.ts";
import { paymentRoutes } from "./payments.ts";
import { portalRoutes } from "./portal.ts";
import { productRoutes } from "./products.ts";
import { refundRoutes } from "./refunds.ts";
import { listParams, noParams, type Route, route } from "./route.ts";
import { type Answered, StoreFull } from "./store.ts";
import { subscriptionRoutes } from "./subscription-routes.ts";
import { find, type World } from "./world.ts";

const ListEvents = listParams({
  delivery_success: boolean.optional(),
  type: text().optional(),
  types: list(text(), 20).optional(),
});

const eventRoutes = [
  route("GET", "/v1/events/:id", noParams, (world, _, id) => find(world, "event", id)),
  route("GET", "/v1/events", ListEvents, (world, asked) => {
    const all = world.store.all("event").filter((event) =>
      (asked.type === undefined || matches(event.type, asked.type)) &&
      (asked.types === undefined || asked.types.includes(event.type)) &&
      (asked.delivery_success === undefined ||
        asked.delivery_success === (event.pending_webhooks === 0))
    );
    return paginate("/v1/events", all, asked);
  }),
];

/** `charge.*` stands for all events of charges. */
const matches = (type: string, pattern: string) =>
  pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;

const ROUTES: readonly Route[] = [
  ...customerRoutes(attachById),
  ...productRoutes,
  ...checkoutRoutes,
  ...portalRoutes,
  ...subscriptionRoutes,
  ...invoiceRoutes,
  ...paymentRoutes,
  ...cardRoutes,
  ...refundRoutes,
  ...disputeRoutes,
  ...eventRoutes,
];

/** The shapes of other versions are other ones. */
function checkVersion(request: Request) {
  const asked = request.headers.get("stripe-version");
  if (asked === null || asked === Stripe.API_VERSION) return;
  throw invalidParameter(
    `The stand-in for Stripe speaks version ${Stripe.API_VERSION} of its API, not ${
      asked.slice(0, 50)
    }`,
  );
}

/** The route for a path and the id in it. */
function findRoute(method: string, pathname: string): { route: Route; id: string } | undefined {
  const parts = pathname.split("/");
  for (const route of ROUTES) {
    const pattern = route.path.split("/");
    const fits = route.method === method && pattern.length === parts.length &&
      pattern.every((part, index) => part.startsWith(":") || part === parts[index]);
    if (!fits) continue;
    const at = pattern.findIndex((part) => part.startsWith(":"));
    return { route, id: at === -1 ? "" : decodeId(parts[at] ?? "") };
  }
  return undefined;
}

function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidParameter("Invalid id in the path");
  }
}

const digest = (text: string) => createHash("sha256").update(text).digest();

/**
 * Checks the key, sent as a bearer token or as the user name of basic authentication.
 *
 * @throws {StripeFailure} 401.
 */
export function checkKey(request: Request, key: string): void {
  const [scheme = "", value = ""] = (request.headers.get("authorization") ?? "").split(" ");
  const refuse = (message: string) =>
    new StripeFailure(401, { type: "invalid_request_error", message }, false, false);
  if (value === "") {
    throw refuse("You did not provide an API key. Provide it in the Authorization header.");
  }
  const given = scheme.toLowerCase() === "basic" ? decodeUser(value) : value;
  if (!timingSafeEqual(digest(given), digest(key))) throw refuse("Invalid API Key provided.");
}

function decodeUser(value: string): string {
  try {
    return atob(value).split(":")[0] ?? "";
  } catch {
    return "";
  }
}

/** A tree with its names in order, so that the same parameters give the same text. */
const sorted = (tree: Tree): unknown =>
  Object.keys(tree).sort().map((name) => {
    const value = tree[name] ?? "";
    return [name, typeof value === "string" ? value : sorted(value)];
  });

const KEY_SECONDS = 86_400;
const LONGEST_KEY = 255;

/** The earlier answer to this idempotency key, if there is one. */
function earlier(world: World, key: string, fingerprint: string): Answered | undefined {
  if (key.length > LONGEST_KEY) {
    throw invalidParameter(`Idempotency keys can have up to ${LONGEST_KEY} characters`);
  }
  const found = world.store.get("answered", key);
  if (!found || found.created < world.now() - KEY_SECONDS) return undefined;
  if (found.fingerprint === fingerprint) return found;
  throw new StripeFailure(
    400,
    {
      type: "idempotency_error",
      message: "Keys for idempotent requests can only be used with the same parameters they were " +
        `first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
    },
    false,
    false,
  );
}

/** An answer before it is sent. */
interface Answer {
  status: number;
  body: unknown;
  headers: Record<string, string>;
}

const failed = (error: StripeFailure): Answer => ({
  status: error.status,
  body: { error: error.body },
  headers: {},
});

/** Does the call, and remembers the answer in the same transaction. */
function execute(world: World, call: () => object, key: string | null, fingerprint: string) {
  const remember = (answer: Answer) => {
    if (key === null) return answer;
    world.store.put("answered", {
      id: key,
      fingerprint,
      status: answer.status,
      body: answer.body,
      request_id: world.request.id ?? "",
      created: world.now(),
    });
    return answer;
  };
  try {
    return world.store.transact(() => {
      try {
        return remember({ status: 200, body: call(), headers: {} });
      } catch (error) {
        if (error instanceof StripeFailure && error.keeps) return remember(failed(error));
        throw error;
      }
    });
  } catch (error) {
    if (!(error instanceof StripeFailure)) throw error;
    // What was done is undone; that it was refused is still remembered.
    return error.executed ? world.store.transact(() => remember(failed(error))) : failed(error);
  }
}

function answerCall(world: World, method: string, url: URL, body: string): Answer {
  const found = findRoute(method, url.pathname);
  if (!found) {
    throw new StripeFailure(404, {
      type: "invalid_request_error",
      message:
        `Unrecognized request URL (${method}: ${url.pathname}). The stand-in for Stripe does not know it.`,
    });
  }
  const { route, id } = found;
  const tree = parseForm([url.search.slice(1), body].filter((text) => text !== "").join("&"));
  const key = method === "POST" ? world.request.idempotency_key : null;
  const fingerprint = digest(JSON.stringify([method, url.pathname, sorted(tree)])).toString("hex");
  if (key !== null) {
    const before = earlier(world, key, fingerprint);
    if (before) {
      const { status, body, request_id } = before;
      return {
        status,
        body,
        headers: { "idempotent-replayed": "true", "original-request": request_id },
      };
    }
  }
  return execute(world, () => route.run(world, id, tree), key, fingerprint);
}

/** Answers one call of Stripe's API. */
export function serveApi(base: World, request: Request, body: string, key: string): Response {
  const requestId = newId("req");
  const idempotencyKey = request.headers.get("idempotency-key");
  const world = { ...base, request: { id: requestId, idempotency_key: idempotencyKey } };
  const answer = (() => {
    try {
      checkKey(request, key);
      checkVersion(request);
      return answerCall(world, request.method, new URL(request.url), body);
    } catch (error) {
      if (error instanceof StripeFailure) return failed(error);
      if (!(error instanceof StoreFull)) throw error;
      return failed(
        new StripeFailure(429, {
          type: "invalid_request_error",
          code: "rate_limit",
          message: error.message,
        }),
      );
    }
  })();
  return Response.json(answer.body, {
    status: answer.status,
    headers: {
      "request-id": requestId,
      "stripe-version": Stripe.API_VERSION,
      ...(idempotencyKey === null ? {} : { "idempotency-key": idempotencyKey }),
      ...answer.headers,
    },
  });
}
