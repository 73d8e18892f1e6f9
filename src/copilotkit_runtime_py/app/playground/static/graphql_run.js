// One run over the GraphQL contract of CopilotKit 1.10: the request, and the conversation in its answer.

import { newId } from "./dom.js";

export const RUN_DOCUMENT = `mutation generateCopilotResponse($data: GenerateCopilotResponseInput!, $properties: JSONObject) {
  generateCopilotResponse(data: $data, properties: $properties) {
    threadId
    runId
    ... on CopilotResponse @defer {
      status {
        ... on BaseResponseStatus { code }
        ... on FailedResponseStatus { reason details }
      }
    }
    messages @stream {
      __typename
      ... on BaseMessageOutput { id createdAt }
      ... on BaseMessageOutput @defer {
        status {
          ... on SuccessMessageStatus { code }
          ... on FailedMessageStatus { code reason }
          ... on PendingMessageStatus { code }
        }
      }
      ... on TextMessageOutput { role content @stream }
      ... on ActionExecutionMessageOutput { name arguments @stream }
      ... on ResultMessageOutput { actionName actionExecutionId result }
      ... on AgentStateMessageOutput { agentName nodeName running state }
    }
    metaEvents @stream {
      ... on LangGraphInterruptEvent { type name value }
    }
  }
}
`;

/** The request for a run; `answer` is `{value, response}` for an interrupt, if it answers one. */
export function request(agent, conversation, tools, answer = null) {
  return {
    operationName: "generateCopilotResponse",
    query: RUN_DOCUMENT,
    variables: {
      data: {
        metadata: { requestType: "Chat" },
        threadId: conversation.threadId,
        agentSession: { agentName: agent },
        agentStates: [{ agentName: agent, state: JSON.stringify(conversation.state ?? {}) }],
        frontend: { url: location.href, actions: tools.map(action) },
        messages: conversation.messages.flatMap((message) => inputs(message, conversation)),
        metaEvents: answer ? [{ name: "LangGraphInterruptEvent", ...answer }] : [],
      },
      properties: {},
    },
  };
}

const action = ({ name, description, parameters }) =>
  ({ name, description, jsonSchema: JSON.stringify(parameters), available: "enabled" });

function inputs(message, conversation) {
  const createdAt = new Date().toISOString();
  if (message.role === "tool") {
    const call = conversation.call(message.toolCallId);
    const resultMessage = {
      actionExecutionId: message.toolCallId, actionName: call?.function.name ?? "", result: text(message.content),
    };
    return [{ id: message.id, createdAt, resultMessage }];
  }
  if (!["user", "assistant"].includes(message.role)) return [];
  const calls = (message.toolCalls ?? []).map((call) => ({
    id: call.id,
    createdAt,
    actionExecutionMessage: {
      name: call.function.name, arguments: call.function.arguments || "{}", parentMessageId: message.id,
    },
  }));
  const said = text(message.content);
  if (!said) return calls;
  return [{ id: message.id, createdAt, textMessage: { role: message.role, content: said } }, ...calls];
}

/** The text of a message whose content may have several parts. */
export function text(content) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => (part.type === "text" ? part.text : `[${part.type}]`)).join("\n");
}

/** Puts what an answer holds so far behind the messages that were there before the run. */
export function fill(conversation, before, { data, errors }) {
  const answer = data?.generateCopilotResponse;
  conversation.messages = [...before];
  conversation.open.clear();
  conversation.interrupts = (answer?.metaEvents ?? [])
    .filter((event) => event?.value !== undefined)
    .map((event, index) => ({ id: `meta-${index}`, value: event.value, outcome: false }));
  for (const output of answer?.messages ?? []) if (output) OUTPUTS[output.__typename]?.(conversation, output);
  const { code, reason, details } = answer?.status ?? {};
  const failed = code === "Failed" && (details?.description ?? details?.guardrailsReason ?? reason);
  return errors?.[0]?.message ?? (failed ? String(failed) : null);
}

function isOpen(output) {
  return output.status?.code === undefined || output.status.code === "Pending";
}

const OUTPUTS = {
  TextMessageOutput(conversation, output) {
    Object.assign(conversation.message(output.id, output.role), { content: (output.content ?? []).join("") });
    if (isOpen(output)) conversation.open.add(output.id);
  },
  ActionExecutionMessageOutput(conversation, output) {
    const called = { name: output.name, arguments: (output.arguments ?? []).join("") };
    conversation.message(`call-${output.id}`, "assistant").toolCalls = [{ id: output.id, type: "function", function: called }];
    if (isOpen(output)) conversation.open.add(output.id);
  },
  ResultMessageOutput(conversation, output) {
    Object.assign(conversation.message(output.id ?? newId(), "tool"), {
      toolCallId: output.actionExecutionId, content: output.result,
    });
  },
  AgentStateMessageOutput(conversation, output) {
    conversation.step = output.running ? output.nodeName : null;
    try {
      const { messages, copilotkit, ...state } = JSON.parse(output.state);
      conversation.state = state;
    } catch { /* only a JSON object is shown as state */ }
  },
};
