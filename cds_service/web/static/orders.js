// The unsigned orders of the session, some of them on the form that changes them.
// What the form does not change stays in an order exactly as it was drafted.

import { blank, codeLabel, codesOf, isDraftRequest, orderLabel, READ, sameId, WRITE } from "./draft.js";
import { el, list, same } from "./dom.js";
import { fill, fragmentOf, snapshot } from "./form.js";

export { orderLabel } from "./draft.js";

export class Session {
  // `drafts` are the orders that the form is for; `others` wait beside them, such as a form to fill in.
  constructor(form, drafts, others = []) {
    this.form = form;
    this.drafts = [...drafts, ...others];
    this.model = drafts[0];
    this.offerCodes(drafts);
    this.group = firstOfEachCode(drafts).map((order) => order.id);
    this.show();
  }

  // Orders for what the form offers, and so for the service.
  get inForm() {
    return this.drafts.filter((order) => this.tickOf(order));
  }

  get onForm() {
    return this.drafts.filter((order) => this.group.includes(order.id));
  }

  // The one whose fields the form shows.
  get shown() {
    return this.onForm[0];
  }

  tickOf(order) {
    return this.ticks.find((tick) => same(codesOf(fragmentOf(tick).code), codesOf(order.code)));
  }

  get ticks() {
    return [...this.form.querySelectorAll("input[name=code]")];
  }

  offerCodes(orders) {
    for (const order of orders.filter((draft) => !this.tickOf(draft))) {
      const input = el("input", { type: "checkbox", name: "code" });
      input.dataset.fragment = JSON.stringify({ code: order.code });
      const label = el("label", { class: "tick" }, input, ` ${codeLabel(order.code)}`);
      this.form.querySelector("#codes").append(label);
    }
  }

  show() {
    if (!this.onForm.length) this.group = this.inForm.slice(0, 1).map((order) => order.id);
    for (const tick of this.ticks) {
      tick.checked = this.onForm.some((order) => this.tickOf(order) === tick);
    }
    if (this.shown) fill(this.form, this.shown);
    this.initial = snapshot(this.form);
    this.list();
  }

  list() {
    const box = this.form.querySelector("#others");
    box.hidden = this.drafts.every((order) => this.group.includes(order.id)) && this.drafts.length < 2;
    box.querySelector("ul").replaceChildren(...this.drafts.map((order) => this.line(order)));
  }

  line(order) {
    const words = orderLabel(order);
    const here = this.group.includes(order.id);
    const change = !here && this.tickOf(order) && button(`Change`, words, () => this.edit(order));
    const mark = here && el("small", {}, "on the form");
    return el("li", {}, el("span", {}, words, " ", mark), change, button("Remove", words, () => this.remove(order)));
  }

  edit(order) {
    this.compose();
    this.group = [order.id];
    this.show();
    this.focus();
    this.changed();
  }

  remove(order) {
    this.compose();
    this.model = this.shown ?? this.model;
    this.drafts = this.drafts.filter((draft) => draft.id !== order.id);
    this.show();
    this.form.querySelector(this.drafts.length > 1 ? "#others-title" : "#add-order").focus();
    this.changed();
  }

  add() {
    this.compose();
    const order = blank(this.shown ?? this.model, fragmentOf(this.ticks[0]), this.freeId(this.model.id));
    this.drafts = [...this.drafts, order];
    this.group = [order.id];
    this.show();
    this.focus();
    this.changed();
  }

  focus() {
    this.ticks.find((tick) => tick.checked)?.focus();
  }

  changed() {
    this.form.dispatchEvent(new Event("input", { bubbles: true }));
  }

  freeId(stem) {
    const taken = new Set(this.drafts.map((order) => order.id));
    let number = 2;
    while (taken.has(`${stem}-${number}`)) number += 1;
    return `${stem}-${number}`;
  }

  // A change on the form reaches the orders on it that agreed with it before: what differed on purpose stays.
  compose() {
    const now = snapshot(this.form);
    const changed = Object.keys(now).filter((name) => !same(now[name], this.initial[name]));
    const shown = this.shown;
    const follows = (order, name) => !shown || same(READ[name](order), READ[name](shown));
    const write = (order, name) => (follows(order, name) ? WRITE[name](order, now[name]) : order);
    const kept = this.ticks.filter((tick) => tick.checked).flatMap((tick) => this.ordersOf(tick));
    this.replace(kept.map((order) => changed.reduce(write, order)));
    this.initial = now;
    return this.drafts;
  }

  // Orders keep their places; those whose code was unticked go, new ones come last.
  replace(orders) {
    const named = new Map(orders.map((order) => [order.id, order]));
    const stays = (order) => !this.group.includes(order.id) || named.has(order.id);
    const fresh = orders.filter((order) => !this.drafts.some((draft) => draft.id === order.id));
    this.model = this.shown ?? this.model;
    this.drafts = [...this.drafts.filter(stays).map((order) => named.get(order.id) ?? order), ...fresh];
    this.group = orders.map((order) => order.id);
    this.list();
  }

  ordersOf(tick) {
    const held = this.onForm.filter((order) => this.tickOf(order) === tick);
    return held.length ? held : [this.another(fragmentOf(tick))];
  }

  another(fragment) {
    const model = this.shown ?? this.model;
    const [code] = codesOf(fragment.code);
    const id = `${model.id ?? "order"}-${code}`;
    const taken = this.drafts.some((order) => order.id === id);
    return { ...model, ...fragment, id: taken ? this.freeId(id) : id };
  }

  // Bring in what a suggestion did; `made` are the resources as the server keeps them now.
  take(actions, made) {
    this.model = this.shown ?? this.model;
    actions.forEach((action, place) => this.takeOne(action, made[place]));
    this.show();
  }

  takeOne({ type, resource, resourceId }, made) {
    if (type === "create" && isDraftRequest(made)) this.drafts = [...this.drafts, made];
    if (type === "update") {
      const changed = this.inForm.filter((order) => sameId(order, resource));
      this.drafts = this.drafts.map((order) => (sameId(order, resource) ? resource : order));
      if (changed.length) this.offerCodes([resource]);
    }
    if (type === "delete") {
      const gone = resource ? [`${resource.resourceType}/${resource.id}`] : [resourceId].flat();
      this.drafts = this.drafts.filter((order) => !gone.includes(`${order.resourceType}/${order.id}`));
    }
  }
}

function button(words, about, onclick) {
  return el("button", { type: "button", class: "quiet", onclick }, words, el("span", { class: "hidden" }, ` ${about}`));
}

function firstOfEachCode(drafts) {
  const key = (order) => JSON.stringify(codesOf(order.code));
  return drafts.filter((order) => drafts.find((other) => key(other) === key(order)) === order);
}

export function draftsOf(request) {
  return list(request.context?.draftOrders?.entry).map((entry) => entry.resource).filter(Boolean);
}
