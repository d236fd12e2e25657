// The official OpenAI SDK for JavaScript against Berry. Prints one JSON line per case: {"case", "error"}.
import assert from "node:assert/strict";
import OpenAI from "openai";

const expect = JSON.parse(process.env.BERRY_EXPECT);
const messages = [{ role: "user", content: expect.question }];

const connect = (baseURL, apiKey, more = {}) => new OpenAI({ baseURL, apiKey, logLevel: "off", ...more });
const berry = connect(process.env.BERRY_URL, process.env.BERRY_TOKEN);
const strict = connect(process.env.BERRY_STRICT_URL, process.env.BERRY_TOKEN);
const strictOnce = connect(process.env.BERRY_STRICT_URL, process.env.BERRY_TOKEN, { maxRetries: 0 });

const stream = (client, model, more = {}) => client.chat.completions.create({ model, messages, stream: true, ...more });

// collect reads a stream to its end; an error of the stream is returned, not thrown.
async function collect(chunks) {
  const seen = { text: "", finish: [], usage: [], models: new Set(), ids: new Set(), error: undefined };
  try {
    for await (const chunk of chunks) {
      seen.models.add(chunk.model);
      seen.ids.add(chunk.id);
      if (chunk.usage) seen.usage.push([chunk.choices.length, chunk.usage]);
      for (const choice of chunk.choices) {
        seen.text += choice.delta.content ?? "";
        if (choice.finish_reason) seen.finish.push(choice.finish_reason);
      }
    }
  } catch (error) {
    seen.error = error;
  }
  return seen;
}

// A whole and good stream of text.
async function assertText(chunks, text, model) {
  const seen = await collect(chunks);
  assert.equal(seen.error, undefined);
  assert.equal(seen.text, text);
  assert.deepEqual(seen.finish, ["stop"]);
  assert.deepEqual([...seen.models], [model]);
  assert.equal(seen.ids.size, 1);
  return seen;
}

// A stream that must end in an error after "he".
async function assertInterrupted(model, check) {
  const seen = await collect(await stream(berry, model));
  assert.equal(seen.text, "he");
  assert.deepEqual(seen.finish, []);
  assert.ok(seen.error instanceof OpenAI.APIError, `got ${seen.error}`);
  assert.equal(seen.error.type, "server_error");
  check(seen.error);

  const helper = berry.chat.completions.stream({ model, messages });
  await assert.rejects(helper.finalContent(), OpenAI.APIError);
}

// The call must fail with this class of error and these fields.
async function assertFails(call, kind, fields) {
  const error = await call().then(
    () => assert.fail("no error"),
    (error) => error,
  );
  assert.ok(error instanceof kind, `got ${error}`);
  for (const [name, value] of Object.entries(fields)) assert.equal(error[name], value, name);
  assert.ok(error.requestID, "no request id");
  assert.equal(typeof error.error.message, "string");
  return error;
}

