// The fields of the order form: what they say, and how an order fills them.

import { codeLabel, codesOf, FRAGMENTS, READ } from "./draft.js";
import { el, list, same } from "./dom.js";

export function fragmentOf(element) {
  return JSON.parse(element.dataset.fragment);
}

export function snapshot(form) {
  const value = (name) => form.elements[name].value;
  const chosen = (name) => fragmentOf(form.elements[name].selectedOptions[0]);
  return {
    visits: value("visits"),
    units: value("units"),
    frequency: [value("frequency"), value("period"), value("periodUnit")],
    ...Object.fromEntries(Object.keys(FRAGMENTS).map((name) => [name, chosen(name)])),
    authored: value("authored"),
    note: value("note"),
  };
}

export function fill(form, order) {
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
