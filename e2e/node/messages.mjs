// Anthropic's official SDK for JavaScript, with its helpers, against Berry. Prints one JSON line per case: {"case", "error"}.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const expect = JSON.parse(process.env.BERRY_EXPECT);
const baseURL = process.env.BERRY_URL.replace(/\/v1$/, "");
const connect = (apiKey, more = {}) => new Anthropic({ baseURL, apiKey, maxRetries: 0, logLevel: "off", ...more });
const client = connect(process.env.BERRY_TOKEN);

const messages = [{ role: "user", content: expect.question }];
const ask = (model, more = {}) => ({ model, max_tokens: 4000, messages, ...more });
const tools = (...names) => names.map((name) => ({ name, description: "d", input_schema: { type: "object", properties: { city: { type: "string" } } } }));
const textOf = (message) => message.content.filter((b) => b.type === "text").map((b) => b.text).join("");
const final = (params) => client.messages.stream(params).finalMessage();

async function assertFails(call, kind, status, type) {
  const error = await call().then(
    () => assert.fail("no error"),
    (error) => error,
  );
  assert.ok(error instanceof kind, `got ${error}`);
  assert.equal(error.status, status);
  assert.equal(error.error.type, "error");
  assert.equal(error.error.error.type, type);
  assert.ok(error.requestID, "no request id");
  assert.equal(error.error.request_id, error.requestID);
  return error;
}

// A stream that must end in an error after "he", for the helper and for who reads its events.
async function assertInterrupted(model, message) {
  let text = "";
  const events = [];
  const read = async () => {
    for await (const event of await client.messages.create(ask(model, { stream: true }))) {
      events.push(event.type);
      if (event.delta?.type === "text_delta") text += event.delta.text;
    }
  };
  await assert.rejects(read(), (error) => error instanceof Anthropic.APIError && message.test(error.message));
  assert.equal(text, "he");
  assert.ok(!events.includes("message_stop") && !events.includes("message_delta"), `events ${events}`);
  await assert.rejects(final(ask(model)), message);
}

