/** Models that need no key and no network: for trying things out, and for tests. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { z } from "zod";
import { scripError } from "../errors.ts";
import { must, whole } from "../fields.ts";
import { excerpt, reasonFor, sleep } from "./failures.ts";
import {
  byLimit,
  embeddingFields,
  fittingEmbeddings,
  imageFields,
  lastText,
  parseInput,
  textFields,
  textOf,
  toMessages,
} from "./inputs.ts";
import {
  type Call,
  type Finished,
  type Input,
  type Model,
  type Prepared,
  type Provider,
  ProviderError,
  type Streaming,
} from "./provider.ts";

const trials = {
  fail: z.string(must("text")).min(1, "must not be empty").max(500).exactOptional(),
  delay_ms: whole(0, 60_000).default(0),
};

const textInput = byLimit((limit) =>
  z.strictObject({ ...textFields(limit), ...trials }).transform((input, context) => ({
    ...input,
    messages: toMessages(input, context),
  }))
);
const DIMENSIONS = 64;
const EmbeddingInput = z.strictObject({ ...embeddingFields, ...trials })
  .superRefine(fittingEmbeddings(DIMENSIONS));
const ImageInput = z.strictObject({ ...imageFields, ...trials });

type TextInput = z.output<ReturnType<typeof textInput>>;
type Trials = Pick<TextInput, "fail" | "delay_ms">;

/**
 * The provider `demo`, with the inputs and results of the provider `openai`: the same input always makes the same text,
 * image (SVG, as a data URL) or embedding (of length 1, with 64 numbers unless `dimensions` says else).
 *
 * Each word, parted by white space, is a token. Two more fields of the input try what else happens: `{fail: "reason"}`
 * fails with that reason, a stream halfway; `{delay_ms: n}`, up to 60,000, waits before the answer, in a stream before
 * each word.
 */
export const demoProvider = (): Provider => ({
  missingKey: () => undefined,
  prepare,
  run: async ({ model, input, signal }) => {
    if (model.kind === "text") {
      const text = parseInput(textInput(model), input);
      await attempt(text, signal);
      return written(text, answerTo(text));
    }
    if (model.kind === "embedding") {
      const { input: texts, dimensions = DIMENSIONS, ...trial } = parseInput(EmbeddingInput, input);
      await attempt(trial, signal);
      return {
        status: "succeeded",
        result: { embeddings: texts.map((text) => embeddingOf(text, dimensions)) },
        used: { input_tokens: count(texts) },
        summary: `${texts.length} × ${dimensions} numbers`,
      };
    }
    const { prompt, n, ...trial } = parseInput(ImageInput, input);
    await attempt(trial, signal);
    return {
      status: "succeeded",
      result: { images: Array.from({ length: n }, (_, place) => drawn(`${place} ${prompt}`)) },
      used: { input_tokens: count([prompt]), images: n },
      summary: `${n} image${n === 1 ? "" : "s"}`,
    };
  },
  stream: (call) => new WordStream(call),
});

function prepare(model: Model, input: Input): Prepared {
  switch (model.kind) {
    case "text": {
      const { messages, max_output_tokens } = parseInput(textInput(model), input);
      return {
        atMost: { input_tokens: count(messages.map(textOf)), output_tokens: max_output_tokens },
        preview: excerpt(lastText(messages)),
      };
    }
    case "embedding": {
      const { input: texts } = parseInput(EmbeddingInput, input);
      return { atMost: { input_tokens: count(texts) }, preview: excerpt(texts[0] ?? "") };
    }
    case "image": {
      const { prompt, n } = parseInput(ImageInput, input);
      return { atMost: { input_tokens: count([prompt]), images: n }, preview: excerpt(prompt) };
    }
    default:
      throw scripError("provider_failed", `The provider demo has no models of ${model.kind}`);
  }
}

async function attempt({ fail, delay_ms }: Trials, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (delay_ms > 0) await sleep(delay_ms, signal);
  if (fail !== undefined) throw new ProviderError(reasonFor(fail, undefined));
}

const wordsOf = (text: string) => text.match(/\S+/g) ?? [];

const count = (texts: string[]) =>
  texts.reduce((sum, text) => sum + Math.max(1, wordsOf(text).length), 0);