const cases = {
  async models() {
    const page = await berry.models.list();
    assert.deepEqual(page.data.map((m) => m.id).sort(), expect.models);
    for (const m of page.data) {
      assert.equal(m.object, "model");
      assert.ok(Number.isInteger(m.created), "created");
    }
  },

  async retrieve() {
    for (const id of ["chat", "org/chat"]) {
      const model = await berry.models.retrieve(id);
      assert.equal(model.id, id);
      assert.equal(model.object, "model");
    }
    await assertFails(() => berry.models.retrieve("nope"), OpenAI.NotFoundError, { code: "model_not_found" });
  },

  async chat() {
    const got = await berry.chat.completions.create({ model: "chat", messages });
    assert.equal(got.choices[0].message.content, expect.answer);
    assert.equal(got.choices[0].message.role, "assistant");
    assert.equal(got.choices[0].finish_reason, "stop");
    assert.equal(got.object, "chat.completion");
    assert.equal(got.model, "chat");
    assert.equal(got.usage.prompt_tokens, expect.promptTokens);
    assert.equal(got.usage.completion_tokens, expect.completionTokens);
    assert.ok(got._request_id, "no request id");
  },

  async stream() {
    const seen = await assertText(await stream(berry, "chat"), expect.answer, "chat");
    assert.deepEqual(seen.usage, []);
  },

  async stream_usage() {
    const seen = await assertText(await stream(berry, "chat", { stream_options: { include_usage: true } }), expect.answer, "chat");
    assert.equal(seen.usage.length, 1);
    const [choices, usage] = seen.usage[0];
    assert.equal(choices, 0);
    assert.equal(usage.prompt_tokens, expect.promptTokens);
    assert.equal(usage.completion_tokens, expect.completionTokens);
    assert.equal(usage.total_tokens, expect.promptTokens + expect.completionTokens);
  },

  async helper() {
    const runner = berry.chat.completions.stream({ model: "chat", messages });
    let text = "";
    runner.on("content", (delta) => (text += delta));
    assert.equal(await runner.finalContent(), expect.answer);
    assert.equal(text, expect.answer);
    assert.equal((await runner.finalChatCompletion()).choices[0].finish_reason, "stop");
  },

  async tools() {
    const runner = berry.chat.completions.stream({
      model: "tools",
      messages: [
        ...messages,
        { role: "assistant", content: null, tool_calls: [{ id: "call_0", type: "function", function: { name: "weather", arguments: "{}" } }] },
        { role: "tool", tool_call_id: "call_0", content: "sunny" },
      ],
      tools: ["weather", "clock"].map((name) => ({ type: "function", function: { name, parameters: { type: "object" } } })),
    });
    const choice = (await runner.finalChatCompletion()).choices[0];
    assert.equal(choice.finish_reason, "tool_calls");
    assert.deepEqual(
      choice.message.tool_calls.map((c) => [c.id, c.function.name, c.function.arguments]),
      expect.tools,
    );
  },

  async two_choices() {
    const runner = berry.chat.completions.stream({ model: "two", messages, n: 2 });
    const got = await runner.finalChatCompletion();
    assert.deepEqual(got.choices.map((c) => c.message.content), expect.choices);
    assert.deepEqual(got.choices.map((c) => c.finish_reason), ["stop", "length"]);
  },

  async no_done() {
    await assertText(await stream(berry, "no-done"), "hello", "no-done");
  },

  async wrong_key() {
    const client = connect(process.env.BERRY_URL, process.env.BERRY_WRONG_TOKEN);
    const fields = { status: 401, code: "invalid_api_key", type: "invalid_request_error" };
    await assertFails(() => client.models.list(), OpenAI.AuthenticationError, fields);
    await assertFails(() => stream(client, "chat"), OpenAI.AuthenticationError, fields);
  },

  async unknown_model() {
    const error = await assertFails(() => stream(berry, "nope"), OpenAI.NotFoundError, {
      status: 404,
      code: "model_not_found",
      type: "invalid_request_error",
    });
    assert.match(error.message, /nope/);
  },

  async bad_request() {
    const error = await assertFails(() => berry.chat.completions.create({ model: "rejected", messages, temperature: 9 }), OpenAI.BadRequestError, {
      status: 400,
      type: "invalid_request_error",
      param: "temperature",
      code: "x",
    });
    assert.match(error.message, /bad temp/);
  },

  async truncated() {
    await assertInterrupted("truncated", (error) => assert.equal(error.code, "stream_interrupted"));
  },

  async reset() {
    await assertInterrupted("reset", (error) => assert.equal(error.code, "stream_interrupted"));
  },

  async silent() {
    await assertInterrupted("silent", (error) => assert.equal(error.code, "stream_interrupted"));
  },

  // A frame that is not JSON is left out; the rest is whole.
  async garbled() {
    await assertText(await stream(berry, "garbled"), "hello", "garbled");
  },

  // An error before any content is another backend's answer.
  async role_error() {
    await assertText(await stream(berry, "role-error"), expect.answer, "role-error");
  },

  async broken() {
    await assertInterrupted("broken", (error) => assert.match(error.message, /boom/));
  },

  async early_error() {
    await assertFails(() => stream(strictOnce, "early"), OpenAI.RateLimitError, { status: 429, type: "rate_limit_error" });
  },

  async failover() {
    const { data, response } = await berry.chat.completions.create({ model: "pool", messages }).withResponse();
    assert.equal(data.choices[0].message.content, expect.answer);
    assert.equal(data.model, "pool");
    assert.equal(response.headers.get("x-berry-provider"), "backup");
  },

  async failover_stream() {
    const { data, response } = await stream(berry, "pool").withResponse();
    await assertText(data, expect.answer, "pool");
    assert.equal(response.headers.get("x-berry-provider"), "backup");
  },

  // The provider's first answer is a 429; the SDK waits as it says and asks again.
  async retry_after() {
    await assertText(await stream(strict, "limited"), expect.answer, "limited");
  },

  // Berry's own limit: one request a minute.
  async rate_limit() {
    const client = connect(process.env.BERRY_URL, process.env.BERRY_LIMITED_TOKEN, { maxRetries: 0 });
    const ask = () => client.chat.completions.create({ model: "chat", messages });
    assert.equal((await ask()).choices[0].message.content, expect.answer);
    const error = await assertFails(ask, OpenAI.RateLimitError, { status: 429, type: "rate_limit_error", code: "rate_limit_exceeded" });
    const wait = Number(error.headers.get("retry-after"));
    assert.ok(wait >= 1 && wait <= 60, `retry-after is ${wait}`);
  },

  async completion() {
    const got = await berry.completions.create({ model: "chat", prompt: expect.question });
    assert.equal(got.choices[0].text, expect.answer);
    assert.equal(got.choices[0].finish_reason, "stop");
    assert.equal(got.object, "text_completion");
    assert.equal(got.model, "chat");
    assert.equal(got.usage.completion_tokens, expect.completionTokens);
  },

  async completion_stream() {
    let text = "";
    let finish = "";
    for await (const chunk of await berry.completions.create({ model: "chat", prompt: expect.question, stream: true })) {
      assert.equal(chunk.object, "text_completion");
      text += chunk.choices[0].text;
      finish += chunk.choices[0].finish_reason ?? "";
    }
    assert.equal(text, expect.answer);
    assert.equal(finish, "stop");
  },

  // The SDK asks for base64 unless it is told otherwise. The second model's first provider makes no vectors; the next
  // one speaks Gemini's format.
  async embeddings() {
    for (const model of ["chat", "vectors"]) {
      for (const more of [{}, { encoding_format: "float" }]) {
        const got = await berry.embeddings.create({ model, input: ["a", "b"], ...more });
        assert.deepEqual(got.data.map((d) => [...d.embedding]), expect.vectors);
        assert.deepEqual(got.data.map((d) => d.index), [0, 1]);
        assert.equal(got.model, model);
        assert.ok(got.usage.prompt_tokens >= 1);
      }
    }
  },

  async moderation() {
    const got = await berry.moderations.create({ model: "chat", input: "no harm" });
    assert.equal(got.results[0].flagged, true);
    assert.equal(got.model, "chat");
  },

  async unsupported() {
    await assertFails(() => berry.files.retrieve("file-1"), OpenAI.NotFoundError, { status: 404, code: "unsupported_endpoint" });
  },

  // The test looks at the provider's side of this one.
  async leave() {
    for await (const chunk of await stream(berry, "endless")) {
      if (chunk.choices[0].delta.content === "he") break;
    }
  },
};

for (const [name, run] of Object.entries(cases)) {
  let error = "";
  try {
    await run();
  } catch (e) {
    error = String(e.stack ?? e) + (e.error ? " " + JSON.stringify(e.error) : "");
  }
  console.log(JSON.stringify({ case: name, error }));
}