const cases = {
  async formats() {
    for (const model of ["open", "own", "google", "claude-haiku-4-5"]) {
      const system = [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }];
      const got = await client.messages.create(ask(model, { system }));
      assert.equal(textOf(got), expect.answer, model);
      assert.equal(got.model, model);
      assert.equal(got.type, "message");
      assert.equal(got.stop_reason, "end_turn");
      assert.ok(got.usage.input_tokens > 0 && got.usage.output_tokens > 0, JSON.stringify(got.usage));
      assert.ok(got._request_id, "no request id");
    }
    // A client whose key goes by the older header.
    const older = connect(null, { authToken: null, defaultHeaders: { "x-api-key": process.env.BERRY_TOKEN } });
    assert.equal(textOf(await older.messages.create(ask("own"))), expect.answer);
  },

  async streams() {
    for (const model of ["open", "own", "google"]) {
      const helper = client.messages.stream(ask(model));
      let pieces = "";
      helper.on("text", (piece) => (pieces += piece));
      const got = await helper.finalMessage();
      assert.equal(pieces, expect.answer, model);
      assert.equal(textOf(got), expect.answer);
      assert.equal(got.model, model);
      assert.equal(got.stop_reason, "end_turn");
      assert.ok(got.usage.input_tokens > 0 && got.usage.output_tokens > 0, JSON.stringify(got.usage));
      assert.ok(helper.request_id, "no request id");
    }
  },

  async tools() {
    const got = await final(ask("tools", { tools: tools("weather", "clock", expect.longTool) }));
    assert.equal(got.stop_reason, "tool_use");
    assert.deepEqual(got.content.map((b) => [b.id, b.name, b.input]), expect.tools.map(([id, name, input]) => [id, name, JSON.parse(input)]));
  },

  async tool_loop() {
    const params = ask("tools", { tools: tools("weather", "clock") });
    const calling = await final(params);
    const results = calling.content.map((b) => ({ type: "tool_result", tool_use_id: b.id, content: [{ type: "text", text: "42" }] }));
    const more = [...messages, { role: "assistant", content: calling.content }, { role: "user", content: results }];
    assert.equal(textOf(await final({ ...params, messages: more })), expect.answer);
  },

  async forced_tool() {
    const got = await final(ask("own", { tools: tools(expect.longTool), tool_choice: { type: "tool", name: expect.longTool } }));
    assert.equal(got.stop_reason, "tool_use");
    assert.equal(got.content[0].name, expect.longTool);
    assert.deepEqual(got.content[0].input, {});
  },

  async thinking() {
    for (const model of ["thinks", "own"]) {
      const helper = client.messages.stream(ask(model, { thinking: { type: "adaptive" } }));
      let thought = "";
      helper.on("thinking", (piece) => (thought += piece));
      const got = await helper.finalMessage();
      assert.deepEqual(got.content.map((b) => b.type), ["thinking", "text"], model);
      assert.equal(got.content[0].thinking, thought);
      assert.ok(thought.length > 0);
    }
    assert.deepEqual((await final(ask("thinks"))).content.map((b) => b.type), ["text"]);
  },

  async conversation_moves() {
    const thinking = { type: "enabled", budget_tokens: 2000 };
    const first = await final(ask("thinks", { thinking }));
    const more = [...messages, { role: "assistant", content: first.content }, { role: "user", content: "And?" }];
    for (const model of ["own", "google", "open"]) {
      assert.equal(textOf(await final(ask(model, { thinking, messages: more }))), expect.answer, model);
    }
  },

  async image() {
    const source = { type: "base64", media_type: "image/png", data: expect.png };
    for (const model of ["open", "own", "google"]) {
      const got = await client.messages.create(ask(model, { messages: [{ role: "user", content: [{ type: "image", source }, { type: "text", text: "hi" }] }] }));
      assert.equal(textOf(got), expect.answer, model);
    }
  },

  async count_tokens() {
    for (const model of ["open", "own", "google"]) {
      const { data: few, response } = await client.messages.countTokens({ model, messages }).withResponse();
      assert.equal(response.headers.get("x-berry-estimated"), model === "open" ? "input_tokens" : null, model);
      const many = await client.messages.countTokens({ model, messages: [{ role: "user", content: "some words ".repeat(500) }] });
      assert.ok(few.input_tokens > 0 && many.input_tokens > few.input_tokens + 500, `${few.input_tokens} ${many.input_tokens}`);
    }
  },

  async models() {
    const names = [];
    for await (const model of client.models.list({ limit: 2 })) {
      assert.equal(model.type, "model");
      assert.ok(!Number.isNaN(Date.parse(model.created_at)));
      names.push(model.id);
    }
    assert.deepEqual(names, expect.models);
    assert.equal((await client.models.retrieve("claude-haiku-4-5")).id, "claude-haiku-4-5");
  },

  async wrong_key() {
    const wrong = connect(process.env.BERRY_WRONG_TOKEN);
    await assertFails(() => wrong.messages.create(ask("open")), Anthropic.AuthenticationError, 401, "authentication_error");
    await assertFails(() => wrong.models.list(), Anthropic.AuthenticationError, 401, "authentication_error");
  },

  async unknown_model() {
    await assertFails(() => client.messages.create(ask("nope")), Anthropic.NotFoundError, 404, "not_found_error");
    await assertFails(() => client.messages.create(ask("nope", { stream: true })), Anthropic.NotFoundError, 404, "not_found_error");
    await assertFails(() => client.messages.countTokens({ model: "nope", messages }), Anthropic.NotFoundError, 404, "not_found_error");
    await assertFails(() => client.models.retrieve("nope"), Anthropic.NotFoundError, 404, "not_found_error");
  },

  async bad_request() {
    const error = await assertFails(() => client.messages.create(ask("rejected")), Anthropic.BadRequestError, 400, "invalid_request_error");
    assert.match(error.message, /bad temp/);
    const own = await assertFails(() => client.messages.create(ask("own", { stop_sequences: [" "] })), Anthropic.BadRequestError, 400, "invalid_request_error");
    assert.match(own.message, /stop_sequences/);
  },

  async rate_limit() {
    const limited = connect(process.env.BERRY_LIMITED_TOKEN);
    await limited.messages.create(ask("open"));
    const error = await assertFails(() => limited.messages.create(ask("open")), Anthropic.RateLimitError, 429, "rate_limit_error");
    assert.ok(Number(error.headers.get("retry-after")) >= 1);
  },

  async truncated() {
    await assertInterrupted("truncated", /broke the stream off/);
  },

  async broken() {
    await assertInterrupted("broken", /boom/);
  },

  async torn_call() {
    await assertInterrupted("torn-call", /tool call/);
  },

  async failover() {
    const { data, response } = await client.messages.create(ask("mixed")).withResponse();
    assert.equal(textOf(data), expect.answer);
    assert.equal(response.headers.get("x-berry-provider"), "own");
    assert.equal(textOf(await final(ask("mixed"))), expect.answer);
  },

  async leave() {
    for await (const event of await client.messages.create(ask("endless", { stream: true }))) {
      if (event.delta?.text === "he") break;
    }
  },
};

for (const [name, run] of Object.entries(cases)) {
  let error = "";
  try {
    await run();
  } catch (e) {
    error = e.stack ?? String(e);
  }
  console.log(JSON.stringify({ case: name, error }));
}
