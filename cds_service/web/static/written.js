// System actions: what the payer would write on the order, without anybody's click.

import { el, fold, list, pretty } from "./dom.js";

const COVERAGE = "/ext-coverage-information";

export function writtenPanel(actions, drafts) {
  if (!actions.length) return null;
  return el(
    "section",
    { class: "panel written", "aria-labelledby": "written-title" },
    el("h3", { id: "written-title" }, "What the payer would write on the order"),
    el("p", { class: "hint" }, "System actions: the EHR applies them by itself, and the order carries them from now on."),
    actions.map((action) => actionNode(action, drafts)),
  );
}

function actionNode(action, drafts) {
  const { resource } = action;
  const before = drafts.find((order) => order.id === resource?.id);
  const noted = list(resource?.extension).filter((one) => one?.url?.endsWith(COVERAGE));
  return el(
    "div",
    { class: "action" },
    el("p", {}, el("strong", {}, action.description ?? action.type)),
    noted.map((one) => el("dl", {}, facts(list(one.extension)))),
    resource && fold(`${before ? "Changed" : "New"}: ${resource.resourceType}/${resource.id ?? "without id"}`, false, json(resource)),
  );
}

function facts(parts) {
  return parts.flatMap((part) => [el("dt", {}, part.url), el("dd", {}, words(part))]);
}

function words(part) {
  if (list(part.extension).length) return el("dl", {}, facts(part.extension));
  const [, value] = Object.entries(part).find(([name]) => name.startsWith("value")) ?? [];
  if (value == null || typeof value !== "object") return String(value ?? "");
  const [coding] = list(value.coding);
  const named = value.text ?? value.display ?? value.reference ?? coding?.display ?? coding?.code;
  return named ?? amount(value) ?? span(value) ?? value.code ?? pretty(value);
}

function amount({ value, unit, code }) {
  return value === undefined ? undefined : [value, unit ?? code].filter((part) => part !== undefined).join(" ");
}

function span({ start, end }) {
  return start || end ? `${start ?? "…"} to ${end ?? "…"}` : undefined;
}

function json(resource) {
  return el("pre", { tabindex: "0", role: "group", "aria-label": "Resource" }, pretty(resource));
}
