// What the results say when there is no card to show.

import { el, icon, list } from "./dom.js";
import { orderLabel } from "./orders.js";

export function errorState(title, answer) {
  const issues = list(answer.body?.issue).map(issueNode);
  const happened = answer.failure ?? `The answer was HTTP ${answer.status}.`;
  return el(
    "div",
    { class: "state state-error", role: "alert" },
    el("h3", {}, icon("critical"), title),
    el("p", {}, `${happened} The order was not checked: this is not an all-clear.`),
    issues.length ? el("ul", {}, issues) : null,
  );
}

function issueNode(issue) {
  const words = issue.diagnostics ?? issue.details?.text ?? "no further words";
  return el("li", {}, el("strong", {}, `${issue.severity ?? "error"} (${issue.code ?? "unknown"}): `), words);
}

export function noCards(evaluations, drafts) {
  const orders = drafts.map(orderLabel).join(", ");
  const checked = evaluations.map((item) => el("li", {}, checkedWords(item)));
  const nothing = el("p", {}, "The service named no policy that it held the order against.");
  return el(
    "div",
    { class: "state" },
    el("h3", {}, "No cards"),
    el("p", {}, `The service had nothing to say about: ${orders}. That is not an all-clear.`),
    checked.length ? el("p", {}, "What was checked:") : nothing,
    checked.length ? el("ul", {}, checked) : null,
  );
}

function checkedWords(item) {
  const unread = list(item.unread).length;
  const holes = unread ? `; ${unread} part${unread > 1 ? "s" : ""} of the record could not be read` : "";
  const policy = item.policy ? `policy ${item.policy}` : "no policy applies";
  return `${item.coverage ?? "No coverage"}: ${policy}, ${list(item.criteria).length} criteria${holes}`;
}

export function withdrawn() {
  return el(
    "div",
    { class: "state" },
    el("h3", {}, "Nothing left to sign"),
    el("p", {}, "The order was withdrawn. Tick a procedure to draft it again, or pick another patient."),
  );
}
