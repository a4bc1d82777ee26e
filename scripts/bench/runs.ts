/** What `npm run bench` measures of runs: what run-model adds to the provider's own time. */
import { SignJWT } from "jose";
import { createVerify } from "../../functions/_shared/auth.ts";
import { connect, oneRow } from "../../functions/_shared/database.ts";
import type { Deps } from "../../functions/_shared/deps.ts";
import { createHandler } from "../../functions/_shared/http.ts";
import { demoProvider } from "../../functions/_shared/providers/demo.ts";
import { providersOf } from "../../functions/_shared/providers/providers.ts";
import { routes } from "../../functions/run-model/routes.ts";
import type { Case } from "../bench.ts";

const DELAY_MS = 50;
// All calls of a turn begin at once; after some rounds they are spread, as those of many users are.
const TURN_MS = 1500;
const INPUT = { prompt: "Write a haiku about a token that was never lost.", delay_ms: DELAY_MS };
const ISSUER = "http://localhost/auth/v1";
const KEY = new TextEncoder().encode("the key of this benchmark, which opens nothing");

/** Cases, and what lets go of their connections. */
export interface RunCases {
  cases: Case[];
  end: () => Promise<void>;
}

/** A call of the demo provider, by itself and through run-model's own handler, of a signed-in user. */
export async function runCases(url: string, users: string[], poolSize: number): Promise<RunCases> {
  const { rpc, end } = connect({ url, poolSize, prepare: true });
  const rpcOne = oneRow(rpc);
  const unused = () => {
    throw new Error("Runs need none");
  };
  const deps: Deps = {
    verify: createVerify({
      issuer: ISSUER,
      secretKeys: [],
      getKey: () => KEY,
      algorithms: ["HS256"],
    }),
    rpc,
    rpcOne,
    providers: providersOf({ get: () => undefined }),
    get stripe() {
      return unused();
    },
    get ecb() {
      return unused();
    },
    hub: undefined,
    noticeWebhook: undefined,
    background: () => {},
    log: () => {},
  };
  const tokens = await Promise.all(
    users.map((user) =>
      new SignJWT({ role: "authenticated" }).setProtectedHeader({ alg: "HS256" }).setSubject(user)
        .setIssuer(ISSUER).setAudience("authenticated").setExpirationTime("1h").sign(KEY)
    ),
  );
  const handler = createHandler("run-model", routes, deps);
  const model = await rpcOne("get_ai_model", { slug: "demo-text" });
  const provider = demoProvider();
  const name = `demo provider, ${DELAY_MS} ms a call`;
  const cases: Case[] = [
    {
      name,
      turnMs: TURN_MS,
      run: () => {
        const { signal } = new AbortController();
        return provider.run({ model, input: INPUT, runId: crypto.randomUUID(), signal });
      },
    },
    {
      name: "the same through run-model",
      against: { name, aim: 0.8 },
      turnMs: TURN_MS,
      run: async () => {
        const token = tokens[Math.floor(Math.random() * tokens.length)];
        const request = new Request("http://localhost/run-model", {
          method: "POST",
          headers: { authorization: `Bearer ${token}` },
          body: JSON.stringify({ model: model.model, input: INPUT }),
        });
        const response = await handler(request);
        if (response.status !== 200) throw new Error(await response.text());
        await response.body?.cancel();
      },
    },
  ];
  return { cases, end };
}
