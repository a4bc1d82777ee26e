/** The state of the stand-in: in memory, and in a file to which every change is appended. */
import type {
  Card,
  Charge,
  Customer,
  Dispute,
  Invoice,
  InvoiceLine,
  InvoicePayment,
  LineItem,
  Metadata,
  PaymentIntent,
  PortalSession,
  Price,
  Product,
  Refund,
  Session,
  StripeEvent,
  Subscription,
} from "./wire.ts";

/** A checkout session, with what the API does not show of it. */
export interface Checkout {
  id: string;
  session: Session;
  items: LineItem[];
  /** What `payment_intent_data` or `subscription_data` said. */
  intent: {
    metadata: Metadata;
    description: string | null;
    receipt_email: string | null;
    setup_future_usage: "off_session" | "on_session" | null;
    statement_descriptor_suffix: string | null;
  };
  /** The payment intent of a card that was declined; the next card is charged to it. */
  attempted: string | null;
}

/** A billing portal session; its id is in its URL only. */
export interface Portal {
  id: string;
  session: PortalSession;
}

/** A proration that the next invoice of a subscription takes up. */
export interface PendingLine {
  id: string;
  subscription: string;
  line: InvoiceLine;
}

/** One delivery of an event to the webhook. */
export interface Delivery {
  id: string;
  event: string;
  customer: string | null;
  status: "waiting" | "held" | "delivered" | "given_up";
  attempts: number;
  /** When the next attempt is due, in milliseconds since 1970. */
  due_ms: number;
  /** The delivery whose first attempt comes before this one's. */
  after: string | null;
  /** The status of the last answer; null when there was none. */
  answer: number | null;
}

/** What is to happen to the next events. */
export interface DeliveryMode {
  id: string;
  customer: string | null;
  types: string[] | null;
  /** For so many events; null until it is set anew. */
  count: number | null;
  duplicate: number;
  delay_ms: [number, number] | null;
  reorder: boolean;
  drop: boolean;
}

/** An answer that is given again to the same idempotency key. */
export interface Answered {
  id: string;
  fingerprint: string;
  status: number;
  body: unknown;
  request_id: string;
  created: number;
}

/** What there is, by kind. */
export interface Kinds {
  answered: Answered;
  charge: Charge;
  checkout: Checkout;
  customer: Customer;
  delivery: Delivery;
  delivery_mode: DeliveryMode;
  dispute: Dispute;
  event: StripeEvent;
  invoice: Invoice;
  invoice_payment: InvoicePayment;
  payment_intent: PaymentIntent;
  payment_method: Card;
  pending_line: PendingLine;
  portal: Portal;
  price: Price;
  product: Product;
  refund: Refund;
  subscription: Subscription;
}

/** The name of a kind. */
export type Kind = keyof Kinds;

type Tables = { [K in Kind]: Map<string, Kinds[K]> };

const emptyTables = (): Tables => ({
  answered: new Map(),
  charge: new Map(),
  checkout: new Map(),
  customer: new Map(),
  delivery: new Map(),
  delivery_mode: new Map(),
  dispute: new Map(),
  event: new Map(),
  invoice: new Map(),
  invoice_payment: new Map(),
  payment_intent: new Map(),
  payment_method: new Map(),
  pending_line: new Map(),
  portal: new Map(),
  price: new Map(),
  product: new Map(),
  refund: new Map(),
  subscription: new Map(),
});

/** A kind, an id, and what is there now; null for nothing. */
type Change = { [K in Kind]: [K, string, Kinds[K] | null] }[Kind];

// Old entries of these give way to new ones; of the rest, this many of a kind are refused.
const FLEETING: readonly Kind[] = ["answered", "event", "delivery"];
const MOST_FLEETING = 5000;
const MOST = 50_000;
const SMALLEST_COMPACTION_BYTES = 32_000_000;

/** The store is full: the data folder has to go. */
export class StoreFull extends Error {
  override name = "StoreFull";
}

/**
 * Holds everything. Objects in it are never modified, only replaced.
 *
 * Each line of the file is one transaction, so that a line torn by a crash loses all of it or none.
 */
