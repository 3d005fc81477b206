// Which service signs, and which one speaks in advance, as discovery lists them.

import { el } from "./dom.js";

const SIGN = "order-sign";
const SELECT = "order-select";
const DISPATCH = "order-dispatch";

export function offer(form, services) {
  const select = form.elements.service;
  const [chosen, wanted] = [select.value, services.filter((service) => service.hook === SIGN)];
  if (!wanted.length) return;
  select.replaceChildren(...wanted.map(option));
  select.value = wanted.some((service) => service.id === chosen) ? chosen : wanted[0].id;
}

function option(service) {
  return el("option", { value: service.id }, service.title ? `${service.title} (${service.id})` : service.id);
}

export function chosenService(form) {
  return form.elements.service.value;
}

// The select service that goes with a sign service: the one most alike by name, so of its family.
export async function previewOf(services, chosen) {
  const found = (await services.all()).filter((service) => service.hook === SELECT);
  const ranked = found.sort((one, other) => alike(other.id, chosen) - alike(one.id, chosen));
  return ranked[0]?.id;
}

export async function dispatchOf(services) {
  return (await services.all()).find((service) => service.hook === DISPATCH)?.id;
}

// How many words two ids have in common.
function alike(one, other) {
  const words = new Set(other.split("-"));
  return one.split("-").filter((word) => words.has(word)).length;
}
