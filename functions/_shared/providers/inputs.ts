/** The inputs that providers share, and how many tokens text is. */
import { z } from "zod";
import { AnyJson, must, whole } from "../fields.ts";
import { parse } from "../http.ts";
import type { Input, Model } from "./provider.ts";

/**
 * Checks an input.
 *
 * @throws {ScripError} `invalid_request`, naming each field of `input` that is wrong.
 */
export const parseInput = <T>(schema: z.ZodType<T>, input: Input): T =>
  parse(z.object({ input: schema }), { input }).input;

/** Tokens of an image in a message at most: 8 tiles of the model that makes most of a tile. */
export const IMAGE_TOKENS = 50_000;
const LOW_DETAIL_TOKENS = 3_000;
/** Tokens of an image where nobody has counted. */
const ESTIMATED_IMAGE_TOKENS = 1_000;
// What templates of chats put around them.
const MESSAGE_TOKENS = 16;
const CALL_TOKENS = 64;

/** An array of 1 to so many. Zod checks their number before the items: an array that is too long costs nothing. */
const few = <S extends z.ZodType>(item: S, max: number, what: string) => {
  const rule = must(what);
  return z.array(item, rule).min(1, rule).max(max, rule);
};

const Content = z.string(must("text")).min(1, "must not be empty");

// The provider fetches them; what it can reach in clear is not the user's business.
const ImageUrl = z.string().regex(
  /^(?:https:\/\/[^\s/]|data:image\/[\w.+-]+;base64,[A-Za-z\d+/]+=*$)/,
  "must be a URL with https, or a data URL of an image in base64",
);

const Part = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: Content }),
  z.strictObject({
    type: z.literal("image_url"),
    image_url: z.strictObject({
      url: ImageUrl,
      detail: z.enum(["auto", "low", "high"]).exactOptional(),
    }),
  }),
], must("of type text or image_url"));

const PARTS = "text or an array of 1 to 100 parts";

const Message = z.discriminatedUnion("role", [
  z.strictObject({ role: z.literal("system"), content: Content }),
  z.strictObject({
    role: z.literal("user"),
    content: z.union([Content, few(Part, 100, PARTS)], must(PARTS)),
  }),
  z.strictObject({ role: z.literal("assistant"), content: Content }),
], must("a message of the role system, user or assistant"));

/** A message of a chat. */
type Message = z.output<typeof Message>;

const ResponseFormat = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text") }),
  z.strictObject({ type: z.literal("json_object") }),
  z.strictObject({
    type: z.literal("json_schema"),
    json_schema: z.strictObject({
      name: z.string().regex(/^[\w-]{1,64}$/, "must be of 1 to 64 letters, digits, _ and -"),
      description: z.string().exactOptional(),
      schema: z.record(z.string(), AnyJson),
      strict: z.boolean().exactOptional(),
    }),
  }),
], must("of type text, json_object or json_schema"));

const within = (min: number, max: number) =>
  z.number().min(min, `must be from ${min} to ${max}`).max(max, `must be from ${min} to ${max}`);

const STOPS = "text or 1 to 4 of them";

/** Makes a schema once for each limit of models' outputs: to make one costs more than to read an input with it. */
export function byLimit<S>(make: (limit: number) => S): (model: Model) => S {
  const made = new Map<number, S>();
  return ({ max_output_tokens: limit }) => {
    const schema = made.get(limit) ?? make(limit);
    made.set(limit, schema);
    return schema;
  };
}

/** The fields of an input for text. */
export const textFields = (limit: number) => ({
  prompt: Content.exactOptional(),
  messages: few(Message, 1000, "an array of 1 to 1000 messages").exactOptional(),
  temperature: within(0, 2).exactOptional(),
  top_p: within(0, 1).exactOptional(),
  stop: z.union([Content, few(Content, 4, STOPS)], must(STOPS)).exactOptional(),
  max_output_tokens: whole(1, limit).default(limit),
  response_format: ResponseFormat.exactOptional(),
});

type Context = z.core.$RefinementCtx;

