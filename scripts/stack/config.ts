/** What the stack reads from supabase/config.toml, and what it writes to stack.json. */
import { join } from "node:path";
import { parse } from "smol-toml";
import { z } from "zod";
import { StackError } from "./parts.ts";

const CONFIG = new URL("../../supabase/config.toml", import.meta.url);

const Config = z.object({
  auth: z.object({
    jwt_expiry: z.int().positive().default(3600),
    enable_signup: z.boolean().default(true),
    minimum_password_length: z.int().positive().default(6),
  }).prefault({}),
  functions: z.record(z.string(), z.object({ entrypoint: z.string() })).default({}),
});

/** The parts of supabase/config.toml that the local stack follows. */
export type Config = z.infer<typeof Config>;

/** Takes a variable out of the environment, which child processes inherit: only one it is handed to has it. */
export function takeVariable(name: string): string | undefined {
  const value = Deno.env.get(name);
  Deno.env.delete(name);
  return value;
}

/** Reads supabase/config.toml. */
export async function readConfig(): Promise<Config> {
  try {
    return Config.parse(parse(await Deno.readTextFile(CONFIG)));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StackError(`Cannot use supabase/config.toml: ${reason}`);
  }
}

/** Where a function's module is, from its `entrypoint`, which is relative to supabase/. */
export function entrypointUrl(entrypoint: string): string {
  return new URL(entrypoint, CONFIG).href;
}

const Account = z.object({ email: z.string(), password: z.string() });
const Secrets = z.object({
  publishable_key: z.string(),
  secret_key: z.string(),
  jwt_secret: z.string(),
  stripe_webhook_secret: z.string(),
  /** The key of the stand-in for Stripe; a real one is never written down. */
  stripe_secret_key: z.string(),
  /** The key of the stand-in for the HUB; a real one is never written down. */
  hub_api_key: z.string(),
  /** What notices to the operator are signed with, unless the environment says otherwise. */
  notice_webhook_secret: z.string(),
});

/** The keys of one data folder, made once and kept. */
export type Secrets = z.infer<typeof Secrets>;

const StackFile = Secrets.extend({
  url: z.string(),
  database_url: z.string(),
  /** The address of the stand-in for Stripe's API; absent when a real key is configured. */
  stripe_api_url: z.string().optional(),
  admin: Account,
  user: Account,
  /** Process ids; a part that is down is absent. */
  processes: z.record(z.string(), z.int()),
});

/** The contents of `<data>/stack.json`: how to reach a running stack. */
export type StackFile = z.infer<typeof StackFile>;

/** Reads a stack.json. */
export async function readStackFile(path: string): Promise<StackFile> {
  return StackFile.parse(JSON.parse(await Deno.readTextFile(path)));
}

/** Writes `<data>/stack.json` so that a reader sees the old or the new one, and only its owner does. */
export async function writeStackFile(data: string, stack: StackFile): Promise<void> {
  const path = join(data, "stack.json");
  await Deno.writeTextFile(`${path}.new`, JSON.stringify(stack, null, 2) + "\n", { mode: 0o600 });
  await Deno.rename(`${path}.new`, path);
}

const randomBytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));

const token = (bytes: number) =>
  randomBytes(bytes).toBase64({ alphabet: "base64url", omitPadding: true });

/** The keys of a data folder; fresh ones for those that it lacks. */
export async function loadSecrets(data: string): Promise<Secrets> {
  const text = await Deno.readTextFile(join(data, "stack.json")).catch(() => "{}");
  const kept = Secrets.partial().safeParse(JSON.parse(text));
  return Secrets.parse({
    publishable_key: `sb_publishable_${token(24)}`,
    secret_key: `sb_secret_${token(24)}`,
    jwt_secret: token(48),
    stripe_webhook_secret: `whsec_${token(24)}`,
    stripe_secret_key: `sk_test_local_${token(24)}`,
    hub_api_key: `hub_local_${token(24)}`,
    notice_webhook_secret: `whsec_${randomBytes(24).toBase64()}`,
    ...kept.data,
  });
}
