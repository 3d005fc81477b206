// One HTTP call, told as it went: nothing here throws for a bad answer.

const TIMEOUT_MS = 30000;
const KEPT = 60;

// The latest calls of this page, for whoever integrates the service; each has its number.
const traffic = [];
let count = 0;

export function callsSoFar() {
  return count;
}

export function callsSince(number) {
  return traffic.filter((answer) => answer.number > number);
}

export async function call(method, url, body, { headers = {}, signal } = {}) {
  const started = performance.now();
  const sent = { Accept: "application/json", ...headers };
  if (body !== undefined) sent["Content-Type"] ??= "application/json";
  const answer = { method, url: new URL(url, location.href).href, sent, request: body };
  try {
    const response = await fetch(url, {
      method,
      headers: sent,
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
      signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    Object.assign(answer, {
      ok: response.ok,
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: parsed(text),
    });
  } catch (error) {
    Object.assign(answer, { ok: false, status: 0, failure: reason(error), stopped: error.name === "AbortError" });
  }
  Object.assign(answer, { ms: Math.round(performance.now() - started), serverMs: serverTime(answer.headers) });
  if (!answer.stopped) note(answer);
  return answer;
}

function note(answer) {
  count += 1;
  traffic.push(Object.assign(answer, { number: count }));
  if (traffic.length > KEPT) traffic.shift();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function reason(error) {
  if (error.name === "TimeoutError") return `no answer within ${TIMEOUT_MS / 1000} seconds`;
  return "the server could not be reached";
}

// What the server says of its own part in the time.
function serverTime(headers) {
  const [, spent] = /(?:^|[,\s])server;dur=([\d.]+)/.exec(headers?.["server-timing"] ?? "") ?? [];
  return spent === undefined ? null : Number(spent);
}
