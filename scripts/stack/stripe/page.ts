/** The look of the stand-in's pages. They hold no script. */

/** HTML that is safe to send. */
export class Html {
  constructor(readonly text: string) {}
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escape = (text: string) => text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? "");

type Part = Html | string | number | null | readonly Html[];

function render(part: Part): string {
  if (part === null) return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "string" || typeof part === "number") return escape(`${part}`);
  return part.map(render).join("");
}

/** HTML in which everything that is put in is escaped. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  const text = strings.map((string, index) => string + render(parts[index] ?? null));
  return new Html(text.join(""));
}

const STYLE = `
:root { color-scheme: light dark; --line: #8886; --accent: #4b45c6; --warn: #b42318; }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; }
.notice { background: #fde68a; color: #3b2f00; margin: 0; padding: .75rem 1rem; text-align: center; }
main { margin: 2rem auto; max-width: 38rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .5rem 0; text-align: left; }
th:last-child, td:last-child { text-align: right; }
fieldset { border: 1px solid var(--line); border-radius: .5rem; margin: 1.5rem 0; padding: .5rem 1rem 1rem; }
label { display: block; margin: .4rem 0; }
input:not([type=radio]) { border: 1px solid var(--line); border-radius: .4rem; font: inherit; padding: .5rem; width: 100%; }
button, .button { background: var(--accent); border: 1px solid var(--accent); border-radius: .4rem; color: #fff;
  cursor: pointer; display: inline-block; font: inherit; padding: .6rem 1.2rem; text-decoration: none; }
.quiet { background: transparent; border-color: var(--line); color: inherit; }
.alert { border-left: .3rem solid var(--warn); padding-left: .75rem; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1rem; }
`;

/** A whole page. */
export function page(title: string, body: Html, status = 200): Response {
  const nonce = crypto.randomUUID();
  const text = html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="robots" content="noindex">
        <title>${title} – stand-in for Stripe</title>
        <style nonce="${nonce}">${new Html(STYLE)}</style>
      </head>
      <body>
        <p class="notice"
          role="note"><strong>Stand-in for Stripe.</strong> This page runs on this machine only. No money moves.</p>
        <main>
    <h1>${title}</h1>
    ${body}
        </main>
      </body>
    </html>
  `.text;
  return new Response(text, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      // Where a form leads in the end is another origin, so form-action stays open.
      "content-security-policy":
        `default-src 'none'; style-src 'nonce-${nonce}'; base-uri 'none'; frame-ancestors 'none'`,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}

/** A page that says what went wrong. */
export const errorPage = (status: number, message: string): Response =>
  page("This does not work", html`<p class="alert" role="alert">${message}</p>`, status);

/** Sends a browser on, with a GET. */
export const redirect = (url: string): Response =>
  new Response(null, { status: 303, headers: { location: url, "cache-control": "no-store" } });

/** A line that tells of a mistake. */
export const alert = (message: string | null): Html | null =>
  message === null ? null : html`<p class="alert" role="alert">${message}</p>`;
