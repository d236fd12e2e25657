// The official OpenAI SDK for JavaScript, with its helpers, against Berry in front of a provider of one format.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BERRY_URL, apiKey: process.env.BERRY_TOKEN, maxRetries: 0, logLevel: "off" });
const expect = JSON.parse(process.env.BERRY_EXPECT);
const model = (name) => `${process.env.BERRY_FORMAT}/${name}`;
const messages = [{ role: "user", content: "hi" }];
const object = (properties) => ({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
const text = { type: "string" };

const cases = {
  async text() {
    const plain = await client.chat.completions.create({ model: model("text"), messages });
    assert.equal(plain.choices[0].message.content, expect.answer);
    assert.equal(plain.choices[0].finish_reason, "stop");
    const helper = client.chat.completions.stream({ model: model("text"), messages, stream_options: { include_usage: true } });
    let pieces = "";
    helper.on("content", (piece) => (pieces += piece));
    const whole = await helper.finalChatCompletion();
    assert.equal(pieces, expect.answer);
    assert.equal(whole.choices[0].message.content, expect.answer);
    assert.equal(whole.choices[0].finish_reason, "stop");
    assert.ok(whole.usage.total_tokens > 0);
  },

  async tools() {
    const tools = ["weather", "clock"].map((name) => ({ type: "function", function: { name, parameters: object({ city: text }) } }));
    const calling = await client.chat.completions.stream({ model: model("tools"), messages, tools }).finalChatCompletion();
    const calls = calling.choices[0].message.tool_calls;
    assert.equal(calling.choices[0].finish_reason, "tool_calls");
    assert.deepEqual(
      calls.map((c, i) => [expect.ownIDs ? c.id : expect.calls[i][0], c.type, c.function.name, c.function.arguments]),
      expect.calls.map(([id, name, args]) => [id, "function", name, args]),
    );
    assert.equal(new Set(calls.map((c) => c.id)).size, 2);
    const results = calls.map((c) => ({ role: "tool", tool_call_id: c.id, content: "42" }));
    const after = await client.chat.completions.create({ model: model("tools"), tools, messages: [...messages, calling.choices[0].message, ...results] });
    assert.equal(after.choices[0].message.content, expect.answer);
  },

  // The tool runner calls the tool by itself, gives its result back and goes on until there is an answer.
  async runner() {
    for (const stream of [false, true]) {
      let zones = [];
      const runner = client.chat.completions.runTools({
        model: model("runner"), messages, stream,
        tools: [{ type: "function", function: { name: "now", parse: JSON.parse, parameters: object({ zone: text }), function: ({ zone }) => (zones.push(zone), "12 o'clock") } }],
      });
      assert.equal(await runner.finalContent(), expect.answer);
      assert.deepEqual(zones, ["UTC"]);
      assert.ok(runner.messages.some((m) => m.role === "tool" && m.content === "12 o'clock"));
    }
  },

  async image() {
    const content = [{ type: "image_url", image_url: { url: expect.png } }, { type: "text", text: "hi" }];
    const got = await client.chat.completions.create({ model: model("text"), messages: [{ role: "user", content }] });
    assert.equal(got.choices[0].message.content, expect.answer);
  },

  async schema() {
    const response_format = { type: "json_schema", json_schema: { name: "place", strict: true, schema: object({ city: text }) } };
    const got = await client.chat.completions.create({ model: model("text"), messages, response_format });
    assert.equal(got.choices[0].message.content, expect.answer);
  },

  async reasoning() {
    const asked = { model: model("reasoning"), messages, reasoning_effort: "high" };
    const plain = await client.chat.completions.create(asked);
    assert.equal(plain.choices[0].message.reasoning_content, expect.thought);
    let thoughts = "";
    let content = "";
    for await (const chunk of await client.chat.completions.create({ ...asked, stream: true })) {
      thoughts += chunk.choices[0]?.delta.reasoning_content ?? "";
      content += chunk.choices[0]?.delta.content ?? "";
    }
    assert.deepEqual([thoughts, content], [expect.thought, expect.answer]);
  },

  async error() {
    const refused = (e) => e instanceof OpenAI.BadRequestError && e.message.includes("bad temp");
    await assert.rejects(client.chat.completions.create({ model: model("rejected"), messages }), refused);
    await assert.rejects(client.chat.completions.stream({ model: model("rejected"), messages }).finalContent(), refused);
  },

  async truncated() {
    for (const name of ["truncated", "reset"]) {
      await assert.rejects(client.chat.completions.stream({ model: model(name), messages }).finalContent(), OpenAI.APIError);
      let content = "";
      await assert.rejects(async () => {
        for await (const chunk of await client.chat.completions.create({ model: model(name), messages, stream: true })) {
          content += chunk.choices[0]?.delta.content ?? "";
        }
      }, OpenAI.APIError);
      assert.equal(content, "he");
    }
  },
};

for (const [name, run] of Object.entries(cases)) {
  await run().catch((e) => {
    console.error(`${name}: ${e.stack}`);
    process.exit(1);
  });
}
console.log("all cases passed");