const WORDS = wordsOf(
  "a able about again air all also always and answer any are around as ask at be because bird blue bright but " +
    "by call can city clear cloud come day deep each earth even every far few find fire first for from garden give " +
    "go good green hand have here high hill home house how idea if in into is it keep kind know lake land last " +
    "leaf learn light like line little live long look make many may more morning most mountain move much name " +
    "near never new night no not of often old on one only open or other our out over paper part path people place " +
    "plain play quiet rain read river road rock same sea see seed she show side simple sky slow small snow so some " +
    "song sound star stay step still stone story sun take tell than that the their then there they thing think " +
    "this time to together tree under up very voice walk warm was water way we well what when where which while " +
    "white who why wide will wind window winter with wonder word work world year yes you young",
);

const sha256 = (text: string) => createHash("sha256").update(text).digest();

/** As many bytes as are asked for, always the same for a seed. */
function bytesFrom(seed: string, length: number): Uint8Array {
  // A long one is read once, and not for each block.
  const short = seed.length > 1000 ? sha256(seed).toString("hex") : seed;
  const blocks = Array.from(
    { length: Math.ceil(length / 32) },
    (_, place) => sha256(`${place} ${short}`),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

const MAX_WORDS = 60;

function answerTo({ messages, max_output_tokens }: TextInput): string[] {
  const [first = 0, ...rest] = bytesFrom(JSON.stringify(messages), MAX_WORDS + 1);
  const words = rest.slice(0, Math.min(20 + first % 41, max_output_tokens))
    .map((byte) => WORDS[byte % WORDS.length] ?? "");
  return words.map((word, place) =>
    (place === 0 ? `${word.slice(0, 1).toUpperCase()}${word.slice(1)}` : word) +
    (place === words.length - 1 ? "." : "")
  );
}

/** What words are as a run; without all of them it is a part. */
function written(
  { messages, max_output_tokens }: TextInput,
  words: string[],
  whole = true,
): Finished {
  const text = words.join(" ");
  const end = { finish_reason: words.length === max_output_tokens ? "length" : "stop" };
  return {
    status: "succeeded",
    result: { text, ...(whole ? end : { truncated: true }) },
    used: { input_tokens: count(messages.map(textOf)), output_tokens: words.length },
    summary: excerpt(text),
  };
}

class WordStream implements Streaming {
  readonly #input: TextInput;
  readonly #signal: AbortSignal;
  readonly #words: string[];
  #said = 0;

  constructor({ model, input, signal }: Call) {
    this.#input = parseInput(textInput(model), input);
    this.#signal = signal;
    this.#words = answerTo(this.#input);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, undefined> {
    const { fail, delay_ms } = this.#input;
    for (const [place, word] of this.#words.entries()) {
      const fails = fail !== undefined && place >= this.#words.length / 2;
      await attempt({ delay_ms, ...(fails ? { fail } : {}) }, this.#signal);
      this.#said++;
      yield place === 0 ? word : ` ${word}`;
    }
    if (fail !== undefined) await attempt({ delay_ms: 0, fail }, this.#signal);
  }

  produced(): Finished {
    const words = this.#words.slice(0, this.#said);
    return written(this.#input, words, words.length === this.#words.length);
  }
}

/** A direction: numbers whose squares add up to 1. */
function embeddingOf(text: string, dimensions: number): number[] {
  const bytes = Buffer.from(bytesFrom(text, 2 * dimensions));
  // An odd number, so that none is 0.
  const numbers = Array.from(
    { length: dimensions },
    (_, place) => 2 * bytes.readInt16LE(2 * place) + 1,
  );
  const length = Math.hypot(...numbers);
  return numbers.map((number) => number / length);
}

/** A picture of circles. */
function drawn(seed: string): { url: string } {
  const [hue = 0, ...bytes] = bytesFrom(seed, 41);
  const circles = Array.from({ length: 10 }, (_, place) => {
    const [x = 0, y = 0, radius = 0, shade = 0] = bytes.slice(4 * place, 4 * place + 4);
    const fill = `hsl(${(hue * 2 + shade) % 360} 70% ${40 + shade % 40}%)`;
    return `<circle cx="${2 * x}" cy="${2 * y}" r="${
      20 + radius % 80
    }" fill="${fill}" opacity="0.6"/>`;
  });
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512" width="512" height="512">' +
    `<rect width="512" height="512" fill="hsl(${hue * 2 % 360} 40% 20%)"/>${
      circles.join("")
    }</svg>`;
  return { url: `data:image/svg+xml;base64,${Buffer.from(svg).toString("base64")}` };
}
