// Every word that stands for a code of the service.

export const INDICATOR = { critical: "Critical", warning: "Warning", info: "Information" };

export const STATUS = {
  met: "Met",
  "not-met": "Not met",
  unknown: "Cannot tell",
  "not-applicable": "Does not apply",
};

export const DETERMINATION = {
  covered: { word: "Criteria appear met", status: "met" },
  conditional: { word: "Cannot be confirmed yet", status: "unknown" },
  "not-covered": { word: "Criteria not met", status: "not-met" },
  "not-applicable": { word: "Policy does not apply", status: "not-applicable" },
};

export const PRIOR_AUTH = {
  required: "Prior authorization is required",
  "not-required-initial": "No prior authorization for the first visits",
  check: "Check with the payer whether prior authorization is required",
};

export const URGENCY = {
  "ED-now": "Emergency department now",
  "PCP-prompt": "Prompt primary care",
  specialist: "Specialist",
  caution: "Caution",
};

export const EFFECT = { stop: "stops the order", hold: "holds the order", none: "no effect on coverage" };

export function amountWords(amount) {
  const unit = amount.value === 1 ? amount.unit.replace(/s$/, "") : amount.unit;
  return `${amount.value} ${unit}`;
}

export function limitWords(limits) {
  const { period, ...amounts } = limits;
  const words = Object.entries(amounts).map(([name, value]) => `${value} ${name}`).join(", ");
  return period ? `${words} in ${periodWords(period)}` : words;
}

function periodWords(text) {
  const units = { D: "day", W: "week", M: "month", Y: "year" };
  const [, count, unit] = /^P(\d+)([DWMY])$/.exec(text) ?? [];
  return count ? `${count} ${units[unit]}${count === "1" ? "" : "s"}` : text;
}

export const OPERATOR = { all: "all of these", any: "any one of these", "at-least": "enough of these" };