export class Store {
  #tables = emptyTables();
  #undo: (() => void)[] = [];
  #changes: [Kind, string, unknown][] = [];
  #file: Deno.FsFile;
  #bytes = 0;
  #compactAt = SMALLEST_COMPACTION_BYTES;

  /** @param path the file; it is made when it is missing. */
  constructor(readonly path: string) {
    for (const line of readLines(path)) {
      for (const change of line) this.#apply(change);
    }
    this.#file = this.#compact();
  }

  /** What has this id, if anything. */
  get<K extends Kind>(kind: K, id: string): Kinds[K] | undefined {
    return this.#tables[kind].get(id);
  }

  /** All of a kind, oldest first. */
  all<K extends Kind>(kind: K): Kinds[K][] {
    return [...this.#tables[kind].values()];
  }

  /** Adds or replaces, within a transaction. */
  put<K extends Kind>(kind: K, value: Kinds[K] & { id: string }): void {
    const table = this.#tables[kind];
    const before = table.get(value.id);
    if (!before && table.size >= MOST) {
      throw new StoreFull(`The stand-in for Stripe holds ${MOST} of ${kind}, which is its most`);
    }
    table.set(value.id, value);
    this.#undo.push(() => before ? table.set(value.id, before) : table.delete(value.id));
    this.#changes.push([kind, value.id, value]);
    if (!before && FLEETING.includes(kind) && table.size > MOST_FLEETING) this.#dropOldest(kind);
  }

  /** Takes away, within a transaction. */
  remove(kind: Kind, id: string): void {
    this.#remove(kind, id);
  }

  /** Does all of `work` or, when it throws, none of it. */
  transact<T>(work: () => T): T {
    try {
      const result = work();
      this.#commit();
      return result;
    } catch (error) {
      for (const undo of this.#undo.reverse()) undo();
      throw error;
    } finally {
      this.#undo = [];
      this.#changes = [];
    }
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }

  #remove<K extends Kind>(kind: K, id: string) {
    const table = this.#tables[kind];
    const before = table.get(id);
    if (!before) return;
    table.delete(id);
    this.#undo.push(() => table.set(id, before));
    this.#changes.push([kind, id, null]);
  }

  #dropOldest(kind: Kind) {
    // What has yet to be delivered stays, and so does its event.
    const waits = (id: string) =>
      kind !== "answered" &&
      ["waiting", "held"].includes(this.#tables.delivery.get(id)?.status ?? "");
    for (const id of this.#tables[kind].keys()) {
      if (waits(id)) continue;
      this.#remove(kind, id);
      return;
    }
  }

  #commit() {
    if (this.#changes.length === 0) return;
    const line = new TextEncoder().encode(JSON.stringify(this.#changes) + "\n");
    writeAll(this.#file, line);
    this.#bytes += line.length;
    if (this.#bytes < this.#compactAt) return;
    this.#file.close();
    this.#file = this.#compact();
  }

  #apply<K extends Kind>([kind, id, value]: [K, string, Kinds[K] | null]) {
    const table = this.#tables[kind];
    if (value === null) table.delete(id);
    else table.set(id, value);
  }

  /** Writes the file anew, without what has been replaced, and leaves it open for appending. */
  #compact(): Deno.FsFile {
    const path = `${this.path}.new`;
    const file = Deno.openSync(path, { create: true, write: true, truncate: true, mode: 0o600 });
    let bytes = 0;
    for (const [kind, table] of Object.entries(this.#tables)) {
      for (const [id, value] of table) {
        const line = new TextEncoder().encode(JSON.stringify([[kind, id, value]]) + "\n");
        writeAll(file, line);
        bytes += line.length;
      }
    }
    Deno.renameSync(path, this.path);
    this.#bytes = bytes;
    this.#compactAt = Math.max(SMALLEST_COMPACTION_BYTES, bytes * 2);
    return file;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array) {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
}

/** The transactions in a file; what a crash tore is left out. */
function* readLines(path: string): Generator<Change[]> {
  let text = "";
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const lines = text.split("\n");
  // Behind the last line end is nothing, or a torn line.
  for (const line of lines.slice(0, -1)) yield JSON.parse(line);
}
