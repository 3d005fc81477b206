// The unsigned orders of the session, and the form that changes them.
// What the form does not change stays in the order exactly as it was drafted.

import { el, list, same } from "./dom.js";

const UNIT = { unit: "15-minute unit", system: "http://unitsofmeasure.org", code: "{unit}" };
const FRAGMENTS = { reason: ["reasonCode", "reasonReference"], site: ["bodySite"], performer: ["performer"] };

export class Session {
  constructor(form, drafts) {
    this.form = form;
    this.drafts = drafts;
    this.model = drafts[0];
    this.offerCodes(drafts);
    this.show();
  }

  // Orders that the form stands for; a card may have added others, such as a form to fill in.
  get inForm() {
    return this.drafts.filter((order) => this.tickOf(order));
  }

  get others() {
    return this.drafts.filter((order) => !this.tickOf(order));
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
    const [order] = this.inForm;
    for (const tick of this.ticks) {
      tick.checked = this.inForm.some((draft) => this.tickOf(draft) === tick);
    }
    if (order) fill(this.form, order);
    this.initial = snapshot(this.form);
    this.showOthers();
  }

  showOthers() {
    const box = this.form.querySelector("#others");
    const beyond = this.drafts.filter((order) => !this.isShown(order));
    box.hidden = beyond.length === 0;
    box.querySelector("ul").replaceChildren(...beyond.map((order) => el("li", {}, orderLabel(order))));
  }

  // Of several orders for one procedure, as after a split, the form shows the first.
  isShown(order) {
    const tick = this.tickOf(order);
    return Boolean(tick) && this.inForm.find((draft) => this.tickOf(draft) === tick) === order;
  }

  compose() {
    const now = snapshot(this.form);
    const changed = Object.keys(now).filter((name) => !same(now[name], this.initial[name]));
    const kept = this.ticks.filter((tick) => tick.checked).flatMap((tick) => this.ordersOf(tick));
    const [shown] = this.inForm;
    const follows = (order, name) => !shown || same(READ[name](order), READ[name](shown));
    const write = (order, name) => (follows(order, name) ? WRITE[name](order, now[name]) : order);
    const orders = kept.map((order) => changed.reduce(write, order));
    this.drafts = [...orders, ...this.others];
    this.initial = now;
    return this.drafts;
  }

  ordersOf(tick) {
    const held = this.inForm.filter((order) => this.tickOf(order) === tick);
    return held.length ? held : [this.another(fragmentOf(tick))];
  }

  another(fragment) {
    const [model] = this.inForm.length ? this.inForm : [this.model];
    const [code] = codesOf(fragment.code);
    return { ...model, ...fragment, id: `${model.id ?? "order"}-${code}` };
  }

