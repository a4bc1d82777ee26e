/**
 * A HUB of the tests' own, over real HTTP, which keeps what it may rely on: of each API token the state with the highest
 * version, and which ids it has had. It misbehaves as a test tells it to, and notes deliveries that overlap.
 */
import { delay } from "../scripts/stack/parts.ts";

/** A token as the HUB is told of it. */
export interface HubToken {
  id: string;
  user_id: string;
  kind: string;
  product_id: string | null;
  name: string;
  status: string;
  hub_id: string | null;
  credits: number;
  version: number;
}

/** One request, as it came in. */
export interface Delivery {
  path: string;
  headers: Headers;
  /** The Idempotency-Key, or of a notice the webhook-id. */
  id: string;
  text: string;
  event: string;
  /** Absent in a notice. */
  token?: HubToken;
}

/** What is done with a delivery: the answer. */
export type Answer = (delivery: Delivery) => Response | Promise<Response>;

const BEGINNING = new TextEncoder().encode('{"hub_id": "');

/** The HUB, and beside it the endpoint for notices. */
export class TestHub {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** Everything that came in, in order. */
  readonly deliveries: Delivery[] = [];
  /** What the HUB knows of each token. */
  readonly tokens = new Map<string, HubToken>();
  /** How often each id was taken, by its first or a later delivery. */
  readonly taken = new Map<string, number>();
  /** Deliveries of one id, or about one token, that were under way at once. */
  readonly overlaps: string[] = [];
  /** How it misbehaves to deliveries about a token; without an entry it takes them. */
  readonly answers = new Map<string, Answer>();
  /** How the endpoint for notices answers. */
  answerNotice: Answer = () => new Response(null, { status: 204 });
  /** How long it takes, in milliseconds. */
  delayMs = 0;
  readonly #underWay = new Set<string>();
  #released = Promise.withResolvers<void>();

  constructor() {
    const onListen = () => {};
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen },
      (request) => this.#receive(request),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/hub`;
  }

  get noticesUrl(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/notices`;
  }

  /** How many deliveries are under way. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** The deliveries about a token, in order. */
  about = (tokenId: string) => this.deliveries.filter(({ token }) => token?.id === tokenId);

  async #receive(request: Request): Promise<Response> {
    const { pathname: path } = new URL(request.url);
    const { headers } = request;
    const id = headers.get("idempotency-key") ?? headers.get("webhook-id") ?? "";
    const text = await request.text();
    const { event, token } = JSON.parse(text);
    const delivery = { path, headers, id, text, event, token };
    this.deliveries.push(delivery);
    // A token's deliveries come one after another, whatever their ids.
    const subject = token?.id ?? id;
    if (this.#underWay.has(subject)) this.overlaps.push(`${subject} ${id}`);
    this.#underWay.add(subject);
    try {
      if (this.delayMs > 0) await delay(this.delayMs);
      if (path === "/notices") return await this.answerNotice(delivery);
      return await (this.answers.get(token.id) ?? this.take)(delivery);
    } finally {
      this.#underWay.delete(subject);
    }
  }

  /** Takes a delivery, as a HUB should. */
  readonly take: Answer = ({ id, token }) => {
    if (!token) return new Response(null, { status: 400 });
    this.taken.set(id, (this.taken.get(id) ?? 0) + 1);
    const known = this.tokens.get(token.id);
    if (!known || known.version < token.version) this.tokens.set(token.id, token);
    return Response.json({ hub_id: `hub-${token.id}` });
  };

  /** Does not answer until it is told to. */
  readonly hang: Answer = async () => {
    await this.#released.promise;
    return new Response(null, { status: 500 });
  };

  /** Lets those go that hang. */
  release(): void {
    this.#released.resolve();
    this.#released = Promise.withResolvers();
  }

  /** Ways to fail. */
  readonly misbehaviours: Record<string, Answer> = {
    "answers 500": () => new Response("out of order", { status: 500 }),
    "redirects": () => new Response(null, { status: 307, headers: { location: "/hub" } }),
    "hangs": this.hang,
    "hangs within its answer": () =>
      new Response(new ReadableStream({ start: (body) => body.enqueue(BEGINNING) })),
    "closes within its answer": () =>
      new Response(
        new ReadableStream({
          async start(body) {
            body.enqueue(BEGINNING);
            // Else nothing at all may be sent.
            await delay(50);
            body.error(new Error("closed"));
          },
        }),
      ),
  };

  /** Ends it; what hangs is cut off. */
  async close(): Promise<void> {
    this.release();
    await Promise.race([this.#server.shutdown(), delay(200)]);
  }
}
