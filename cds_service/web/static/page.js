// The page: puts the list, the order, the call and its results together.

import { cardList, counted } from "./cards.js";
import { list, pretty } from "./dom.js";
import { exchangePanel } from "./exchange.js";
import { apply, read } from "./fhir.js";
import { orderSign } from "./hook.js";
import { Session } from "./orders.js";
import { errorState, noCards, withdrawn } from "./states.js";
import { whyPanel } from "./why.js";

const find = (selector) => document.querySelector(selector);

function searchable() {
  const field = find("#patient-search");
  const lines = [...document.querySelectorAll(".patients li")];
  field?.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (line) => words.every((word) => line.textContent.toLowerCase().includes(word));
    lines.forEach((line) => (line.hidden = !fits(line)));
    const shown = lines.filter((line) => !line.hidden).length;
    find("#patient-found").textContent = words.length ? `${shown} of ${lines.length} patients` : "";
  });
}

// Beside the order the list stays open; above it, on a narrow screen, it would push the order away.
function settled() {
  const current = find(".patients [aria-current]");
  if (!current) return;
  find("#patient-list").open = matchMedia("(min-width: 56rem)").matches;
  find(".patients").scrollTop = current.offsetTop - find(".patients").clientHeight / 3;
}

class Desk {
  constructor(form) {
    this.form = form;
    this.request = JSON.parse(form.dataset.request);
    this.cards = [];
    this.taken = new Set();
    this.fhir = location.origin + form.dataset.fhir;
    const drafts = list(this.request.context?.draftOrders?.entry).map((entry) => entry.resource);
    this.session = new Session(form, drafts.filter(Boolean));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.sign();
    });
    find("#sign").disabled = false;
  }

  async sign(lead = "") {
    const drafts = this.session.compose();
    if (!this.session.inForm.length) return this.showWithdrawn(lead);
    this.busy("Checking the order…");
    const answer = await orderSign({
      services: this.form.dataset.services,
      id: this.form.dataset.service,
      fhir: this.fhir,
      request: this.request,
      drafts,
      route: this.form.elements.route.value,
    });
    return this.showAnswer(answer, drafts, lead);
  }

  showAnswer(answer, drafts, lead) {
    const exchange = exchangePanel(answer);
    if (!answer.ok || !Array.isArray(answer.body?.cards)) {
      return this.show("The order could not be checked.", [errorState("The order could not be checked", answer)], null, exchange);
    }
    const { cards, extension } = answer.body;
    this.cards = cards;
    const evaluations = list(extension?.["massage-cds.evaluations"]);
    const shown = cards.length ? cardList(cards, (one) => this.take(one)) : [noCards(evaluations, drafts)];
    const words = cards.length ? `${cards.length} card${cards.length > 1 ? "s" : ""}: ${counted(cards)}` : "No cards";
    const why = whyPanel(evaluations, (reference) => openResource(this.fhir, this.session, reference), answer.request);
    return this.show(`${lead}${words}. Answered in ${answer.ms} ms.`, shown, why, exchange);
  }

  // An emergency outlives the order: its card stays, with the steps that need no order.
  showWithdrawn(lead) {
    const outlives = (suggestion) => list(suggestion.actions).every((action) => action.type === "create");
    const steps = (card) => list(card.suggestions).filter((one) => outlives(one) && !this.taken.has(one.uuid));
    const urgent = this.cards.filter((card) => card.indicator === "critical");
    const kept = urgent.map((card) => ({ ...card, suggestions: steps(card) }));
    this.show(`${lead}Nothing left to sign.`, [withdrawn(), ...cardList(kept, (one) => this.take(one))]);
  }

  async take(suggestion) {
    this.busy(`Applying: ${suggestion.label}…`);
    const actions = list(suggestion.actions);
    if (!actions.length) return this.sign(`Done: ${suggestion.label}. `);
    const answer = await apply(this.fhir, actions);
    if (!answer.ok) {
      const state = errorState("The suggestion could not be applied", answer);
      return this.show("The suggestion could not be applied.", [state], null, exchangePanel(answer));
    }
    this.taken.add(suggestion.uuid);
    this.session.take(actions, list(answer.body?.entry).map((entry) => entry.resource));
    return this.sign(`Done: ${suggestion.label}. `);
  }

  busy(words) {
    find("#sign").disabled = true;
    find("#results").setAttribute("aria-busy", "true");
    document.querySelectorAll("#cards button").forEach((button) => (button.disabled = true));
    find("#progress").textContent = words;
  }

  show(words, cards, why = null, exchange = null) {
    find("#sign").disabled = false;
    find("#results").removeAttribute("aria-busy");
    find("#progress").textContent = words;
    find("#cards").replaceChildren(...cards);
    find("#why").replaceChildren(...(why ? [why] : []));
    find("#exchange").replaceChildren(...(exchange ? [exchange] : []));
    find("#results-title").focus({ preventScroll: true });
    comeIntoView(find("#results"));
  }
}

// Where the results already begin on the screen it stays still, so that the patient's name stays too.
function comeIntoView(results) {
  const { top } = results.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) results.scrollIntoView();
}

async function openResource(fhir, session, reference) {
  const dialog = find("#resource");
  const draft = session.drafts.find((order) => `${order.resourceType}/${order.id}` === reference);
  const resource = draft ?? (await read(fhir, reference)).body ?? "could not be read";
  find("#resource-title").textContent = reference;
  dialog.querySelector("pre").textContent = pretty(resource);
  dialog.showModal();
}

searchable();
settled();
const form = find("#order");
if (form) new Desk(form);
