import { use, useMemo, Suspense } from "react";

import { codeOf, type Feature } from "./features";

type Files = ReturnType<typeof codeOf>;

/** The two files of a feature: its agent and its page. */
export function Code({ feature }: { feature: Feature }) {
  const files = useMemo(() => codeOf(feature), [feature]);
  return (
    <div className="code" data-testid="code">
      <Suspense>
        <Sources files={files} />
      </Suspense>
    </div>
  );
}

function Sources({ files }: { files: Files }) {
  return use(files).map(({ name, html }) => (
    <figure key={name}>
      <figcaption>{name}</figcaption>
      <div dangerouslySetInnerHTML={{ __html: html }} />
    </figure>
  ));
}
