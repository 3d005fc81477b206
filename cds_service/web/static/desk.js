// The clinician's desk: an order, the call about it, and what came back.

import { cardList, counted } from "./cards.js";
import { asActive, dispatchable, dispatchBox, dispatchContext } from "./dispatch.js";
import { list, pretty } from "./dom.js";
import { exchangePanel } from "./exchange.js";
import { Record } from "./fhir.js";
import { Held } from "./held.js";
import { Services } from "./hook.js";
import { callsSince, callsSoFar } from "./http.js";
import { draftsOf, Session } from "./orders.js";
import { Preview } from "./preview.js";
import { readable } from "./readable.js";
import { chosenService, dispatchOf, offer, previewOf } from "./services.js";
import { errorState, noCards, withdrawn } from "./states.js";
import { whyPanel } from "./why.js";
import { writtenPanel } from "./written.js";

const find = (selector) => document.querySelector(selector);

export class Desk {
  constructor(form) {
    const { request, others, fhir, reads, services, token, keeps } = form.dataset;
    this.form = form;
    this.request = JSON.parse(request);
    this.record = new Record({ reads, server: new URL(fhir, location.origin).href, keeps: keeps !== undefined });
    this.services = new Services({ base: services, token, record: this.record });
    this.session = new Session(form, draftsOf(this.request), JSON.parse(others));
    this.preview = new Preview(find("#preview"), (signal) => this.askAhead(signal));
    this.held = new Held();
    this.cards = [];
    this.taken = new Set();
    this.overridden = new Map();
  }

