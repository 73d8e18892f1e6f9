// The npm packages that the build adds to this folder. A build without access to npm has none of them.

const found = await Promise.all([
  import("./vendor/marked.js"), import("./vendor/dompurify.js"), import("./vendor/highlight.js"),
]).catch(() => null);

const [marked, dompurify, highlighter] = found ?? [];

/** Marked, DOMPurify and highlight.js, or null. */
export const libraries = found && {
  Marked: marked.Marked, sanitizer: dompurify.default, highlighter: highlighter.default,
};
