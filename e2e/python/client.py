"""The official OpenAI SDK for Python against Berry. Prints one JSON line per case: {"case", "error"}."""

import json
import os
import traceback

import openai

EXPECT = json.loads(os.environ["BERRY_EXPECT"])
MESSAGES = [{"role": "user", "content": EXPECT["question"]}]


def connect(url, token, **more):
    return openai.OpenAI(base_url=os.environ[url], api_key=os.environ[token], **more)


berry = connect("BERRY_URL", "BERRY_TOKEN")
strict = connect("BERRY_STRICT_URL", "BERRY_TOKEN")
strict_once = connect("BERRY_STRICT_URL", "BERRY_TOKEN", max_retries=0)


def equal(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def stream(client, model, **more):
    return client.chat.completions.create(model=model, messages=MESSAGES, stream=True, **more)


class Seen:
    """A stream, read to its end; an error of the stream is kept, not raised."""

    def __init__(self, chunks):
        self.text, self.finish, self.usage, self.error = "", [], [], None
        self.models, self.ids = set(), set()
        try:
            for chunk in chunks:
                self.models.add(chunk.model)
                self.ids.add(chunk.id)
                if chunk.usage:
                    self.usage.append((len(chunk.choices), chunk.usage))
                for choice in chunk.choices:
                    self.text += choice.delta.content or ""
                    if choice.finish_reason:
                        self.finish.append(choice.finish_reason)
        except openai.APIError as error:
            self.error = error


def assert_text(chunks, text, model):
    """A whole and good stream of text."""
    seen = Seen(chunks)
    equal(seen.error, None)
    equal(seen.text, text)
    equal(seen.finish, ["stop"])
    equal(seen.models, {model})
    equal(len(seen.ids), 1)
    return seen


def assert_interrupted(model):
    """A stream that must end in an error after "he"."""
    seen = Seen(stream(berry, model))
    equal(seen.text, "he")
    equal(seen.finish, [])
    assert isinstance(seen.error, openai.APIError), f"got {seen.error!r}"
    equal(seen.error.type, "server_error")
    return seen.error


def assert_fails(call, kind, status, **fields):
    """The call must fail with this class of error and these fields."""
    try:
        call()
    except openai.APIStatusError as error:
        assert isinstance(error, kind), f"got {error!r}"
        equal(error.status_code, status)
        for name, value in fields.items():
            equal(getattr(error, name), value)
        assert error.request_id, "no request id"
        return error
    raise AssertionError("no error")


def models():
    page = berry.models.list()
    equal(sorted(m.id for m in page.data), EXPECT["models"])
    for m in page.data:
        equal(m.object, "model")
        assert isinstance(m.created, int), m.created


def retrieve():
    for name in ["chat", "org/chat"]:
        equal(berry.models.retrieve(name).id, name)
    assert_fails(lambda: berry.models.retrieve("nope"), openai.NotFoundError, 404, code="model_not_found")


def chat():
    got = berry.chat.completions.create(model="chat", messages=MESSAGES)
    equal(got.choices[0].message.content, EXPECT["answer"])
    equal(got.choices[0].message.role, "assistant")
    equal(got.choices[0].finish_reason, "stop")
    equal((got.object, got.model), ("chat.completion", "chat"))
    equal((got.usage.prompt_tokens, got.usage.completion_tokens), (EXPECT["promptTokens"], EXPECT["completionTokens"]))
    assert got._request_id, "no request id"


def stream_plain():
    seen = assert_text(stream(berry, "chat"), EXPECT["answer"], "chat")
    equal(seen.usage, [])


def stream_usage():
    seen = assert_text(stream(berry, "chat", stream_options={"include_usage": True}), EXPECT["answer"], "chat")
    equal(len(seen.usage), 1)
    choices, usage = seen.usage[0]
    equal(choices, 0)
    equal((usage.prompt_tokens, usage.completion_tokens), (EXPECT["promptTokens"], EXPECT["completionTokens"]))
    equal(usage.total_tokens, EXPECT["promptTokens"] + EXPECT["completionTokens"])


def final(model, **more):
    """The whole answer as the SDK's stream helper puts it together."""
    with berry.chat.completions.stream(model=model, messages=MESSAGES, **more) as events:
        for _ in events:
            pass
        return events.get_final_completion()


def helper():
    got = final("chat")
    equal(got.choices[0].message.content, EXPECT["answer"])
    equal(got.choices[0].finish_reason, "stop")


def tools():
    definitions = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ["weather", "clock"]
    ]
    choice = final("tools", tools=definitions).choices[0]
    equal(choice.finish_reason, "tool_calls")
    calls = [[c.id, c.function.name, c.function.arguments] for c in choice.message.tool_calls]
    equal(calls, EXPECT["tools"])


# The SDK's helper reports an answer that was cut by its length as an error, so the pieces are joined by hand.
def two_choices():
    texts, finish = ["", ""], [None, None]
    for chunk in stream(berry, "two", n=2):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            finish[choice.index] = choice.finish_reason or finish[choice.index]
    equal(texts, EXPECT["choices"])
    equal(finish, ["stop", "length"])


def no_done():
    assert_text(stream(berry, "no-done"), "hello", "no-done")


