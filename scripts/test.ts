/**
 * `npm test`: the gate, all of it or one step.
 *
 *     npm test
 *     npm test -- <step> [filter]
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { makeDataFolder, SpawnError, spawnStack } from "./stack/spawn.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const STEP_LIMIT_MS = 15 * 60_000;

interface Result {
  passed: number;
  failed: number;
  /** What to read when something failed. */
  output: string;
}

interface Step {
  name: string;
  run(filter: string | undefined): Promise<Result>;
}

const interrupted = new AbortController();

// The tests are of the stand-ins: what the developer's shell names may be real.
const REAL = [
  "STRIPE_SECRET_KEY",
  "STRIPE_WEBHOOK_SECRET",
  "CHECKOUT_ORIGINS",
  "HUB_URL",
  "HUB_TIMEOUT_MS",
  "NOTICE_WEBHOOK_URL",
  "NOTICE_WEBHOOK_SECRET",
  "OPENAI_BASE_URL",
  "REPLICATE_API_TOKEN",
  "REPLICATE_BASE_URL",
  "REPLICATE_WEBHOOK_SECRET",
  "ECB_RATES_URL",
];
const keys = Object.keys(Deno.env.toObject()).filter((name) => name.endsWith("_API_KEY"));
for (const name of [...REAL, ...keys]) Deno.env.delete(name);

const print = (text: string) => process.stdout.write(`${text}\n`);

/** Runs Deno and gathers what it says. */
async function deno(args: string[], env: Record<string, string> = {}) {
  const limit = AbortSignal.timeout(STEP_LIMIT_MS);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { ...env, CI: "true", NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.any([limit, interrupted.signal]),
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const late = limit.aborted ? `Stopped after ${STEP_LIMIT_MS / 60_000} minutes.\n` : "";
  // What failed is on standard output: it is read last.
  return { success: code === 0, output: decode(stderr) + decode(stdout) + late };
}

/** Reads the last line of counts; a program that prints none counts as one test. */
function count({ success, output }: { success: boolean; output: string }): Result {
  const [last] = [...output.matchAll(/(\d+) passed(?: \(.*?\))?(?:,| \|) (\d+) failed/g)].slice(-1);
  const passed = last ? Number(last[1]) : Number(success);
  const failed = last ? Number(last[2]) : Number(!success);
  // A program can fail beside its tests.
  return { passed, failed: success ? failed : Math.max(1, failed), output };
}

const command = (name: string, ...args: string[]): Step => ({
  name,
  run: async () => count(await deno(args)),
});

const script = (name: string, file: string): Step => ({
  name,
  run: async (filter) => count(await deno(["run", "-A", file, ...(filter ? [filter] : [])])),
});

/** Runs the tests of some files, those alone whose name has the filter in it. */
async function denoTest(
  filter: string | undefined,
  files: string[],
  env?: Record<string, string>,
): Promise<Result> {
  const only = filter ? [`--filter=${filter}`] : [];
  const args = ["test", "-A", "--no-check", "--reporter=dot", ...only, ...files];
  const result = count(await deno(args, env));
  // A line for each test that has ended.
  result.output = result.output.replaceAll(/^[.,!]\n/gm, "");
  if (result.passed + result.failed > 0) return result;
  return { passed: 0, failed: 1, output: `No test has ${filter} in its name.\n` };
}

async function integration(filter: string | undefined): Promise<Result> {
  const data = await makeDataFolder();
  try {
    const stack = await spawnStack(data);
    const files = ["--ignore=tests/unit", "tests/"];
    const result = await denoTest(filter, files, { SCRIP_STACK: stack.path });
    const code = await stack.stop();
    if (code !== 0) {
      result.failed++;
      result.output += `The stack ended with exit code ${code} instead of 0.\n`;
    }
    if (result.failed === 0) await Deno.remove(data, { recursive: true });
    else result.output += `The stack's logs are in ${data}\n`;
    return result;
  } catch (error) {
    if (error instanceof SpawnError) return { passed: 0, failed: 1, output: error.message };
    throw error;
  }
}

const STEPS: Step[] = [
  command("fmt", "fmt", "--check"),
  command("lint", "lint"),
  command("check", "check", "functions", "scripts", "tests"),
  script("db", "scripts/db/check.ts"),
  script("pgtap", "scripts/db/pgtap.ts"),
  { name: "unit", run: (filter) => denoTest(filter, ["tests/unit"]) },
  { name: "integration", run: integration },
];

async function runStep(step: Step, filter: string | undefined): Promise<Result> {
  const began = performance.now();
  const result = await step.run(filter).catch((error): Result => ({
    passed: 0,
    failed: 1,
    output: error instanceof Error ? error.stack ?? error.message : String(error),
  }));
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const { passed, failed, output } = result;
  if (interrupted.signal.aborted) return result;
  if (failed > 0) {
    print(output.trimEnd());
    print(`FAILED ${step.name}: ${failed} failed, ${passed} passed, ${seconds} s`);
    print(`  only this step: npm test -- ${step.name}`);
    const names = output.matchAll(/^(.+?)(?: \.\.\. .+)? => \.\/tests\/\S+:\d+:\d+$/gm);
    for (const test of new Set([...names].map((found) => found[1]))) {
      print(`  only this test: npm test -- ${step.name} ${JSON.stringify(test)}`);
    }
    print("");
  } else {
    print(`ok ${step.name.padEnd(12)} ${String(passed).padStart(4)} passed ${seconds} s`);
  }
  return result;
}

/** Runs the steps on as many lanes as there are processors, in order. */
async function runAll(steps: Step[], filter: string | undefined): Promise<Result[]> {
  const waiting = [...steps];
  const results: Result[] = [];
  const lane = async () => {
    for (let step = waiting.shift(); step; step = waiting.shift()) {
      if (interrupted.signal.aborted) return;
      results.push(await runStep(step, filter));
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, lane));
  return results;
}

const [name, filter] = Deno.args;
const steps = name === undefined ? STEPS : STEPS.filter((step) => step.name === name);
if (steps.length === 0) {
  print(`There is no step ${name}; there are ${STEPS.map((step) => step.name).join(", ")}.`);
  process.exit(2);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => interrupted.abort());
}
const results = await runAll(steps, filter);
const sum = (part: "passed" | "failed") => results.reduce((total, r) => total + r[part], 0);
if (interrupted.signal.aborted) process.exit(130);
print(`${sum("passed")} passed, ${sum("failed")} failed`);
process.exit(sum("failed") === 0 ? 0 : 1);
