/**
 * Who the outbox tells: the HUB and the endpoint for notices that the environment names, or else stand-ins for them.
 *
 * The stand-ins answer as the real ones should. They keep what they were told in memory, for people and tests to look
 * at, and forget it when the stack stops.
 */
import { Webhook } from "standardwebhooks";
import { z } from "zod";
import { type Secrets, takeVariable } from "./config.ts";

/** Answers the requests for one path of the gateway. */
export type StandIn = (request: Request) => Promise<Response>;

/** How the functions reach whom the outbox tells. */
export interface Receivers {
  /** The stand-ins, by their path behind the gateway. */
  standIns: ReadonlyMap<string, StandIn>;
  /** The variables for the functions, with the gateway's address. */
  env(url: string): Record<string, string>;
}

/**
 * With a variable for its address the functions reach the real HUB or endpoint, with an empty one (`HUB_URL=`) none,
 * and without one the stand-in.
 */
export function chooseReceivers(secrets: Secrets): Receivers {
  const hub = takeVariable("HUB_URL");
  const hubKey = takeVariable("HUB_API_KEY");
  const hubTimeout = takeVariable("HUB_TIMEOUT_MS");
  const webhook = takeVariable("NOTICE_WEBHOOK_URL");
  const givenSecret = takeVariable("NOTICE_WEBHOOK_SECRET");
  const webhookSecret = webhook && givenSecret || secrets.notice_webhook_secret;
  const standIns = new Map<string, StandIn>();
  if (hub === undefined) standIns.set("/stand-in/hub", openHub(secrets.hub_api_key));
  if (webhook === undefined) standIns.set("/stand-in/webhook", openWebhook(webhookSecret));
  const env = (url: string) => ({
    ...addressed("HUB_URL", hub ?? `${url}/stand-in/hub`),
    ...addressed("HUB_API_KEY", hub === undefined ? secrets.hub_api_key : hubKey),
    ...addressed("HUB_TIMEOUT_MS", hubTimeout),
    ...addressed("NOTICE_WEBHOOK_URL", webhook ?? `${url}/stand-in/webhook`),
    NOTICE_WEBHOOK_SECRET: webhookSecret,
  });
  return { standIns, env };
}

const addressed = (name: string, value: string | undefined) => value ? { [name]: value } : {};

const MOST_SHOWN = 100;

/** The last so many things, by their id, the newest first. */
class Shown<T> {
  readonly #all = new Map<string, T>();

  get = (id: string) => this.#all.get(id);

  put(id: string, thing: T) {
    this.#all.delete(id);
    this.#all.set(id, thing);
    const [oldest] = this.#all.keys();
    if (this.#all.size > MOST_SHOWN && oldest !== undefined) this.#all.delete(oldest);
  }

  toResponse = () => Response.json({ data: [...this.#all.values()].reverse() });
}

const refuse = (status: number, message: string) => Response.json({ message }, { status });

function parse<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const Told = z.object({
  event: z.string(),
  occurred_at: z.string(),
  token: z.looseObject({ id: z.uuid(), version: z.int() }),
});

/** Stands in for the HUB: of each API token it keeps the state with the highest version. */
function openHub(key: string): StandIn {
  const tokens = new Shown<z.infer<typeof Told>>();
  return async (request) => {
    if (request.method === "GET") return tokens.toResponse();
    if (request.method !== "POST") return refuse(405, "GET or POST");
    if (request.headers.get("authorization") !== `Bearer ${key}`) return refuse(401, "Wrong key");
    if (!request.headers.get("idempotency-key")) return refuse(400, "No Idempotency-Key");
    const told = parse(Told, await request.text());
    if (!told) return refuse(400, "Not what the HUB is told");
    const { id, version } = told.token;
    if (version > (tokens.get(id)?.token.version ?? -1)) tokens.put(id, told);
    return Response.json({ hub_id: `hub-${id}` });
  };
}

const Notice = z.looseObject({ type: z.string() });

/** Stands in for the operator's endpoint: it keeps the notices whose signature is right, each once. */
function openWebhook(secret: string): StandIn {
  const notices = new Shown<z.infer<typeof Notice>>();
  const webhook = new Webhook(secret);
  return async (request) => {
    if (request.method === "GET") return notices.toResponse();
    if (request.method !== "POST") return refuse(405, "GET or POST");
    const text = await request.text();
    try {
      webhook.verify(text, Object.fromEntries(request.headers), { jsonParse: false });
    } catch {
      return refuse(401, "The signature is missing, wrong or too old");
    }
    const notice = parse(Notice, text);
    if (!notice) return refuse(400, "Not a notice");
    const id = request.headers.get("webhook-id") ?? "";
    if (!notices.get(id)) notices.put(id, notice);
    return new Response(null, { status: 204 });
  };
}
