import { type Feature, groups } from "./features";

/** The features as stops on the lines of a network, one line for each group. */
export function Navigation({ current, onClose }: { current: Feature; onClose: () => void }) {
  return (
    <>
      <div className="scrim" onClick={onClose} />
      <nav aria-label="Features">
        <a className="brand" href="#/">
          <span>CopilotKit runtime</span>
          <small>one Python process · showcase</small>
        </a>
        {groups.map((group) => (
          <section key={group.id} className="line" data-group={group.id}>
            <h2>{group.title}</h2>
            <ul>
              {group.features.map((feature) => (
                <li key={feature.id}>
                  <a href={`#/${feature.id}`} aria-current={feature === current ? "page" : undefined}>
                    {feature.title}
                  </a>
                </li>
              ))}
            </ul>
          </section>
        ))}
      </nav>
    </>
  );
}
