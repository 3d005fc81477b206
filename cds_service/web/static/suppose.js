// What if: items and criteria ticked as present move the determination; nothing is stored.

import { el, icon, list } from "./dom.js";
import { call } from "./http.js";
import { DETERMINATION, EFFECT, STATUS } from "./words.js";

const SUPPOSED = "massage-cds.supposed";
const SHOWN_CHANGES = 12;

export class WhatIf {
  constructor(request, evaluations) {
    this.request = request;
    this.evaluations = evaluations;
    this.supposed = new Map();
    this.boxes = new Map();
    this.asked = 0;
  }

  // A tick for an id; ids that stand in several places are ticked together.
  tick(id, text) {
    if (!this.request) return null;
    const input = el("input", { type: "checkbox", "data-suppose": id });
    input.addEventListener("change", () => this.turn(id, text, input));
    return el("label", { class: "suppose" }, input, " suppose it", el("span", { class: "hidden" }, `: ${text}`));
  }

  box(item) {
    const box = el("div", { class: "what-if", role: "status", hidden: true });
    this.boxes.set(keyOf(item), box);
    return box;
  }

  turn(id, text, input) {
    if (input.checked) this.supposed.set(id, text);
    else this.supposed.delete(id);
    this.follow(input.closest(".panel"));
    return this.ask();
  }

  follow(panel) {
    panel.querySelectorAll("[data-suppose]").forEach((input) => {
      input.checked = this.supposed.has(input.dataset.suppose);
    });
  }

  // Answers may overtake one another: only that to the last question is shown.
  async ask() {
    this.asked += 1;
    const turn = this.asked;
    if (!this.supposed.size) return this.boxes.forEach((box) => clear(box));
    const extension = { ...this.request.extension, [SUPPOSED]: [...this.supposed.keys()] };
    const answer = await call("POST", "/explore/what-if", { ...this.request, extension });
    if (turn !== this.asked) return null;
    const found = answer.ok ? list(answer.body?.evaluations) : null;
    return this.evaluations.forEach((before) => this.show(before, found));
  }

  show(before, found) {
    const box = this.boxes.get(keyOf(before));
    const after = found?.find((one) => keyOf(one) === keyOf(before));
    const back = el("button", { type: "button", class: "quiet", onclick: () => this.clear(box) }, "Suppose nothing");
    box.hidden = false;
    box.replaceChildren(el("h4", {}, "What if"), ...(after ? this.told(before, after) : [failed()]), back);
  }

  clear(box) {
    const panel = box.closest(".panel");
    this.supposed.clear();
    this.follow(panel);
    this.ask();
    panel.querySelector("summary").focus();
  }

  told(before, after) {
    const used = new Set(list(after.supposed));
    const names = (kept) => [...this.supposed].filter(([id]) => used.has(id) === kept).map(([id, text]) => `${text} (${id})`);
    return [
      el("p", { class: "moves" }, chip(before.determination), el("span", {}, " → "), chip(after.determination)),
      line("Supposed", names(true)),
      line("Changes nothing here", names(false)),
      line("Then met", changes(before, after)),
      line("Still missing", list(after.missing).filter((item) => item.blocking).map((item) => item.text)),
      line("Still open", list(after.safety).filter((one) => one.effect !== "none").map((one) => `${one.text} (${EFFECT[one.effect]})`)),
      el("p", { class: "hint" }, "Supposed, not on file. Nothing was stored."),
    ].filter(Boolean);
  }
}

function clear(box) {
  box.hidden = true;
  box.replaceChildren();
}

function keyOf(item) {
  return [item.coverage, item.policy, ...list(item.orders)].join(" ");
}

function chip(determination) {
  const { word, status } = DETERMINATION[determination] ?? { word: determination, status: "unknown" };
  return el("span", { class: `chip ${status}` }, icon(status), word);
}

function line(title, words) {
  return words.length ? el("p", {}, el("strong", {}, `${title}: `), words.join("; ")) : null;
}

function changes(before, after) {
  const was = new Map(list(before.criteria).map((one) => [one.id, one.status]));
  const moved = list(after.criteria).filter((one) => was.get(one.id) !== one.status && one.status === "met");
  const words = moved.map((one) => `${one.text} (${one.id})`);
  return words.length > SHOWN_CHANGES ? [...words.slice(0, SHOWN_CHANGES), `${words.length - SHOWN_CHANGES} more`] : words;
}

function failed() {
  return el("p", {}, `${STATUS.unknown}: the question could not be answered.`);
}