  // Bring in what a suggestion did; `made` are the resources as the server keeps them now.
  take(actions, made) {
    this.model = this.inForm[0] ?? this.model;
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

function sameId(one, other) {
  return one.resourceType === other.resourceType && one.id === other.id;
}

function isDraftRequest(resource) {
  return resource?.resourceType === "ServiceRequest" && resource.status === "draft";
}

function codesOf(code) {
  const codes = list(code?.coding).map((coding) => coding?.code);
  return codes.length ? codes : [code?.text ?? null];
}

function codeLabel(code) {
  const [coding] = list(code?.coding);
  const words = code?.text ?? coding?.display ?? "";
  return [coding?.code, words].filter(Boolean).join(" ") || "Order without a code";
}

export function orderLabel(order) {
  const visits = READ.visits(order);
  return visits ? `${codeLabel(order.code)}, ${visits} visits` : codeLabel(order.code);
}

function fragmentOf(element) {
  return JSON.parse(element.dataset.fragment);
}

function snapshot(form) {
  const value = (name) => form.elements[name].value;
  return {
    visits: value("visits"),
    units: value("units"),
    frequency: [value("frequency"), value("period"), value("periodUnit")],
    reason: chosen(form, "reason"),
    site: chosen(form, "site"),
    performer: chosen(form, "performer"),
    authored: value("authored"),
    note: value("note"),
  };
}

function chosen(form, name) {
  return fragmentOf(form.elements[name].selectedOptions[0]);
}

function fill(form, order) {
  const set = (name, value) => {
    form.elements[name].value = value ?? "";
  };
  const [frequency, period, unit] = READ.frequency(order);
  set("visits", READ.visits(order));
  set("units", READ.units(order));
  set("frequency", frequency);
  set("period", period);
  set("periodUnit", unit);
  set("authored", String(order.authoredOn ?? "").slice(0, 10));
  set("note", list(order.note).map((note) => note?.text).filter(Boolean).join("\n"));
  for (const [name, elements] of Object.entries(FRAGMENTS)) choose(form.elements[name], order, elements);
}

function choose(select, order, elements) {
  const held = Object.fromEntries(elements.filter((name) => order[name]).map((name) => [name, order[name]]));
  const options = [...select.options];
  const match = options.find((option) => alike(fragmentOf(option), held)) ?? added(select, held);
  match.selected = true;
}

// A diagnosis or a role is the same one however the draft words it; a site is what its words say.
function alike(fragment, held) {
  if (same(fragment, held)) return true;
  if (held.bodySite) return false;
  const [one, other] = [parts(fragment), parts(held)];
  if (other.references.length) return same(one.references, other.references) && other.codes.length < 2;
  return other.codes.length > 0 && same(one.codes, other.codes);
}

function parts(fragment) {
  const all = Object.values(fragment).flat();
  return {
    references: all.map((part) => part?.reference).filter(Boolean),
    codes: all.filter((part) => !part?.reference).map(codesOf),
  };
}

function added(select, held) {
  const words = Object.values(held)[0].map((part) => part?.text ?? part?.display ?? part?.reference ?? codeLabel(part));
  const option = el("option", {}, words.join("; "));
  option.dataset.fragment = JSON.stringify(held);
  select.append(option);
  return option;
}

function without(order, ...names) {
  const copy = { ...order };
  for (const name of names) delete copy[name];
  return copy;
}

function withRepeat(order, change) {
  const repeat = { ...order.occurrenceTiming?.repeat, ...change };
  for (const name of Object.keys(repeat)) if (repeat[name] === undefined) delete repeat[name];
  if (Object.keys(repeat).length === 0) return without(order, "occurrenceTiming");
  return { ...order, occurrenceTiming: { ...order.occurrenceTiming, repeat } };
}

function numberOf(text) {
  return text === "" ? undefined : Number(text);
}

function withFragment(order, name, fragment) {
  return { ...without(order, ...FRAGMENTS[name]), ...fragment };
}

// A change on the form reaches the orders that agreed with it before: what differed on purpose stays.
const READ = {
  visits: (order) => order.occurrenceTiming?.repeat?.count,
  frequency: ({ occurrenceTiming }) => {
    const { frequency, period, periodUnit } = occurrenceTiming?.repeat ?? {};
    return [frequency, period, periodUnit];
  },
  units: (order) => order.quantityQuantity?.value,
  reason: (order) => [order.reasonCode, order.reasonReference],
  site: (order) => order.bodySite,
  performer: (order) => order.performer,
  authored: (order) => order.authoredOn,
  note: (order) => order.note,
};

const WRITE = {
  visits: (order, text) => withRepeat(order, { count: numberOf(text) }),
  frequency: (order, [frequency, period, unit]) =>
    withRepeat(order, {
      frequency: numberOf(frequency),
      period: numberOf(period),
      periodUnit: unit || undefined,
    }),
  units: (order, text) =>
    text === "" ? without(order, "quantityQuantity") : { ...order, quantityQuantity: { value: Number(text), ...UNIT } },
  reason: (order, fragment) => withFragment(order, "reason", fragment),
  site: (order, fragment) => withFragment(order, "site", fragment),
  performer: (order, fragment) => withFragment(order, "performer", fragment),
  authored: (order, text) => (text ? { ...order, authoredOn: text } : without(order, "authoredOn")),
  note: (order, text) => (text ? { ...order, note: [{ text }] } : without(order, "note")),
};
