// The studio's server. Addresses are relative, so the secret part of the page's address never appears here.

export class Problem extends Error {
  constructor({ what, where = "", remedy = "" }, status = 0) {
    super(what);
    Object.assign(this, { name: "Problem", what: sentence(where ? `${where}: ${what}` : what), remedy: sentence(remedy), status });
  }
}

const sentence = text => (text && !/[.!?]$/.test(text) ? `${text[0].toUpperCase()}${text.slice(1)}.` : text ?? "");

const GONE = {
  what: "The studio does not answer",
  remedy: "Start `arvae studio` again and open the address that it prints: there you can go on where you were",
};

async function call(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`api/v1/${path}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(GONE);
  }
  if (answer.ok) return answer;
  let error = null;
  try {
    ({ error } = await answer.json());
  } catch { /* not JSON: a proxy's page, for example */ }
  throw new Problem(error ?? { what: `The studio answers with error ${answer.status}` }, answer.status);
}

const json = async (path, options) => (await call(path, options)).json();
const post = (body, signal) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });

/** Where a song or an edit lies: the path below api/v1/. */
export const place = thing => (thing.song ? `edits/${thing.id}` : `songs/${thing.id}`);

export const state = () => json("state");
export const song = id => json(`songs/${id}`);
export const demo = () => json("songs?demo=1", { method: "POST" });
export const open = (bytes, name) =>
  json("songs", { method: "POST", headers: { "X-File-Name": encodeURIComponent(name) }, body: bytes });
export const edit = (id, settings, signal) => json(`songs/${id}/edits`, post(settings, signal));
/** The same file with another melody. choice: {track, voice} */
export const again = (id, choice) => json(`songs?${new URLSearchParams({ ...choice, again: id })}`, { method: "POST" });
export const known = id => json(`edits/${id}`);
export const adopt = id => json(`edits/${id}/song`, { method: "POST" });
export const score = (thing, page) => json(`${place(thing)}/score?page=${page}`);
export const soundfont = async () => (await call("soundfont")).arrayBuffer();
export const midi = async thing => (await call(`${place(thing)}/file?format=mid`)).arrayBuffer();

export const sessions = () => json("sessions");
export const session = id => json(`sessions/${id}`);
export const keep = (id, body, options) =>
  call(`sessions/${id}`, { method: "PUT", headers: { "Content-Type": "application/json" }, body, ...options });
export const forget = id => call(`sessions/${id}`, { method: "DELETE" });

/** The address of a file, for a drag out of the page. */
export const address = (thing, format) => new URL(`api/v1/${place(thing)}/file?format=${format}`, document.baseURI).href;

/** A file's bytes, and the name that the command line gives it. */
export async function file(thing, format) {
  const answer = await call(`${place(thing)}/file?format=${format}`);
  const disposition = answer.headers.get("Content-Disposition") ?? "";
  const [, coded] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? [];
  const [, plain] = /filename="?([^";]+)"?/i.exec(disposition) ?? [];
  return { blob: await answer.blob(), name: coded ? decodeURIComponent(coded) : plain ?? `${thing.file}.${format}` };
}

/** Calls `found` with each variation as it is found. Aborting the signal stops the search. */
export async function variations(id, wish, found, signal) {
  const answer = await call(`songs/${id}/variations`, post(wish, signal));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines.filter(Boolean)) {
      const row = JSON.parse(line);
      if (row.error) throw new Problem(row.error);
      found(row);
    }
    if (done) return;
  }
}
