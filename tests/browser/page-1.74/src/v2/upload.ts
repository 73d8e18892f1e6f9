import { settings } from "../settings";

const { runtimeUrl } = settings;

export async function onUpload(file: File) {
  const body = new FormData();
  body.append("file", file);
  const headers = { "X-Requested-With": "fetch", ...settings.headers };
  const response = await fetch(`${runtimeUrl}/attachments`, { method: "POST", body, headers });
  const source = await response.json();
  if (!response.ok) throw new Error(source.message);
  return { ...source, value: new URL(source.value, response.url).href };
}