  async open() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.sign();
    });
    this.form.addEventListener("input", () => this.composing());
    this.form.elements.insurance.addEventListener("change", () => this.insure());
    find("#add-order").addEventListener("click", () => this.session.add());
    this.free(true);
    this.held.add(await this.record.tasks(this.request.context.patientId));
    offer(this.form, await this.services.all());
    this.preview.soon(0);
  }

  get service() {
    return chosenService(this.form);
  }

  get route() {
    return this.form.elements.route.value;
  }

  composing() {
    if (this.cards.length) find("#results").dataset.stale = "";
    this.preview.soon();
  }

  // A patient without coverage may be given one of the demo's plans, so that there is a policy to ask.
  async insure() {
    const [option] = this.form.elements.insurance.selectedOptions;
    if (!option.dataset.plan) return;
    const beneficiary = { reference: `Patient/${this.request.context.patientId}` };
    const resource = { ...JSON.parse(option.dataset.plan), beneficiary };
    const { ok, made } = await this.record.apply([{ type: "create", resource }]);
    if (!ok) return;
    delete option.dataset.plan;
    option.dataset.fragment = JSON.stringify({ insurance: [{ reference: `Coverage/${made[0].id}` }] });
    find("#payer").textContent = option.textContent;
    this.services.forget();
    this.composing();
  }

  call(hook, drafts, more = {}) {
    const entry = drafts.map((resource) => ({ resource }));
    const draftOrders = { resourceType: "Bundle", type: "collection", entry };
    const context = { ...this.request.context, draftOrders, ...more };
    return { ...this.request, hook, context };
  }

  async askAhead(signal) {
    const service = await previewOf(this.services, this.service);
    const drafts = this.session.compose();
    if (!service || !this.session.inForm.length) return null;
    const selections = this.session.onForm.map((order) => `ServiceRequest/${order.id}`);
    return this.services.call(service, this.call("order-select", drafts, { selections }), { route: this.route, signal });
  }

  async sign(lead = "") {
    const drafts = this.session.compose();
    if (!this.session.inForm.length) return this.showWithdrawn(lead);
    this.busy("Checking the order…");
    this.signedBy = this.service;
    this.services.forget();
    const before = callsSoFar();
    const body = this.call("order-sign", drafts);
    body.extension = { ...body.extension, "massage-cds.explain": true };
    const answer = await this.services.call(this.signedBy, body, { route: this.route });
    return this.showAnswer(answer, drafts, lead, callsSince(before).filter((one) => one !== answer));
  }

  async showAnswer(answer, drafts, lead, around) {
    const exchange = exchangePanel(answer, around);
    if (!answer.ok || !Array.isArray(answer.body?.cards)) {
      return this.refused("The order could not be checked", answer, exchange);
    }
    const { cards, extension } = answer.body;
    this.cards = cards;
    const evaluations = list(extension?.["massage-cds.evaluations"]);
    const actions = list(answer.body.systemActions);
    const sending = answer.request.hook === "order-sign" && Array.isArray(answer.body.systemActions) && (await this.sender());
    const nothing = actions.length ? [] : [noCards(evaluations, drafts)];
    const words = cards.length ? `${cards.length} card${cards.length > 1 ? "s" : ""}: ${counted(cards)}` : "No cards";
    this.show(`${lead}${words}. Answered in ${answer.ms} ms.`, {
      cards: cards.length ? cardList(cards, this.hands) : nothing,
      written: [writtenPanel(actions, drafts), sending].filter(Boolean),
      why: whyPanel(evaluations, (reference) => this.openResource(reference), answer.request),
      exchange,
    });
    return this.carryOut(actions);
  }

  // Only a record that keeps what is written can be asked about what was sent.
  async sender() {
    const service = this.record.keeps && (await dispatchOf(this.services));
    return service ? dispatchBox(this.session.inForm, () => this.dispatch(service)) : null;
  }

  async dispatch(service) {
    this.busy("Sending the order…");
    const sent = dispatchable(this.session.inForm);
    const actions = sent.orders.map(asActive);
    const kept = await this.record.apply(actions);
    if (!kept.ok) return this.refused("The order could not be sent", kept);
    this.bringIn(actions, kept.made);
    this.signedBy = service;
    const before = callsSoFar();
    const body = { ...this.request, hook: "order-dispatch", context: dispatchContext(this.request.context, sent) };
    const answer = await this.services.call(service, body, { route: this.route });
    return this.showAnswer(answer, sent.orders, "Sent. ", callsSince(before).filter((one) => one !== answer));
  }

  // What the payer's system writes needs no click; the orders carry it from here on.
  async carryOut(actions) {
    if (!actions.length) return;
    const { ok, made } = await this.record.apply(actions);
    if (ok) this.bringIn(actions, made);
    find("#written .hint")?.append(ok ? " Applied." : " They could not be applied.");
  }

  refused(title, answer, exchange = exchangePanel(answer)) {
    return this.show(`${title}.`, { cards: [errorState(title, answer)], exchange });
  }

  bringIn(actions, made) {
    this.services.forget();
    this.held.add(made);
    this.session.take(actions, made);
  }

  // What the cards may do.
  get hands() {
    return {
      take: (card, suggestion) => this.take(card, suggestion),
      override: (card, reason, comment) => this.override(card, reason, comment),
      held: (suggestion) => this.held.has(suggestion),
      answered: (card) => (card.indicator === "critical" ? undefined : this.overridden.get(keyOf(card))),
    };
  }

  // An emergency outlives the order: its card stays, with the steps that need no order.
  showWithdrawn(lead) {
    const outlives = (suggestion) => list(suggestion.actions).every((action) => action.type === "create");
    const steps = (card) => list(card.suggestions).filter((one) => outlives(one) && !this.taken.has(one.uuid));
    const urgent = this.cards.filter((card) => card.indicator === "critical");
    const kept = urgent.map((card) => ({ ...card, suggestions: steps(card) }));
    this.show(`${lead}Nothing left to sign.`, { cards: [withdrawn(), ...cardList(kept, this.hands)] });
  }

  async take(card, suggestion) {
    this.busy(`Applying: ${suggestion.label}…`);
    const actions = list(suggestion.actions);
    const answer = actions.length ? await this.record.apply(actions) : { ok: true, made: [] };
    if (!answer.ok) return this.refused("The suggestion could not be applied", answer);
    this.taken.add(suggestion.uuid);
    this.bringIn(actions, answer.made);
    const told = await this.tell({ card: card.uuid, outcome: "accepted", acceptedSuggestions: [{ id: suggestion.uuid }] });
    return this.sign(`Done: ${suggestion.label}.${told.ok ? "" : " The service could not be told of it."} `);
  }

  override(card, { code, system, display }, userComment) {
    const reason = code ? { reason: { code, system, display } } : {};
    const overrideReason = { ...reason, ...(userComment ? { userComment } : {}) };
    const why = Object.keys(overrideReason).length ? { overrideReason } : {};
    this.overridden.set(keyOf(card), display ?? code);
    return this.tell({ card: card.uuid, outcome: "overridden", ...why });
  }

  tell(entry) {
    return this.services.feedback(this.signedBy ?? this.service, entry);
  }

  free(free) {
    for (const id of ["#sign", "#add-order"]) find(id).disabled = !free;
  }

  busy(words) {
    this.free(false);
    find("#results").setAttribute("aria-busy", "true");
    document.querySelectorAll("#cards button, #written button").forEach((button) => (button.disabled = true));
    find("#progress").textContent = words;
  }

  show(words, { cards, written = [], why = null, exchange = null }) {
    this.free(true);
    delete find("#results").dataset.stale;
    find("#results").removeAttribute("aria-busy");
    find("#progress").textContent = words;
    find("#cards").replaceChildren(...cards);
    const rest = { "#written": written, "#why": [why], "#exchange": [exchange] };
    for (const [place, nodes] of Object.entries(rest)) find(place).replaceChildren(...nodes.filter(Boolean));
    find("#alarm").textContent = alarm(cards);
    find("#results-title").focus({ preventScroll: true });
    comeIntoView(find("#results"));
  }

  async openResource(reference) {
    const dialog = find("#resource");
    const draft = this.session.drafts.find((order) => `${order.resourceType}/${order.id}` === reference);
    const resource = draft ?? (await this.record.read(reference)).body ?? "could not be read";
    find("#resource-title").textContent = reference;
    dialog.querySelector("pre").textContent = pretty(resource);
    dialog.querySelector(".readable").replaceChildren(...[readable(resource)].filter(Boolean));
    dialog.showModal();
  }
}

// The same card comes back under another uuid when the order is signed again.
function keyOf(card) {
  return JSON.stringify([card.source?.label, card.summary]);
}

// An emergency is said aloud, before anything else is read.
function alarm(cards) {
  const urgent = cards.filter((node) => node.matches(".critical"));
  return urgent.map((node) => node.querySelector("h3").textContent).join(". ");
}

// Where the results already begin on the screen it stays still, so that the patient's name stays too.
function comeIntoView(results) {
  const { top } = results.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) results.scrollIntoView();
}
