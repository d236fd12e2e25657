// The official OpenAI SDK for JavaScript makes responses through Berry and manages what its providers keep.
import assert from "node:assert/strict";
import OpenAI from "openai";

const expect = JSON.parse(process.env.BERRY_EXPECT);
const connect = (apiKey) => new OpenAI({ baseURL: process.env.BERRY_URL, apiKey, logLevel: "off", maxRetries: 0 });
const client = connect(process.env.BERRY_TOKEN);
const other = connect(process.env.BERRY_OTHER_TOKEN);
const asked = { model: "talk", input: expect.question };

function assertAnswer(r) {
  assert.equal(r.output_text, expect.answer);
  assert.equal(r.model, "talk");
  assert.equal(r.status, "completed");
  assert.equal(r.usage.output_tokens, expect.completionTokens);
}

const cases = {
  async create_and_go_on() {
    let r = await client.responses.create(asked);
    assertAnswer(r);
    // The model goes round two providers; only one of them knows the ids.
    for (let i = 0; i < 7; i++) {
      const next = await client.responses.create({ ...asked, previous_response_id: r.id });
      assert.equal(next.previous_response_id, r.id);
      r = next;
    }
  },

  async stream_and_final_response() {
    const first = await client.responses.create(asked);
    for (let i = 0; i < 3; i++) {
      const stream = client.responses.stream({ ...asked, previous_response_id: first.id });
      let text = "";
      stream.on("response.output_text.delta", (event) => (text += event.delta));
      const final = await stream.finalResponse();
      assert.equal(text, expect.answer);
      assertAnswer(final);
      assertAnswer(await client.responses.retrieve(final.id));
      const numbers = [];
      for await (const event of await client.responses.retrieve(final.id, { stream: true })) numbers.push(event.sequence_number);
      assert.deepEqual(numbers, [...numbers.keys()]);
    }
  },

  async kept() {
    const r = await client.responses.create(asked);
    for (let i = 0; i < 20; i++) assertAnswer(await client.responses.retrieve(r.id));
    const items = await client.responses.inputItems.list(r.id);
    assert.equal(items.data[0].content[0].text, expect.question);
    await assert.rejects(client.responses.cancel(r.id), OpenAI.BadRequestError);
    await client.responses.delete(r.id);
    await assert.rejects(client.responses.retrieve(r.id), OpenAI.NotFoundError);
    await assert.rejects(client.responses.retrieve("resp_nope"), OpenAI.NotFoundError);
  },

  async background() {
    let r = await client.responses.create({ ...asked, background: true });
    assert.equal(r.status, "queued");
    while (r.status === "queued" || r.status === "in_progress") r = await client.responses.retrieve(r.id);
    assertAnswer(r);
    r = await client.responses.create({ ...asked, background: true });
    assert.equal((await client.responses.cancel(r.id)).status, "cancelled");
  },

  async foreign() {
    const r = await client.responses.create({ ...asked, input: "my secret" });
    await assert.rejects(other.responses.retrieve(r.id), OpenAI.NotFoundError);
    await assert.rejects(other.responses.inputItems.list(r.id), OpenAI.NotFoundError);
    await assert.rejects(other.responses.delete(r.id), OpenAI.NotFoundError);
    await assert.rejects(other.responses.create({ ...asked, previous_response_id: r.id }), (e) => {
      return e instanceof OpenAI.BadRequestError && e.code === "previous_response_not_found" && e.param === "previous_response_id";
    });
    await assert.rejects(other.responses.stream({ ...asked, previous_response_id: r.id }).finalResponse(), OpenAI.BadRequestError);
    assertAnswer(await client.responses.retrieve(r.id));
  },

  async cut() {
    const final = await client.responses.stream({ model: "cut", input: expect.question }).finalResponse();
    assert.equal(final.status, "failed");
    assert.equal(final.error.code, "stream_interrupted");
    const kinds = [];
    for await (const event of await client.responses.create({ model: "cut", input: expect.question, stream: true })) kinds.push(event.type);
    assert.deepEqual(kinds.slice(-2), ["response.output_text.delta", "response.failed"]);
  },

  async whole() {
    const stream = client.responses.stream({ model: "whole", input: expect.question });
    let text = "";
    stream.on("response.output_text.delta", (event) => (text += event.delta));
    const final = await stream.finalResponse();
    assert.equal(text, "he said");
    assert.equal(final.output_text, "he said");
    assert.equal(final.output[1].arguments, '{"a":1}');
    assert.equal(final.usage.total_tokens, 9);
  },

  async beside() {
    const count = await client.responses.inputTokens.count({ model: "talk", input: "one two three" });
    assert.equal(count.input_tokens, 4);
    const compacted = await client.responses.compact({ model: "talk", input: "one two three" });
    assert.equal(compacted.object, "response.compaction");
  },
};

for (const [name, run] of Object.entries(cases)) {
  await run().catch((e) => {
    console.error(`${name}: ${e.stack}`);
    process.exit(1);
  });
}
console.log("all cases passed");
