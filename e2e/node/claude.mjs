// The official OpenAI SDK for JavaScript, with its helpers, against Berry in front of a provider in Claude's format.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BERRY_URL, apiKey: process.env.BERRY_TOKEN, maxRetries: 0, logLevel: "off" });
const answer = process.env.BERRY_ANSWER;
const [id1, args1, id2] = process.env.BERRY_TOOLS.split("|");
const model = "claude-sonnet-4-5";
const messages = [{ role: "user", content: "hi" }];

const helper = client.chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
let text = "";
helper.on("content", (piece) => (text += piece));
const whole = await helper.finalChatCompletion();
assert.equal(text, answer);
assert.equal(whole.choices[0].message.content, answer);
assert.equal(whole.choices[0].finish_reason, "stop");
assert.ok(whole.usage.total_tokens > 0);

const tools = ["weather", "clock"].map((name) => ({ type: "function", function: { name, parameters: { type: "object", properties: {} } } }));
const called = await client.chat.completions.stream({ model: "tools", messages, tools }).finalChatCompletion();
assert.equal(called.choices[0].finish_reason, "tool_calls");
assert.deepEqual(
  called.choices[0].message.tool_calls.map((c) => [c.id, c.type, c.function.name, c.function.arguments]),
  [[id1, "function", "weather", args1], [id2, "function", "clock", "{}"]],
);

// The tool runner calls the tool that the model is made to call, and gives its result back.
let calls = 0;
const runner = client.chat.completions.runTools(
  {
    model, messages, stream: true, tool_choice: { type: "function", function: { name: "now" } },
    tools: [{ type: "function", function: { name: "now", parse: JSON.parse, parameters: { type: "object", properties: {} }, function: () => `${++calls} o'clock` } }],
  },
  { maxChatCompletions: 2 },
);
await runner.done();
assert.ok(calls >= 1);
assert.ok(runner.messages.some((m) => m.role === "tool" && m.content.includes("o'clock")));

const thought = await client.chat.completions.create({ model, messages, reasoning_effort: "high" });
assert.equal(thought.choices[0].message.reasoning_content, "A fake thought.");

const parsed = await client.chat.completions.create({
  model,
  messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } }, { type: "text", text: "hi" }] }],
  response_format: { type: "json_schema", json_schema: { name: "n", strict: true, schema: { type: "object", properties: {}, additionalProperties: false } } },
});
assert.equal(parsed.choices[0].message.content, answer);

for (const broken of ["truncated", "broken"]) {
  await assert.rejects(client.chat.completions.stream({ model: broken, messages }).finalContent(), OpenAI.APIError, broken);
}
await assert.rejects(client.chat.completions.create({ model: "rejected", messages }), (e) => e instanceof OpenAI.BadRequestError && e.message.includes("bad temp"));
console.log("all cases passed");
