// The parts of an incremental answer as they arrive, and the result that they add up to.

/** Yields the JSON bodies of a multipart response as they arrive, or the one body of a plain one. */
export async function* bodies(response) {
  const type = response.headers.get("content-type") ?? "";
  if (!type.startsWith("multipart/mixed")) {
    yield await response.text();
    return;
  }
  const boundary = /boundary="?([^";]+)"?/.exec(type)?.[1] ?? "-";
  const delimiter = `\r\n--${boundary}`;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "\r\n";
  let started = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    buffer += value;
    let at;
    while ((at = buffer.indexOf(delimiter)) >= 0) {
      const part = buffer.slice(0, at);
      buffer = buffer.slice(at + delimiter.length);
      if (started) yield part.slice(part.indexOf("\r\n\r\n") + 4);
      started = true;
    }
    if (started && buffer.startsWith("--")) return;
  }
}

function parent(data, path) {
  return path.slice(0, -1).reduce((value, key) => value?.[key], data);
}

function fold(target, source) {
  for (const [key, value] of Object.entries(source)) {
    const both = value !== null && typeof value === "object" && !Array.isArray(value) && target[key];
    if (both && typeof target[key] === "object") fold(target[key], value);
    else target[key] = value;
  }
}

/** Applies one payload of incremental delivery (`path` with `items` or `data`) to the result so far. */
export function merge(result, payload) {
  const { incremental = [], hasNext, ...rest } = payload;
  if ("data" in rest && !("path" in rest)) Object.assign(result, rest);
  else if (rest.errors) (result.errors ??= []).push(...rest.errors);
  for (const { path, items, data, errors } of incremental) {
    if (errors) (result.errors ??= []).push(...errors);
    if (items) {
      const list = parent(result.data, path);
      items.forEach((item, offset) => { list[path.at(-1) + offset] = item; });
    } else if (data) {
      const target = path.reduce((value, key) => value?.[key], result.data);
      if (target) fold(target, data);
    }
  }
  return result;
}
