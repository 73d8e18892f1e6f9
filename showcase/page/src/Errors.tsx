import { useCopilotKit } from "@copilotkit/react-core/v2";
import { useEffect, useState } from "react";

/** The last error of the runtime or of an agent, until the user dismisses it. */
export function Errors() {
  const { copilotkit } = useCopilotKit();
  const [message, setMessage] = useState<string>();
  useEffect(() => {
    const subscription = copilotkit.subscribe({ onError: ({ error }) => setMessage(error.message) });
    return () => subscription.unsubscribe();
  }, [copilotkit]);
  return (
    message && (
      <p className="error" role="alert">
        {message} <button onClick={() => setMessage(undefined)}>Dismiss</button>
      </p>
    )
  );
}
