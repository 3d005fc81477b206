// While an order is composed: what signing will ask, asked quietly by order-select.

import { el, fold, icon, list, pretty } from "./dom.js";
import { kindOf } from "./cards.js";
import { rendered } from "./markdown.js";
import { INDICATOR } from "./words.js";

const PAUSE_MS = 600;

export class Preview {
  // `ask(signal)` brings the answer of order-select, or null where nothing is to be asked.
  constructor(panel, ask) {
    this.panel = panel;
    this.ask = ask;
    this.told = "";
  }

  // Waits until the typing pauses; a question that was overtaken is given up.
  soon(pause = PAUSE_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), pause);
  }

  async now() {
    this.running?.abort();
    const mine = new AbortController();
    this.running = mine;
    const answer = await this.ask(mine.signal);
    if (!mine.signal.aborted) this.show(answer);
  }

  // The same words are not said again, so that a reader's voice is not interrupted.
  show(answer) {
    const asked = answer !== null;
    const cards = answer?.ok ? list(answer.body?.cards) : [];
    const words = pretty(cards.map((card) => [card.indicator, card.summary, card.detail]).concat(String(answer?.ok)));
    this.panel.hidden = !asked;
    if (!asked || words === this.told) return;
    this.told = words;
    this.panel.querySelector("[role=status]").replaceChildren(...lines(answer, cards));
  }
}

function lines(answer, cards) {
  if (!answer.ok) return [el("p", { class: "hint" }, "Could not be asked now. Signing asks again.")];
  if (!cards.length) return [el("p", { class: "hint" }, "Nothing in advance. Signing holds the order against the policy.")];
  return cards.map(line);
}

function line(card) {
  const kind = kindOf(card);
  const head = el("span", {}, icon(kind), el("span", { class: "hidden" }, `${INDICATOR[kind]}: `), " ", card.summary);
  if (!card.detail) return el("p", { class: `advance ${kind}` }, head);
  const box = fold(head, false, el("div", { class: "detail" }, rendered(card.detail)));
  box.className = `advance ${kind}`;
  return box;
}
