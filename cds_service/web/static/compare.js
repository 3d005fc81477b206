// The same order under every policy, side by side.

import { el, icon, list } from "./dom.js";
import { call } from "./http.js";
import { DETERMINATION, EFFECT, PRIOR_AUTH, URGENCY, amountWords, limitWords } from "./words.js";

const COLUMNS = ["Policy", "Result", "Missing", "Safety", "Visits", "Prior authorization"];

export function comparePanel(request) {
  const body = el("div", { class: "compared", "aria-live": "polite" });
  const panel = el("details", { class: "panel" }, el("summary", {}, "Compare payers"), body);
  let asked = false;
  panel.addEventListener("toggle", () => {
    if (!panel.open || asked) return;
    asked = true;
    fill(body, request);
  });
  return panel;
}

async function fill(body, request) {
  body.replaceChildren(el("p", {}, "Asking every policy…"));
  const answer = await call("POST", "/explore/compare", request);
  const found = answer.ok ? list(answer.body?.compared) : [];
  body.replaceChildren(...(found.length ? table(found) : [el("p", {}, "The policies could not be compared.")]));
}

function table(found) {
  const head = el("tr", {}, COLUMNS.map((name) => el("th", { scope: "col" }, name)));
  const caption = "The same order and record under each policy. Nothing was stored.";
  return [
    el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Comparison of payers" },
      el("table", { class: "grid" }, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, found.map(row))),
    ),
  ];
}

function row(one) {
  const made = one.evaluation;
  const cells = made ? [result(made), missing(made), safety(made), visits(made), prior(made)] : ["No order is in scope", "", "", "", ""];
  return el("tr", { class: one.own ? "own" : "" }, name(one), cells.map((cell) => el("td", {}, cell)));
}

function name(one) {
  const taken = one.own ? "the patient's own" : taken_for(one);
  return el(
    "th",
    { scope: "row" },
    el("a", { href: `/policies/${one.policy}` }, one.payer),
    el("small", {}, `${one.title}${one.draft ? ", draft" : ""} · ${taken}`),
  );
}

function taken_for(one) {
  return one.product ? `coverage taken for ${one.product.replaceAll("-", " ")}` : "coverage taken for one of this payer";
}

function result(made) {
  const { word, status } = DETERMINATION[made.determination] ?? { word: made.determination, status: "unknown" };
  const words = made.gap === "code-not-listed" ? "Codes not listed" : word;
  return el("span", { class: `chip ${status}` }, icon(status), words);
}

function missing(made) {
  return bullets(list(made.missing).filter((item) => item.blocking).map((item) => item.text), "nothing");
}

function safety(made) {
  const words = (one) => `${one.text}: ${URGENCY[one.urgency] ?? one.urgency}, ${EFFECT[one.effect]}`;
  return bullets(list(made.safety).map(words), "nothing found");
}

function visits(made) {
  const words = [
    made.limits && `limit ${limitWords(made.limits)}`,
    made.approvableNow && `supported now ${amountWords(made.approvableNow)}`,
  ].filter(Boolean);
  return words.join("; ") || "no number";
}

function prior(made) {
  return PRIOR_AUTH[made.priorAuth] ?? "not stated";
}

function bullets(words, none) {
  return words.length ? el("ul", {}, words.map((word) => el("li", {}, word))) : none;
}
