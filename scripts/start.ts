/** `npm start`: runs the whole of Scrip on this machine until it is told to stop. */
import { parseArgs } from "node:util";
import process from "node:process";
import { StackError } from "./stack/parts.ts";
import { type Stack, startStack } from "./stack/stack.ts";

const HELP = `npm start -- [options]

  --port N     the port of everything (default 54321; or the variable PORT)
  --data DIR   where the data is kept (default .scrip)
  --no-demo    without demo data
`;

const say = (text: string) => process.stdout.write(text);

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function readOptions() {
  const options = {
    port: { type: "string" },
    data: { type: "string" },
    "no-demo": { type: "boolean" },
    help: { type: "boolean", short: "h" },
  } as const;
  try {
    const { values } = parseArgs({ options });
    if (values.help) {
      say(HELP);
      process.exit(0);
    }
    const port = values.port ?? Deno.env.get("PORT") ?? "54321";
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
      fail(`A port is a number from 0 to 65535, got ${port}`);
    }
    return { port: Number(port), data: values.data ?? ".scrip", demo: !values["no-demo"] };
  } catch (error) {
    fail(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
  }
}

function greet({ file, demo }: Stack) {
  const { url, user, admin, publishable_key, secret_key, database_url } = file;
  say(`
Scrip is running.

  Address    ${url}
  User       ${user.email}  ${user.password}
  Admin      ${admin.email}  ${admin.password}
  Database   ${database_url}
`);
  if (demo) {
    const json = "-H 'content-type: application/json'";
    const secret = `-H 'apikey: ${secret_key}'`;
    // A key is shown once: another day's token is another one.
    const now = Date.now().toString(36);
    say(`
Sign in, and activate an access code:

  TOKEN=$(curl -s '${url}/auth/v1/token?grant_type=password' \\
    -H 'apikey: ${publishable_key}' ${json} \\
    -d '{"email": "${user.email}", "password": "${user.password}"}' |
    sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')

  curl '${url}/functions/v1/verify-and-activate-code' \\
    -H "authorization: Bearer $TOKEN" ${json} \\
    -d '{"code": "${demo.accessCode}"}'

Run a model for some of it, and see what it cost:

  curl '${url}/functions/v1/run-model' -H "authorization: Bearer $TOKEN" ${json} \\
    -d '{"model": "demo-text", "input": "Why is the sky blue?"}'

  curl '${url}/functions/v1/usage' -H "authorization: Bearer $TOKEN"

Spend more, as a backend does, and ask where the tokens came from:

  curl '${url}/functions/v1/credits/charge' ${secret} ${json} \\
    -d '{"user_id": "${demo.userId}", "amount": 40, "operation_id": "poem-1"}'

  curl '${url}/functions/v1/admin/users/${demo.userId}/explain' ${secret}

Buy 100 tokens for €1.00: open the url of the answer, a page of a stand-in for Stripe, and pay.

  curl '${url}/functions/v1/create-checkout' \\
    -H "authorization: Bearer $TOKEN" ${json} \\
    -d '{"kind": "package", "package_id": "${demo.packageId}"}'

Make an API token, and refill it with $10 of the demo user's $25.00:

  API_TOKEN=$(curl -s '${url}/functions/v1/refill/tokens' \\
    -H "authorization: Bearer $TOKEN" ${json} \\
    -d '{"kind": "product", "product_id": "${demo.productId}", "name": "My app", "operation_id": "token-${now}"}')
  TOKEN_ID=$(echo "$API_TOKEN" | sed 's/.*"id":"\\([^"]*\\)".*/\\1/')
  API_KEY=$(echo "$API_TOKEN" | sed 's/.*"key":"\\([^"]*\\)".*/\\1/')

  curl '${url}/functions/v1/refill' -H "authorization: Bearer $TOKEN" ${json} \\
    -d '{"token_id": "'$TOKEN_ID'", "mode": "usd", "amount": "10.00", "operation_id": "refill-${now}"}'

See what an external HUB was told of it, here a stand-in; and spend some of its credits by its key:

  curl '${url}/stand-in/hub'

  curl '${url}/functions/v1/credits/tokens/consume' ${secret} ${json} \\
    -d '{"api_key": "'$API_KEY'", "credits": 9, "operation_id": "call-${now}"}'
`);
  }
  say(`\nCtrl-C stops it.\n\nready ${url}\n`);
}

/** Calls `stop` when the process that started this one is gone. */
function watchParent(stop: () => void) {
  const parent = Number(Deno.env.get("SCRIP_PARENT"));
  if (parent !== Deno.ppid) return;
  setInterval(() => {
    if (Deno.ppid !== parent) stop();
  }, 250);
}

let stack: Stack | undefined;
let stopping = false;

async function stop() {
  if (stopping) return;
  stopping = true;
  // Its children end when it does, should it not manage in time.
  setTimeout(() => process.exit(1), 5000);
  await stack?.stop();
  process.exit(0);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
watchParent(stop);

try {
  stack = await startStack(readOptions());
} catch (error) {
  if (error instanceof StackError) fail(error.message);
  throw error;
}
if (!stopping) greet(stack);
