/** The page on which customers look after their subscription. */
import { formatDay } from "./calendar.ts";
import { CARD_NAMES, type CardName, CARDS, chooseDefault } from "./cards.ts";
import { StripeFailure } from "./errors.ts";
import { formatAmount } from "./money.ts";
import { alert, errorPage, Html, html, page, redirect } from "./page.ts";
import { PORTAL_SECONDS } from "./portal.ts";
import type { Portal } from "./store.ts";
import { changeSubscription, isRunning, itemOf, payInvoice, productName } from "./subscriptions.ts";
import type { Customer, Subscription } from "./wire.ts";
import { find, type World } from "./world.ts";

const CHOICES = CARD_NAMES.filter((name) => name !== "delayed" && name !== "declined");

const subscriptionsOf = (world: World, customer: string) =>
  world.store.all("subscription").filter((one) => one.customer === customer && isRunning(one));

function subscriptionPart(world: World, subscription: Subscription): Html {
  const { price, current_period_end: end, quantity = 1 } = itemOf(subscription);
  const amount = formatAmount((price.unit_amount ?? 0) * quantity, price.currency);
  const ends = subscription.cancel_at_period_end;
  return html`<h2>${productName(world, price)}</h2>
<p>${amount} every ${price.recurring?.interval ?? "month"}. ${ends ? "Ends" : "Renews"} on ${
    formatDay(end)
  }. Status: ${subscription.status}.</p>
<form method="post"><input type="hidden" name="subscription" value="${subscription.id}">
<div class="actions"><button class="quiet" name="action" value="${ends ? "resume" : "cancel"}">${
    ends ? "Go on with the subscription" : "Cancel at the end of the period"
  }</button></div></form>`;
}

function cardPart(world: World, customer: Customer): Html {
  const id = customer.invoice_settings.default_payment_method ?? "";
  const current = world.store.get("payment_method", id)?.card?.last4;
  return html`
    <h2>Card</h2>
    <p>${current === undefined
      ? "No card has been chosen here."
      : `Payments use •••• ${current}.`}</p>
    <form method="post">
      <fieldset><legend>Use another card</legend>${CHOICES.map((name, index) =>
        html`<label><input type="radio" name="card" value="${name}"${
          index === 0 ? new Html(" checked") : null
        }> ${CARDS[name].label} (•••• ${CARDS[name].last4})</label>`
      )}<div class="actions"><button class="quiet" name="action" value="card">Use this card</button></div></fieldset>
    </form>
  `;
}

function invoicePart(world: World, customer: Customer): Html {
  const invoices = world.store.all("invoice").filter((one) => one.customer === customer.id)
    .reverse().slice(0, 24);
  if (invoices.length === 0) {
    return html`
      <h2>Invoices</h2>
      <p>There are none yet.</p>
    `;
  }
  const rows = invoices.map((invoice) =>
    html`
      <tr>
        <td>${invoice.number ?? ""}</td>
        <td>${formatDay(invoice.created)}</td>
        <td>${invoice.status ?? ""}${invoice.status === "open"
          ? html`
            <form
              method="post"><input type="hidden" name="invoice" value="${invoice
                .id}"><button class="quiet" name="action" value="pay">Pay</button></form>
          `
          : null}</td>
        <td>${formatAmount(invoice.total, invoice.currency)}</td>
      </tr>
    `
  );
  return html`
    <h2>Invoices</h2>
    <table>
      <thead>
        <tr>
          <th scope="col">Number</th>
          <th scope="col">Day</th>
          <th scope="col">Status</th>
          <th scope="col">Total</th>
        </tr>
      </thead>
      <tbody>${rows}</tbody>
    </table>
  `;
}

function portalPage(world: World, portal: Portal, mistake: string | null, status = 200): Response {
  const customer = find(world, "customer", portal.session.customer);
  const subscriptions = subscriptionsOf(world, customer.id);
  const { return_url } = portal.session;
  return page(
    "Your subscription",
    html`${alert(mistake)}
${
      subscriptions.length === 0
        ? html`<p>You have no subscription.</p>`
        : subscriptions.map((one) => subscriptionPart(world, one))
    }
${cardPart(world, customer)}
${invoicePart(world, customer)}
${
      return_url === null
        ? null
        : html`<p class="actions"><a class="button" href="${return_url}" rel="noreferrer">Back</a></p>`
    }`,
    status,
  );
}

function setCancel(world: World, customer: Customer, id: string, cancel: boolean) {
  const before = subscriptionsOf(world, customer.id).find((one) => one.id === id);
  if (!before) throw new StripeFailure(404, notYours("subscription"));
  changeSubscription(world, before, {
    cancel_at: cancel ? itemOf(before).current_period_end : null,
    cancel_at_period_end: cancel,
    canceled_at: cancel ? world.now() : null,
    cancellation_details: {
      comment: null,
      feedback: null,
      feedback_option: null,
      reason: cancel ? "cancellation_requested" : null,
    },
  });
}

const notYours = (what: string) =>
  ({ type: "invalid_request_error", message: `You have no such ${what}.` }) as const;

/** Chooses the card for what is paid from now on; subscriptions lose the one of their own. */
function setCard(world: World, customer: Customer, name: CardName) {
  chooseDefault(world, customer, name);
  for (const subscription of subscriptionsOf(world, customer.id)) {
    changeSubscription(world, subscription, { default_payment_method: null });
  }
}

function payOpen(world: World, customer: Customer, id: string) {
  const invoice = world.store.get("invoice", id);
  if (invoice?.customer !== customer.id) throw new StripeFailure(404, notYours("invoice"));
  return payInvoice(world, id, false).paid ? null : "The payment was declined.";
}

function act(world: World, customer: Customer, form: URLSearchParams): string | null {
  const action = form.get("action");
  const subscription = form.get("subscription") ?? "";
  if (action === "cancel" || action === "resume") {
    setCancel(world, customer, subscription, action === "cancel");
    return null;
  }
  if (action === "pay") return payOpen(world, customer, form.get("invoice") ?? "");
  const name = CHOICES.find((name) => name === form.get("card"));
  if (action !== "card" || name === undefined) return "Please choose what to do.";
  setCard(world, customer, name);
  return null;
}

/** Answers a browser at a portal session's `url`; who knows it acts for its customer, for an hour. */
export function servePortalPage(world: World, request: Request, body: string): Response {
  const { pathname } = new URL(request.url);
  const portal = world.store.get("portal", pathname.split("/")[3] ?? "");
  if (!portal) return errorPage(404, "There is no such portal session.");
  if (portal.session.created + PORTAL_SECONDS < world.now()) {
    return errorPage(410, "This portal session has expired.");
  }
  if (request.method === "GET" || request.method === "HEAD") {
    return portalPage(world, portal, null);
  }
  if (request.method !== "POST") return errorPage(405, "This page takes no such request.");
  try {
    const customer = find(world, "customer", portal.session.customer);
    const mistake = world.store.transact(() => act(world, customer, new URLSearchParams(body)));
    if (mistake !== null) return portalPage(world, portal, mistake, 400);
    return redirect(`/stand-in/portal/${portal.id}`);
  } catch (error) {
    if (!(error instanceof StripeFailure)) throw error;
    return portalPage(world, portal, error.message, error.status);
  }
}
