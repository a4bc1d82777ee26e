/**
 * Whatever the database or the driver throws becomes the error that callers are promised, and tells them nothing else;
 * the page about errors says what the registry says.
 *
 * Method: errors as Postgres and the driver make them, and the page compared line by line.
 */
import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import postgres from "postgres";
import { failureToError, translate } from "../../functions/_shared/database.ts";
import { errorCodes } from "../../functions/_shared/error-codes.ts";
import { ScripError, scripError, toResponse } from "../../functions/_shared/errors.ts";

const thrown = (code: string, message = "secret detail of SQL", detail?: string) =>
  Object.assign(new postgres.PostgresError(message), { code, message, detail });
const lost = (code: string) => Object.assign(new Error("write"), { code });

function told(error: unknown) {
  const translated = translate(error);
  if (!(translated instanceof ScripError)) return undefined;
  return { status: translated.status, code: translated.body.code, headers: translated.headers };
}

Deno.test("an error that SQL raised is answered as it is", async () => {
  const body = { code: "rate_limited", message: "Wait", details: "d", hint: "h" };
  const detail = JSON.stringify({ status: 429, headers: { "Retry-After": "7" } });
  const response = toResponse(translate(thrown("PGRST", JSON.stringify(body), detail)), "r");
  equal(response.status, 429);
  equal(response.headers.get("retry-after"), "7");
  deepEqual(await response.json(), body);
});

Deno.test("a failure column is the same kind of error", () => {
  const body = { code: "code_not_found", message: "No", details: null, hint: null };
  const error = failureToError({ ...body, status: 404, retry_after: null });
  deepEqual([error.status, error.body, error.headers], [404, body, {}]);
});

Deno.test("a database that cannot answer is unavailable, for a second", () => {
  const postgresCodes = [
    "08006",
    "08P01",
    "53300",
    "57014",
    "57P01",
    "57P02",
    "57P03",
    "40001",
    "40P01",
  ];
  const driverCodes = [
    "ECONNREFUSED",
    "ECONNRESET",
    "EPIPE",
    "ETIMEDOUT",
    "ENOTFOUND",
    "CONNECTION_CLOSED",
    "CONNECTION_ENDED",
    "CONNECTION_DESTROYED",
    "CONNECT_TIMEOUT",
  ];
  for (const error of [...postgresCodes.map((code) => thrown(code)), ...driverCodes.map(lost)]) {
    deepEqual(told(error), {
      status: 503,
      code: "service_unavailable",
      headers: { "retry-after": "1" },
    }, error.code);
  }
});

Deno.test("a value that Postgres cannot read is the caller's fault, without SQL in the answer", async () => {
  for (const code of ["22P02", "22003"]) {
    const response = toResponse(translate(thrown(code)), "r");
    equal(response.status, 400);
    const text = await response.text();
    ok(text.includes("invalid_request") && !text.includes("secret"));
  }
});

Deno.test("all else is Scrip's fault and stays in the log", async () => {
  const codes = ["23505", "23514", "22021", "42501", "42P01", "28P01", "XX000"];
  for (const error of [...codes.map((code) => thrown(code)), new Error("secret"), "secret"]) {
    equal(translate(error), error);
    const response = toResponse(error, "request-1");
    equal(response.status, 500);
    const text = await response.text();
    ok(text.includes("internal_error") && text.includes("request-1") && !text.includes("secret"));
  }
});

Deno.test("a raised error that is not in the agreed form is not answered", () => {
  const error = thrown("PGRST", "not JSON");
  try {
    translate(error);
  } catch (failure) {
    ok(!(failure instanceof ScripError));
    return;
  }
  ok(false, "translated");
});

Deno.test("the edge takes statuses from the registry", () => {
  equal(scripError("operation_id_reused", "m").status, 409);
  equal(scripError("code_expired", "m").status, 410);
});

Deno.test("docs/errors.md says what the registry says", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/errors.md", import.meta.url));
  const rows = page.split("\n").filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.trim()).slice(1, -1));
  deepEqual(
    rows.map(([code, status, meaning]) => [code, status, meaning]),
    Object.entries(errorCodes).map((
      [code, { status, meaning }],
    ) => [`\`${code}\``, `${status}`, meaning]),
  );
  for (const [code = "", , , advice = ""] of rows) ok(advice.length > 10, code);
});