/** Sees to it that there is either a prompt or messages, and makes it messages. */
export function toMessages(
  { prompt, messages }: { prompt?: string | undefined; messages?: Message[] | undefined },
  context: Context,
): Message[] {
  if (prompt !== undefined && messages === undefined) return [{ role: "user", content: prompt }];
  if (prompt === undefined && messages !== undefined) return messages;
  const message = "must be given, or messages, and not both";
  context.addIssue({ code: "custom", path: ["prompt"], message });
  return z.NEVER;
}

/** An input for text. */
export const textInput = byLimit((limit) =>
  z.strictObject(textFields(limit)).transform(({ prompt, messages, ...rest }, context) => ({
    ...rest,
    messages: toMessages({ prompt, messages }, context),
  }))
);

/** An input for text, checked. */
export type TextInput = z.output<ReturnType<typeof textInput>>;

const MAX_EMBEDDINGS = 2048;
/** Of all embeddings of a run: as JSON they stay below what is kept of a result. */
const MAX_NUMBERS = 400_000;

const TEXTS = `text or 1 to ${MAX_EMBEDDINGS} texts, none empty`;

/** The fields of an input for embeddings. */
export const embeddingFields = {
  input: z.union([Content, few(Content, MAX_EMBEDDINGS, TEXTS)], must(TEXTS))
    .transform((input) => typeof input === "string" ? [input] : input),
  dimensions: whole(1, 16_384).exactOptional(),
};

/** Refuses more embeddings than can be kept, of so many numbers each where the input doesn't say. */
export const fittingEmbeddings =
  (unsaid: number) =>
  ({ input, dimensions = unsaid }: { input: string[]; dimensions?: number }, context: Context) => {
    const most = Math.floor(MAX_NUMBERS / dimensions);
    if (input.length <= most) return;
    const message = `must be at most ${most} texts, of ${dimensions} numbers each`;
    context.addIssue({ code: "custom", path: ["input"], message });
  };

/** The fields of an input for images. */
export const imageFields = {
  prompt: Content,
  // More of them, in base64, would be more than is kept of a result.
  n: whole(1, 4).default(1),
  size: z.string().regex(/^(?:auto|\d{2,4}x\d{2,4})$/, "must be auto or such as 1024x1024")
    .exactOptional(),
  quality: z.enum(["auto", "low", "medium", "high", "standard", "hd"]).exactOptional(),
};

/** The text of a message, its images left out. */
export const textOf = ({ content }: Message): string =>
  typeof content === "string"
    ? content
    : content.map((part) => part.type === "text" ? part.text : "").join("\n");

/** The text that a user sent last. */
export const lastText = (messages: Message[]): string =>
  textOf(messages.findLast(({ role }) => role === "user") ?? { role: "user", content: "" });

const encoder = new TextEncoder();

/** The most tokens that text can be: a byte-level encoding never makes more tokens than there are bytes. */
export const tokensAtMost = (texts: string[]): number =>
  texts.reduce((sum, text) => sum + encoder.encode(text).length + MESSAGE_TOKENS, CALL_TOKENS);

/** The tokens of text that nobody has counted: a token for each four characters begun. */
export const estimateTokens = (texts: string[]): number =>
  Math.ceil(texts.reduce((sum, text) => sum + [...text].length, 0) / 4);

const imagesOf = (messages: Message[]) =>
  messages.flatMap(({ content }) => typeof content === "string" ? [] : content)
    .filter((part) => part.type === "image_url");

const schemaOf = ({ response_format }: TextInput) =>
  response_format?.type === "json_schema" ? [JSON.stringify(response_format)] : [];

/** The most input tokens that a chat can be: an image counts 50,000, with low detail 3,000. */
export function chatTokensAtMost(input: TextInput): number {
  const images = imagesOf(input.messages).map(({ image_url }) =>
    image_url.detail === "low" ? LOW_DETAIL_TOKENS : IMAGE_TOKENS
  );
  return images.reduce(
    (sum, tokens) => sum + tokens,
    tokensAtMost([...input.messages.map(textOf), ...schemaOf(input)]),
  );
}

/** The input tokens of a chat that nobody has counted: an image counts 1,000. */
export const estimateChatTokens = (input: TextInput): number =>
  Math.max(1, estimateTokens([...input.messages.map(textOf), ...schemaOf(input)])) +
  ESTIMATED_IMAGE_TOKENS * imagesOf(input.messages).length;
