/**
 * fx-sync takes the US dollar's rate from the European Central Bank's daily file with the digits that it is published
 * with, and from anything else nothing.
 *
 * Method: the real route and the real reader against an HTTP server of the test's; a database that only notes its calls.
 */
// Deno's `equal` and `deepEqual` of this module are loose.
import {
  deepStrictEqual as deepEqual,
  rejects,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { ecbRates, type RateSource, readRate } from "../../functions/_shared/ecb.ts";
import { ScripError } from "../../functions/_shared/errors.ts";
import { routes } from "../../functions/fx-sync/routes.ts";
import { asAdmin, asSecret, asUser, errorOf, sender } from "./fakes.ts";
import { gone, type Receive, startReceiver, streamed } from "./receiver.ts";

const send = sender("fx-sync", routes);

/** The file as the bank publishes it, of a day and with a rate. */
const file = (day = "2026-01-30", rate = "1.0409") =>
  `<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
	<gesmes:subject>Reference rates</gesmes:subject>
	<gesmes:Sender>
		<gesmes:name>European Central Bank</gesmes:name>
	</gesmes:Sender>
	<Cube>
		<Cube time='${day}'>
			<Cube currency='USD' rate='${rate}'/>
			<Cube currency='JPY' rate='160.99'/>
			<Cube currency='BGN' rate='1.9558'/>
		</Cube>
	</Cube>
</gesmes:Envelope>
`;

const NOW = new Date("2026-01-30T23:59:59.999Z");
const PREFIX = "The European Central Bank's rates: ";

const source = (url: string, timeoutMs?: number): RateSource =>
  ecbRates(new Map([["ECB_RATES_URL", url]]), timeoutMs);

const SET = { rate_day: "2026-01-30", rate: "0.960707", outcome: "set" };
const sync = (ecb: RateSource) => send("POST", "", { headers: asSecret, ecb, answer: () => [SET] });

/** Expects a 502 with this reason, and no call of the database. */
async function fails(ecb: RateSource, reason: string) {
  const { response, calls } = await sync(ecb);
  const { status, code, message } = await errorOf(response);
  deepEqual(
    { status, code, message },
    { status: 502, code: "provider_failed", message: PREFIX + reason },
  );
  deepEqual(calls, []);
}

/** The same, of what a server answers. */
async function failsOn(answer: Receive, reason: string) {
  await using bank = startReceiver(answer);
  await fails(source(bank.url), reason);
}

Deno.test("only a secret key syncs rates", async () => {
  for (const [headers, status] of [[{}, 401], [asUser, 403], [asAdmin, 403]] as const) {
    const { response, calls } = await send("POST", "", { headers });
    equal(response.status, status);
    deepEqual(calls, []);
  }
  const { response } = await send("POST", "", { headers: asSecret, body: { day: "2026-01-01" } });
  equal((await errorOf(response)).message, "day: is not a field of this request");
});

Deno.test("the rate of the file is set, with its digits and for its day", async () => {
  await using bank = startReceiver(() => new Response(file()));
  const { response, calls } = await sync(source(bank.url));
  deepEqual(await response.json(), { day: "2026-01-30", usd_eur: "0.960707", outcome: "set" });
  deepEqual(calls, [{
    name: "set_currency_rate",
    args: { day: "2026-01-30", usd_per_eur: "1.0409", source: "ecb" },
  }]);
  deepEqual(bank.received.map(({ headers }) => headers.get("user-agent")), ["scrip"]);
});

Deno.test("digits are kept as they are written", () => {
  for (
    const rate of [
      "1.10",
      "1.0000000000",
      "0001",
      "1",
      "0.0000000001",
      "9999.9999999999",
      "1.0409000000",
    ]
  ) {
    deepEqual(readRate(file("2026-01-30", rate), NOW), {
      day: "2026-01-30",
      usd_per_eur: rate,
    });
  }
  const others = file().replaceAll("'", '"').replaceAll("gesmes:", "g:").replace(
    "xmlns:gesmes",
    "xmlns:g",
  );
  equal(readRate(others, NOW).usd_per_eur, "1.0409");
});

Deno.test("what is no rate of the US dollar is refused", () => {
  const reasonOf = (xml: string, now = NOW) => {
    try {
      return JSON.stringify(readRate(xml, now));
    } catch (error) {
      if (!(error instanceof ScripError)) throw error;
      deepEqual([error.status, error.body.code], [502, "provider_failed"]);
      return error.message.slice(PREFIX.length);
    }
  };
  for (
    const rate of [
      "",
      "0",
      "0.0000",
      "-1.04",
      "+1.04",
      "1,04",
      "1e0",
      "0x1",
      "N/A",
      " ",
      "1.",
      ".5",
      "10000",
      "1.00000000001",
      "Infinity",
      "1.04 USD",
      "1.04<",
      "٣",
    ]
  ) {
    const reason = `the US dollar's is no rate: ${rate.trim()}`;
    equal(reasonOf(file("2026-01-30", rate)), reason, rate);
  }
  const daily = "the file is not the daily one";
  const usd = "the file does not have one rate of the US dollar";
  const line = "<Cube currency='USD' rate='1.0409'/>";
  const day = file().slice(file().indexOf("<Cube time"), file().lastIndexOf("</Cube>"));
  const wrong: [string, string][] = [
    [file().replace("USD", "usd"), usd],
    [file().replace(line, ""), usd],
    [file().replace(line, line + line), usd],
    [file().replace(line, "<Cube currency='USD'/>"), daily],
    [file().replace(line, "<Cube rate='1.0409'/>"), daily],
    [file().replace(/<Cube currency[^>]*>/g, ""), daily],
    // The file of 90 days.
    [file().replace(day, day + day.replace("2026-01-30", "2026-01-29")), daily],
    [file("2026-02-30"), daily],
    [file("30.01.2026"), daily],
    [file(""), daily],
    [file().replace("time=", "day="), daily],
    ["<html><body>Not found</body></html>", daily],
    ["", "the file is no XML"],
    ["1.0409", "the file is no XML"],
    ['{"USD": 1.0409}', "the file is no XML"],
    [file().slice(0, -30), "the file is no XML"],
    [file().slice(0, 400), "the file is no XML"],
    [file().replace("</Cube>", ""), "the file is no XML"],
  ];
  for (const [xml, reason] of wrong) equal(reasonOf(xml), reason, xml);
  // Nothing is fetched or expanded for a DOCTYPE.
  const entity = `<!DOCTYPE x [<!ENTITY r "1.0409">]>`;
  const withEntity = file("2026-01-30", "&r;").replace("?>\n", `?>\n${entity}\n`);
  equal(reasonOf(withEntity), "the US dollar's is no rate: &r;");
});

Deno.test("a day to come is refused, today's is not", () => {
  equal(readRate(file(), new Date("2026-01-30T00:00:00Z")).day, "2026-01-30");
  throws(
    () => readRate(file(), new Date("2026-01-29T23:59:59.999Z")),
    { message: `${PREFIX}the file is of 2026-01-30, which is to come` },
  );
});

Deno.test("a bank that refuses, redirects or sends too much is a failure, and sets nothing", async () => {
  for (const status of [204, 400, 404, 429, 500, 503]) {
    const body = status === 204 ? null : file();
    await failsOn(() => new Response(body, { status }), `the answer was ${status}`);
  }
  await using elsewhere = startReceiver(() => new Response(file()));
  await failsOn(() => Response.redirect(elsewhere.url, 302), "the answer was 302");
  equal(elsewhere.received.length, 0);
  await failsOn(
    () => new Response(file() + " ".repeat(262_144)),
    "the file is longer than 262144 bytes",
  );
  await failsOn(() => new Response("<html>"), "the file is no XML");
});

Deno.test("an endless answer is given up at its limit", async () => {
  let sent = 0;
  const left = Promise.withResolvers<void>();
  const chunk = new Uint8Array(16_384).fill(32);
  await failsOn(
    () =>
      streamed((body) => {
        sent += chunk.length;
        body.enqueue(chunk);
      }, () => left.resolve()),
    "the file is longer than 262144 bytes",
  );
  await left.promise;
  equal(sent < 100 * 262_144, true);
});

Deno.test("a bank that hangs, before its answer or within, is given up in time", async () => {
  const hang: Receive = async (_, request) => {
    await gone(request);
    return new Response();
  };
  const stall: Receive = () => {
    let begun = false;
    return streamed(async (body) => {
      if (begun) await new Promise(() => {});
      begun = true;
      body.enqueue(new TextEncoder().encode(file().slice(0, 200)));
    });
  };
  for (const answer of [hang, stall]) {
    await using bank = startReceiver(answer);
    await fails(source(bank.url, 100), "the bank did not answer within 0.1 seconds");
  }
});

Deno.test("an answer that breaks off, and no connection, are failures that name no address", async () => {
  const breakOff: Receive = () => {
    let begun = false;
    return streamed((body) => {
      if (begun) throw new Error("gone");
      begun = true;
      body.enqueue(new TextEncoder().encode(file().slice(0, 200)));
    });
  };
  await failsOn(breakOff, "the connection failed");
  const { port } = await (async () => {
    await using bank = startReceiver();
    return new URL(bank.url);
  })();
  await fails(source(`http://127.0.0.1:${port}/`), "the connection failed");
});

Deno.test("the address is the bank's own unless the environment has another, which must be one", async () => {
  for (const url of ["ftp://x/", "x", "file:///etc/passwd", "https://user@x/", "https://u:p@x/"]) {
    throws(() => source(url), {
      message: "ECB_RATES_URL must be a URL with http or https, without user and password",
    });
  }
  source("");
  // A mistake in it is the operator's to read, not the caller's.
  const misconfigured = {
    get latest(): RateSource["latest"] {
      return source("x").latest;
    },
  };
  const { response, log } = await sync(misconfigured);
  equal(response.status, 500);
  equal(log[0]?.error?.includes("ECB_RATES_URL must be"), true);
  await rejects(source("http://127.0.0.1:1/").latest(), {
    message: `${PREFIX}the connection failed`,
  });
});
