/** The way to the database: SQL functions called by name, and its errors made into the caller's. */
import postgres from "postgres";
import { z } from "zod";
import type { Database } from "./database.types.ts";
import { ScripError, scripError } from "./errors.ts";

type Functions = Database["public"]["Functions"];

/** The SQL functions that return rows. */
export type FunctionName = {
  [N in keyof Functions]: Functions[N]["Returns"] extends unknown[] ? N : never;
}[keyof Functions];

/** The arguments of an SQL function; those with a default may be undefined. */
export type Arguments<N extends FunctionName, A = Functions[N]["Args"]> = {
  [K in keyof A]: Record<never, never> extends Pick<A, K> ? A[K] | undefined : A[K];
};

/** A row of an SQL function's result. */
export type Row<N extends FunctionName> = Functions[N]["Returns"][number];

/**
 * Calls an SQL function, for its rows. Tokens are numbers, times ISO 8601 strings.
 *
 * @throws {ScripError} what the function raised, or `service_unavailable`.
 */
export type Rpc = <N extends FunctionName>(name: N, args: Arguments<N>) => Promise<Row<N>[]>;

/** The same for the functions that always return a row. */
export type RpcOne = <N extends FunctionName>(name: N, args: Arguments<N>) => Promise<Row<N>>;

/** How to connect. */
export interface DatabaseOptions {
  url: string;
  /** Connections at most. */
  poolSize: number;
  /** Whether statements are prepared; a pooler that shares connections by transaction forbids it. */
  prepare: boolean;
}

const STATEMENT_TIMEOUT_MS = 10_000;
// Longer: a statement that the server stops is known to have done nothing.
const DEADLINE_MS = 15_000;
// Long enough to notice that other connections of the pool have died as well.
const REPEAT_AFTER_MS = 20;

/** A pool of connections, opened when needed and again when lost. */
export function connect({ url, poolSize, prepare }: DatabaseOptions) {
  const sql = postgres(url, {
    max: poolSize,
    prepare,
    idle_timeout: 60,
    max_lifetime: 1800,
    connect_timeout: 5,
    // A request either connects at once or is told to come again.
    backoff: false,
    fetch_types: false,
    onnotice: () => {},
    connection: {
      application_name: "scrip",
      role: "service_role",
      statement_timeout: STATEMENT_TIMEOUT_MS,
      DateStyle: "ISO",
      TimeZone: "UTC",
    },
    types: {
      // Exact: nothing that Scrip counts exceeds 9e15.
      bigint: { to: 20, from: [20], serialize: String, parse: Number },
      timestamp: { to: 1184, from: [1184], serialize: String, parse: isoTimestamp },
      day: { to: 1082, from: [1082], serialize: String, parse: String },
    },
  });
  const rpc: Rpc = async <N extends FunctionName>(name: N, args: Arguments<N>) => {
    const given = Object.entries(args).filter(([, value]) => value !== undefined);
    const list = given.map(([key], index) => `"${key}" => $${index + 1}`).join(", ");
    const values = given.map(([, value]) =>
      typeof value === "string" || typeof value === "number" || typeof value === "boolean"
        ? value
        : sql.json(Object(value))
    );
    const run = () =>
      withDeadline(
        sql.unsafe<Row<N>[]>(`select * from public."${name}"(${list})`, values, { prepare }),
      );
    try {
      return await run().catch(async (error) => {
        if (!isWorthRepeating(error)) throw error;
        await new Promise((done) => setTimeout(done, REPEAT_AFTER_MS));
        return await run();
      });
    } catch (error) {
      throw translate(error);
    }
  };
  return { rpc, end: () => sql.end() };
}

/** The variant of `rpc` for one row. */
export function oneRow(rpc: Rpc): RpcOne {
  return async (name, args) => {
    const [row] = await rpc(name, args);
    if (row === undefined) throw new Error(`${name} returned no row`);
    return row;
  };
}

// Postgres's own form, in UTC: 2026-11-21 03:04:05.123456+00. All digits count: lists page by them.
const isoTimestamp = (text: string) => text.replace(" ", "T").replace(/\+00$/, "+00:00");

class DeadlineError extends Error {
  override name = "DeadlineError";
}

async function withDeadline<T>(query: PromiseLike<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const late = () => reject(new DeadlineError(`No answer within ${DEADLINE_MS} ms`));
  const timer = setTimeout(late, DEADLINE_MS);
  try {
    return await Promise.race([query, promise]);
  } finally {
    clearTimeout(timer);
  }
}

const Body = z.object({
  code: z.string(),
  message: z.string(),
  details: z.string().nullable(),
  hint: z.string().nullable(),
});
const Answer = z.object({ status: z.int(), headers: z.record(z.string(), z.string()) });
const Failure = Body.extend({ status: z.int(), retry_after: z.int().nullable() });

/** The error in a `failure` column, of a function that has to commit what it refuses. */
export function failureToError(failure: unknown): ScripError {
  const { status, retry_after, ...body } = Failure.parse(failure);
  return new ScripError(
    status,
    body,
    retry_after === null ? {} : { "retry-after": `${retry_after}` },
  );
}

// Lost against another transaction, or sent on a connection that had just died. Doing it again is
// safe: every operation has an id, and does nothing the second time; a run goes on for the attempt that started it.
const isWorthRepeating = (error: unknown) =>
  error instanceof Error && "code" in error &&
  /^(40001|40P01|57P01|EPIPE|ECONNRESET|CONNECTION_CLOSED)$/.test(String(error.code));

/** Makes what the driver throws into an error for the caller; what is unexpected stays as it is. */
export function translate(error: unknown): unknown {
  if (!(error instanceof postgres.PostgresError)) {
    const lost = error instanceof DeadlineError || (
      error instanceof Error && "code" in error && /^(E[A-Z]+|CONNECT.*)$/.test(String(error.code))
    );
    return lost ? unavailable(error) : error;
  }
  if (error.code === "PGRST") {
    const { status, headers } = Answer.parse(JSON.parse(error.detail ?? "null"));
    return new ScripError(status, Body.parse(JSON.parse(error.message)), headers);
  }
  if (/^(22P02|22003)$/.test(error.code)) {
    return scripError("invalid_request", "A value cannot be used", { cause: error });
  }
  // Connections lost or refused, resources used up, a statement that took too long, conflicts.
  if (/^(08...|53...|57014|57P0[123]|40001|40P01)$/.test(error.code)) return unavailable(error);
  return error;
}

function unavailable(cause: unknown): ScripError {
  return scripError("service_unavailable", "The database is not available, try again", {
    headers: { "retry-after": "1" },
    cause,
  });
}
