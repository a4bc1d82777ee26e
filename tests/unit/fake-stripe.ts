/** A server in place of Stripe, for the real library to talk to. */
import { type StripeAccess, stripeAccess } from "../../functions/_shared/stripe.ts";

export const STRIPE_KEY = "sk_test_of_the_tests";
export const WEBHOOK_SECRET = "whsec_of_the_tests";
export const ORIGIN = "https://app.example.test";

/** A request as Stripe gets it. */
export interface StripeRequest {
  /** Such as `POST /v1/customers`. */
  operation: string;
  /** The form or the query, by the names that Stripe has for nested fields. */
  fields: Record<string, string>;
  idempotencyKey: string | null;
  headers: Headers;
}

/** What Stripe answers: an object, or with a status an error. */
export type StripeAnswer = (request: StripeRequest) => { status?: number; body: unknown };

/** An error as Stripe answers it. */
export const stripeError = (status: number, error: Record<string, unknown>) => ({
  status,
  body: { error },
});

/** Starts such a server; it stops at the end of the scope. */
export function startStripe(answer: StripeAnswer) {
  const requests: StripeRequest[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (req) => {
    const url = new URL(req.url);
    const form = new URLSearchParams(req.method === "GET" ? url.search : await req.text());
    const request: StripeRequest = {
      operation: `${req.method} ${url.pathname}`,
      fields: Object.fromEntries(form),
      idempotencyKey: req.headers.get("idempotency-key"),
      headers: req.headers,
    };
    requests.push(request);
    const { status = 200, body } = answer(request);
    const text = typeof body === "string" ? body : JSON.stringify(body);
    // Or the library would wait and try again.
    const headers = { "stripe-should-retry": "false", "request-id": "req_1" };
    return new Response(text, { status, headers });
  });
  const access: StripeAccess = stripeAccess(
    new Map(Object.entries({
      STRIPE_SECRET_KEY: STRIPE_KEY,
      STRIPE_API_URL: `http://127.0.0.1:${server.addr.port}`,
      STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
      CHECKOUT_ORIGINS: `${ORIGIN}, http://localhost:5173`,
    })),
  );
  return { access, requests, [Symbol.asyncDispose]: () => server.shutdown() };
}
