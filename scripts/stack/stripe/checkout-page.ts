/** The page on which customers pay. */
import { CARD_NAMES, type CardName, CARDS } from "./cards.ts";
import { withPromotion } from "./checkout.ts";
import { StripeFailure } from "./errors.ts";
import { formatAmount } from "./money.ts";
import { alert, errorPage, Html, html, page, redirect } from "./page.ts";
import { email } from "./params.ts";
import { isPayable, payCheckout } from "./pay.ts";
import { promotionByCode } from "./promotions.ts";
import type { Checkout } from "./store.ts";
import type { World } from "./world.ts";

function totals({ items, session }: Checkout): Html {
  const currency = session.currency ?? "usd";
  const off = session.total_details?.amount_discount ?? 0;
  const interval = items[0]?.price?.recurring?.interval;
  const rows = items.map((item) =>
    html`
      <tr>
        <td>${item.description ?? ""}</td>
        <td>${item.quantity ?? 1}</td>
        <td>${formatAmount(item.amount_subtotal, currency)}</td>
      </tr>
    `
  );
  return html`
    <table>
      <thead>
        <tr>
          <th scope="col">Item</th>
          <th scope="col">Quantity</th>
          <th scope="col">Amount</th>
        </tr>
      </thead>
      <tbody>${rows}${off > 0
        ? html`
          <tr>
            <td colspan="2">Discount</td>
            <td>−${formatAmount(off, currency)}</td>
          </tr>
        `
        : null}</tbody>
      <tfoot>
        <tr>
          <th scope="row" colspan="2">Total${interval === undefined
            ? null
            : ` now, then every ${interval}`}</th>
          <td><strong>${formatAmount(session.amount_total ?? 0, currency)}</strong></td>
        </tr>
      </tfoot>
    </table>
  `;
}

function cardChoice({ session }: Checkout): Html {
  const debits = session.payment_method_types.some((type) => type !== "card");
  const names = CARD_NAMES.filter((name) => name !== "delayed" || debits);
  return html`<fieldset><legend>Pay with</legend>${
    names.map((name, index) =>
      html`<label><input type="radio" name="card" value="${name}"${
        index === 0 ? new Html(" checked") : null
      }> ${CARDS[name].label} (•••• ${CARDS[name].last4})</label>`
    )
  }</fieldset>`;
}

function payPage(checkout: Checkout, mistake: string | null = null, status = 200): Response {
  const { session } = checkout;
  const applied = (session.discounts ?? []).length > 0;
  const promotion = session.allow_promotion_codes && !applied
    ? html`<form method="post"><label for="code">Promotion code</label>
<input id="code" name="code" autocomplete="off" required maxlength="50">
<div class="actions"><button class="quiet" name="action" value="apply">Apply</button></div></form>`
    : null;
  const address = session.customer === null && session.customer_email === null
    ? html`<label for="email">E-mail address</label>
<input id="email" name="email" type="email" required autocomplete="email">`
    : null;
  const free = session.amount_total === 0 && session.mode === "payment";
  const verb = session.mode === "subscription" ? "Subscribe" : "Pay";
  const total = formatAmount(session.amount_total ?? 0, session.currency ?? "usd");
  const body = html`${alert(mistake)}
${totals(checkout)}
${promotion}
<form method="post">
${address}
${free ? html`<input type="hidden" name="card" value="works">` : cardChoice(checkout)}
<div class="actions"><button name="action" value="pay">${verb} ${total}</button>
${
    session.cancel_url === null
      ? null
      : html`<a class="button quiet" href="${session.cancel_url}" rel="noreferrer">Cancel</a>`
  }</div>
</form>`;
  return page(session.mode === "subscription" ? "Subscribe" : "Pay", body, status);
}

function closedPage({ session }: Checkout): Response {
  const paid = session.status === "complete";
  const back = paid ? null : session.cancel_url;
  const said = paid ? "This has been paid already." : "This checkout session has expired.";
  return page(
    paid ? "Paid" : "Expired",
    html`<p>${said}</p>${
      back === null ? null : html`<p><a href="${back}" rel="noreferrer">Back</a></p>`
    }`,
    paid ? 200 : 410,
  );
}

const successUrl = (checkout: Checkout) =>
  (checkout.session.success_url ?? "/").replaceAll("{CHECKOUT_SESSION_ID}", checkout.id);

function apply(world: World, checkout: Checkout, code: string): Response {
  const promotion = checkout.session.allow_promotion_codes ? promotionByCode(code) : undefined;
  if (!promotion) return payPage(checkout, "This promotion code is not valid.", 400);
  world.store.transact(() => world.store.put("checkout", withPromotion(checkout, promotion)));
  return redirect(`/stand-in/checkout/${checkout.id}`);
}

function pay(world: World, checkout: Checkout, name: CardName, address: string): Response {
  const { customer, customer_email } = checkout.session;
  if (customer === null && customer_email === null && !email.safeParse(address).success) {
    return payPage(checkout, "Please give your e-mail address.", 400);
  }
  try {
    const { outcome } = world.store.transact(() => payCheckout(world, checkout.id, name, address));
    return outcome === "declined"
      ? payPage(checkout, "Your card was declined. Choose another one.", 402)
      : redirect(successUrl(checkout));
  } catch (error) {
    if (error instanceof StripeFailure) return payPage(checkout, error.message, error.status);
    throw error;
  }
}

/** Answers a browser at a session's `url`; who knows the session's id may pay it. */
export function serveCheckoutPage(world: World, request: Request, body: string): Response {
  const id = new URL(request.url).pathname.split("/")[3] ?? "";
  const checkout = world.store.get("checkout", id);
  if (!checkout) return errorPage(404, "There is no such checkout session.");
  if (!isPayable(world, checkout)) return closedPage(checkout);
  if (request.method === "GET" || request.method === "HEAD") return payPage(checkout);
  if (request.method !== "POST") return errorPage(405, "This page takes no such request.");
  const form = new URLSearchParams(body);
  if (form.get("action") === "apply") return apply(world, checkout, form.get("code") ?? "");
  const name = CARD_NAMES.find((name) => name === form.get("card"));
  if (name === undefined) return payPage(checkout, "Please choose what to pay with.", 400);
  return pay(world, checkout, name, form.get("email") ?? "");
}