def wrong_key():
    client = connect("BERRY_URL", "BERRY_WRONG_TOKEN")
    fields = {"code": "invalid_api_key", "type": "invalid_request_error"}
    assert_fails(lambda: client.models.list(), openai.AuthenticationError, 401, **fields)
    assert_fails(lambda: stream(client, "chat"), openai.AuthenticationError, 401, **fields)


def unknown_model():
    fields = {"code": "model_not_found", "type": "invalid_request_error"}
    error = assert_fails(lambda: stream(berry, "nope"), openai.NotFoundError, 404, **fields)
    assert "nope" in error.message, error.message


def bad_request():
    def ask():
        return berry.chat.completions.create(model="rejected", messages=MESSAGES, temperature=9)

    fields = {"type": "invalid_request_error", "param": "temperature", "code": "x"}
    error = assert_fails(ask, openai.BadRequestError, 400, **fields)
    assert "bad temp" in error.message, error.message


def truncated():
    equal(assert_interrupted("truncated").code, "stream_interrupted")


def reset():
    equal(assert_interrupted("reset").code, "stream_interrupted")


def silent():
    equal(assert_interrupted("silent").code, "stream_interrupted")


def garbled():
    """A frame that is not JSON is left out; the rest is whole."""
    assert_text(stream(berry, "garbled"), "hello", "garbled")


def role_error():
    """An error before any content is another backend's answer."""
    assert_text(stream(berry, "role-error"), EXPECT["answer"], "role-error")


def broken():
    message = assert_interrupted("broken").message
    assert "boom" in message, message


def early_error():
    assert_fails(lambda: stream(strict_once, "early"), openai.RateLimitError, 429, type="rate_limit_error")


def failover():
    raw = berry.chat.completions.with_raw_response.create(model="pool", messages=MESSAGES)
    got = raw.parse()
    equal(got.choices[0].message.content, EXPECT["answer"])
    equal(got.model, "pool")
    equal(raw.headers.get("x-berry-provider"), "backup")


def failover_stream():
    assert_text(stream(berry, "pool"), EXPECT["answer"], "pool")


def retry_after():
    """The provider's first answer is a 429; the SDK waits as it says and asks again."""
    assert_text(stream(strict, "limited"), EXPECT["answer"], "limited")


def rate_limit():
    """Berry's own limit: one request a minute."""
    client = connect("BERRY_URL", "BERRY_LIMITED_TOKEN", max_retries=0)

    def ask():
        return client.chat.completions.create(model="chat", messages=MESSAGES)

    equal(ask().choices[0].message.content, EXPECT["answer"])
    error = assert_fails(ask, openai.RateLimitError, 429, type="rate_limit_error", code="rate_limit_exceeded")
    wait = float(error.response.headers["retry-after"])
    assert 1 <= wait <= 60, f"retry-after is {wait}"


def leave():
    """The test looks at the provider's side of this one."""
    with stream(berry, "endless") as chunks:
        for chunk in chunks:
            if chunk.choices[0].delta.content == "he":
                break


def completion():
    got = berry.completions.create(model="chat", prompt=EXPECT["question"])
    equal((got.choices[0].text, got.choices[0].finish_reason), (EXPECT["answer"], "stop"))
    equal((got.object, got.model), ("text_completion", "chat"))
    equal(got.usage.completion_tokens, EXPECT["completionTokens"])


def completion_stream():
    text, finish = "", ""
    for chunk in berry.completions.create(model="chat", prompt=EXPECT["question"], stream=True):
        equal(chunk.object, "text_completion")
        text += chunk.choices[0].text
        finish += chunk.choices[0].finish_reason or ""
    equal((text, finish), (EXPECT["answer"], "stop"))


def embeddings():
    """The SDK asks for base64 unless it is told otherwise. The second model's first provider makes no vectors; the next
    one speaks Gemini's format."""
    for model in ["chat", "vectors"]:
        for more in [{}, {"encoding_format": "float"}]:
            got = berry.embeddings.create(model=model, input=["a", "b"], **more)
            equal([d.embedding for d in got.data], EXPECT["vectors"])
            equal([d.index for d in got.data], [0, 1])
            equal(got.model, model)
            assert got.usage.prompt_tokens >= 1


def moderation():
    got = berry.moderations.create(model="chat", input="no harm")
    equal((got.results[0].flagged, got.model), (True, "chat"))


def unsupported():
    assert_fails(lambda: berry.files.retrieve("file-1"), openai.NotFoundError, 404, code="unsupported_endpoint")


CASES = {
    "models": models,
    "retrieve": retrieve,
    "chat": chat,
    "stream": stream_plain,
    "stream_usage": stream_usage,
    "helper": helper,
    "tools": tools,
    "two_choices": two_choices,
    "no_done": no_done,
    "wrong_key": wrong_key,
    "unknown_model": unknown_model,
    "bad_request": bad_request,
    "truncated": truncated,
    "reset": reset,
    "silent": silent,
    "broken": broken,
    "early_error": early_error,
    "garbled": garbled,
    "role_error": role_error,
    "failover": failover,
    "failover_stream": failover_stream,
    "retry_after": retry_after,
    "rate_limit": rate_limit,
    "leave": leave,
    "completion": completion,
    "completion_stream": completion_stream,
    "embeddings": embeddings,
    "moderation": moderation,
    "unsupported": unsupported,
}

for name, run in CASES.items():
    problem = ""
    try:
        run()
    except Exception:
        problem = traceback.format_exc()
    print(json.dumps({"case": name, "error": problem}), flush=True)
