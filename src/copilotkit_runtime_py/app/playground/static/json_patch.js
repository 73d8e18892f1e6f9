// JSON Patch (RFC 6902), as the deltas of state and activities use it.

/** Returns a patched copy; throws if the patch does not fit. */
export function patched(document, operations) {
  const holder = { root: structuredClone(document) };
  for (const operation of operations) apply(holder, operation);
  return holder.root;
}

const keys = (pointer) =>
  pointer === "" ? ["root"] : ["root", ...pointer.slice(1).split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"))];

function parentOf(holder, path) {
  const parent = path.slice(0, -1).reduce((value, key) => own(value, key), holder);
  if (parent === null || typeof parent !== "object") throw new Error(`no place for /${path.slice(1).join("/")}`);
  return [parent, path.at(-1)];
}

function own(value, key) {
  if (value === null || typeof value !== "object" || !Object.hasOwn(value, key)) throw new Error(`there is no "${key}"`);
  return value[key];
}

function apply(holder, { op, path, from, value }) {
  const [parent, key] = parentOf(holder, keys(path));
  if (op === "add") add(parent, key, value);
  else if (op === "remove") remove(parent, key);
  else if (op === "replace") {
    own(parent, key);
    put(parent, key, value);
  } else if (op === "move" || op === "copy") {
    const [source, sourceKey] = parentOf(holder, keys(from));
    const moved = structuredClone(own(source, sourceKey));
    if (op === "move") remove(source, sourceKey);
    const [target, targetKey] = parentOf(holder, keys(path));
    add(target, targetKey, moved);
  } else if (op === "test" && JSON.stringify(own(parent, key)) !== JSON.stringify(value)) {
    throw new Error(`the test of ${path} failed`);
  }
}

function add(parent, key, value) {
  if (Array.isArray(parent)) parent.splice(key === "-" ? parent.length : Number(key), 0, value);
  else put(parent, key, value);
}

function remove(parent, key) {
  own(parent, key);
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

function put(parent, key, value) {
  // Plain assignment to "__proto__" would change the object's prototype.
  Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true });
}
