// One HTTP call, told as it went: nothing here throws for a bad answer.

const TIMEOUT_MS = 30000;

export async function call(method, url, body, headers = {}) {
  const started = performance.now();
  const sent = { Accept: "application/json", ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  const answer = { method, url, sent, request: body };
  try {
    const response = await fetch(url, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    Object.assign(answer, {
      ok: response.ok,
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: parsed(text),
    });
  } catch (error) {
    Object.assign(answer, { ok: false, status: 0, failure: reason(error) });
  }
  return Object.assign(answer, { ms: Math.round(performance.now() - started) });
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
