// One draft ServiceRequest: what the form reads of it, and how it writes. The rest stays as it was.

import { list } from "./dom.js";

const UNIT = { unit: "15-minute unit", system: "http://unitsofmeasure.org", code: "{unit}" };

// The elements that one choice of the form stands for.
export const FRAGMENTS = {
  insurance: ["insurance"],
  reason: ["reasonCode", "reasonReference"],
  site: ["bodySite"],
  performer: ["performer"],
};

// What a second order has in common with the first.
const SHARED = ["resourceType", "status", "intent", "subject", "encounter", "requester", "authoredOn", "insurance"];

export function blank(model, fragment, id) {
  const shared = SHARED.filter((name) => model[name] !== undefined).map((name) => [name, model[name]]);
  return { ...Object.fromEntries(shared), ...fragment, id };
}

export function sameId(one, other) {
  return one.resourceType === other.resourceType && one.id === other.id;
}

export function isDraftRequest(resource) {
  return resource?.resourceType === "ServiceRequest" && resource.status === "draft";
}

export function codesOf(code) {
  const codes = list(code?.coding).map((coding) => coding?.code);
  return codes.length ? codes : [code?.text ?? null];
}

export function codeLabel(code) {
  const [coding] = list(code?.coding);
  const words = code?.text ?? coding?.display ?? "";
  return [coding?.code, words].filter(Boolean).join(" ") || "Order without a code";
}

export function orderLabel(order) {
  const visits = READ.visits(order);
  return visits ? `${codeLabel(order.code)}, ${visits} visit${visits === 1 ? "" : "s"}` : codeLabel(order.code);
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

export const READ = {
  visits: (order) => order.occurrenceTiming?.repeat?.count,
  frequency: ({ occurrenceTiming }) => {
    const { frequency, period, periodUnit } = occurrenceTiming?.repeat ?? {};
    return [frequency, period, periodUnit];
  },
  units: (order) => order.quantityQuantity?.value,
  insurance: (order) => order.insurance,
  reason: (order) => [order.reasonCode, order.reasonReference],
  site: (order) => order.bodySite,
  performer: (order) => order.performer,
  authored: (order) => order.authoredOn,
  note: (order) => order.note,
};

export const WRITE = {
  visits: (order, text) => withRepeat(order, { count: numberOf(text) }),
  frequency: (order, [frequency, period, unit]) =>
    withRepeat(order, {
      frequency: numberOf(frequency),
      period: numberOf(period),
      periodUnit: unit || undefined,
    }),
  units: (order, text) =>
    text === "" ? without(order, "quantityQuantity") : { ...order, quantityQuantity: { value: Number(text), ...UNIT } },
  insurance: (order, fragment) => withFragment(order, "insurance", fragment),
  reason: (order, fragment) => withFragment(order, "reason", fragment),
  site: (order, fragment) => withFragment(order, "site", fragment),
  performer: (order, fragment) => withFragment(order, "performer", fragment),
  authored: (order, text) => (text ? { ...order, authoredOn: text } : without(order, "authoredOn")),
  note: (order, text) => (text ? { ...order, note: [{ text }] } : without(order, "note")),
};
