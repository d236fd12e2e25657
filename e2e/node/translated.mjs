// The official OpenAI SDK for JavaScript asks for responses, with its helpers, of providers that have none.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BERRY_URL, apiKey: process.env.BERRY_TOKEN, maxRetries: 0, logLevel: "off" });
const expect = JSON.parse(process.env.BERRY_EXPECT);
const model = (name) => `${process.env.BERRY_FORMAT}/${name}`;
const input = "hi";
const object = (properties) => ({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
const text = { type: "string" };
const tools = ["weather", "clock"].map((name) => ({ type: "function", name, strict: false, parameters: object({ city: text }) }));

function assertAnswer(r) {
  assert.equal(r.output_text, expect.answer);
  assert.equal(r.model, model("text"));
  assert.equal(r.status, "completed");
  assert.equal(r.store, false);
  assert.ok(r.usage.total_tokens > 0);
}

// The helper throws when an event is not where it belongs.
async function streamed(asked) {
  const stream = client.responses.stream(asked);
  const kinds = [];
  let pieces = "";
  stream.on("event", (event) => kinds.push(event.type));
  stream.on("response.output_text.delta", (event) => (pieces += event.delta));
  const final = await stream.finalResponse();
  assert.equal(kinds[0], "response.created");
  assert.equal(kinds.at(-1), "response.completed");
  assert.equal(pieces, final.output_text);
  return final;
}

const cases = {
  async text() {
    const asked = { model: model("text"), input, instructions: "be brief", metadata: { a: "b" } };
    for (const r of [await client.responses.create(asked), await streamed(asked)]) {
      assertAnswer(r);
      assert.deepEqual([r.instructions, r.metadata], ["be brief", { a: "b" }]);
      await assert.rejects(client.responses.retrieve(r.id), OpenAI.NotFoundError);
    }
    const numbers = [];
    for await (const event of await client.responses.create({ ...asked, stream: true })) numbers.push(event.sequence_number);
    assert.deepEqual(numbers, [...numbers.keys()]);
  },

  // An agent's loop: all that was answered goes back, with what the calls returned.
  async tools() {
    for (const make of [streamed, (asked) => client.responses.create(asked)]) {
      const first = [{ role: "user", content: input }];
      const calling = await make({ model: model("tools"), input: first, tools, store: false });
      const calls = calling.output.filter((item) => item.type === "function_call");
      assert.deepEqual(
        calls.map((c, i) => [expect.ownIDs ? c.call_id : expect.calls[i][0], c.name, c.arguments]),
        expect.calls,
      );
      const outputs = calls.map((c) => ({ type: "function_call_output", call_id: c.call_id, output: "42" }));
      const after = await make({ model: model("tools"), tools, store: false, input: [...first, ...calling.output, ...outputs] });
      assert.equal(after.output_text, expect.answer);
    }
  },

  async custom_tool() {
    const [call] = (await streamed({ model: model("runner"), input, tools: [{ type: "custom", name: "now" }] })).output;
    assert.deepEqual([call.type, call.name, call.input], ["custom_tool_call", "now", '{"zone":"UTC"}']);
  },

  async image() {
    const content = [{ type: "input_image", image_url: expect.png, detail: "auto" }, { type: "input_text", text: "hi" }];
    assertAnswer(await client.responses.create({ model: model("text"), input: [{ role: "user", content }] }));
  },

  async schema() {
    const format = { type: "json_schema", name: "place", strict: true, schema: object({ city: text }) };
    assertAnswer(await client.responses.create({ model: model("text"), input, text: { format } }));
  },

  async reasoning() {
    const asked = { model: model("reasoning"), input, reasoning: { effort: "high", summary: "auto" } };
    for (const r of [await client.responses.create(asked), await streamed(asked)]) {
      assert.equal(r.output[0].type, "reasoning");
      assert.equal(r.output[0].summary[0].text, expect.thought);
      assert.equal(r.output_text, expect.answer);
    }
  },

  async error() {
    const refused = (e) => e instanceof OpenAI.BadRequestError && e.message.includes("bad temp");
    await assert.rejects(client.responses.create({ model: model("rejected"), input }), refused);
    await assert.rejects(client.responses.stream({ model: model("rejected"), input }).finalResponse(), refused);
    const kept = (e) => e instanceof OpenAI.BadRequestError && e.param === "background";
    await assert.rejects(client.responses.create({ model: model("text"), input, background: true }), kept);
  },

  async truncated() {
    for (const name of ["truncated", "reset"]) {
      const final = await client.responses.stream({ model: model(name), input }).finalResponse();
      assert.deepEqual([final.status, final.error.code], ["failed", "stream_interrupted"]);
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
