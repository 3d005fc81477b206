// After signing for a payer that writes on orders: the order goes to who is to carry it out.

import { el, list } from "./dom.js";

function performerOf(order) {
  return list(order.performer)[0]?.reference;
}

// Orders of one performer go together: those of the first that names one.
export function dispatchable(orders) {
  const performer = orders.map(performerOf).find(Boolean);
  return { performer, orders: orders.filter((order) => performer && performerOf(order) === performer) };
}

export function dispatchBox(orders, send) {
  const { performer } = dispatchable(orders);
  const hint = performer
    ? "Signs for good: the record keeps the order as active, and the service is asked again (order-dispatch)."
    : "Choose who performs the order, and sign again, to send it.";
  return el(
    "div",
    { class: "panel dispatch" },
    el("button", { type: "button", onclick: send, disabled: !performer }, "Send to the performer"),
    el("p", { class: "hint" }, hint),
  );
}

export function dispatchContext({ patientId }, { performer, orders }) {
  const dispatchedOrders = orders.map((order) => `ServiceRequest/${order.id}`);
  return { patientId, dispatchedOrders, performer };
}

export function asActive(order) {
  return { type: "update", description: "Sent", resource: { ...order, status: "active" } };
}
