import { useEffect, useState } from "react";

/** The address `#/feature/thread`: a page that is loaded again shows the same conversation. */
export interface Address {
  featureId: string;
  threadId: string;
}

const parse = () => window.location.hash.replace(/^#\//, "").split("/");

export const addressOf = (featureId: string, threadId: string = crypto.randomUUID()) =>
  `#/${featureId}/${threadId}`;

/** Follows the address; a feature without a thread gets a new one. */
export function useAddress(defaultFeature: string): Address {
  const read = () => {
    const [featureId, threadId] = parse();
    if (!featureId || !threadId) {
      window.history.replaceState(null, "", addressOf(featureId || defaultFeature));
    }
    return window.location.hash;
  };
  const [hash, setHash] = useState(read);
  useEffect(() => {
    const follow = () => setHash(read());
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  const [featureId, threadId] = hash.replace(/^#\//, "").split("/");
  return { featureId, threadId };
}
