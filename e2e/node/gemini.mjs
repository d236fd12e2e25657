// The official OpenAI SDK for JavaScript against Berry in front of a provider with Gemini's format. Fails loudly.
import assert from "node:assert/strict";
import OpenAI from "openai";

const answer = process.env.BERRY_ANSWER;
const client = new OpenAI({ baseURL: process.env.BERRY_URL, apiKey: process.env.BERRY_TOKEN, maxRetries: 0 });
const messages = [{ role: "user", content: "hi" }];
const object = (properties) => ({ type: "object", properties, additionalProperties: false });

const plain = await client.chat.completions.create({ model: "text", messages });
assert.equal(plain.choices[0].message.content, answer);
assert.equal(plain.choices[0].finish_reason, "stop");

const runner = client.chat.completions.stream({ model: "text", messages, stream_options: { include_usage: true } });
assert.equal(await runner.finalContent(), answer);
assert.ok((await runner.totalUsage()).total_tokens > 0);

const tools = ["weather", "clock"].map((name) => ({ type: "function", function: { name, parameters: object({ city: { type: "string" } }) } }));
const calling = await client.chat.completions.stream({ model: "tools", messages, tools }).finalChatCompletion();
const calls = calling.choices[0].message.tool_calls;
assert.equal(calling.choices[0].finish_reason, "tool_calls");
assert.deepEqual(calls.map((c) => c.function.name), ["weather", "clock"]);
assert.equal(new Set(calls.map((c) => c.id)).size, 2);
const results = calls.map((c) => ({ role: "tool", tool_call_id: c.id, content: "42" }));
await client.chat.completions.create({ model: "tools", tools, messages: [...messages, calling.choices[0].message, ...results] });

const structured = await client.chat.completions.create({
  model: "json",
  messages,
  response_format: { type: "json_schema", json_schema: { name: "place", strict: true, schema: object({ city: { type: "string" } }) } },
});
assert.deepEqual(JSON.parse(structured.choices[0].message.content), { city: "Zürich" });

let thoughts = "";
for await (const chunk of await client.chat.completions.create({ model: "thinks", messages, stream: true, reasoning_effort: "high" })) {
  thoughts += chunk.choices[0]?.delta.reasoning_content ?? "";
}
assert.equal(thoughts, "I think so.");

await assert.rejects(() => client.chat.completions.create({ model: "refuses", messages }), OpenAI.BadRequestError);
let text = "";
await assert.rejects(async () => {
  for await (const chunk of await client.chat.completions.create({ model: "truncated", messages, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? "";
  }
}, OpenAI.APIError);
assert.equal(text, "he");
