"""Berry with the OpenAI SDK for Python: a chat, a stream, and errors told apart.

    pip install -r requirements.txt
    BERRY_TOKEN=... python chat.py

BERRY_URL is where Berry listens, http://127.0.0.1:3000 unless set; BERRY_MODEL the model to ask, the first one of the
list unless set.
"""

import os

import openai

client = openai.OpenAI(
    base_url=os.environ.get("BERRY_URL", "http://127.0.0.1:3000") + "/v1",
    api_key=os.environ["BERRY_TOKEN"],
)
model = os.environ.get("BERRY_MODEL") or client.models.list().data[0].id


def ask(text):
    return [{"role": "user", "content": text}]


print("== chat")
answer = client.chat.completions.create(model=model, messages=ask("Say hello."))
print(answer.choices[0].message.content)
print(f"({answer.usage.total_tokens} tokens)")

print("== stream")
try:
    for chunk in client.chat.completions.create(model=model, messages=ask("Count to ten."), stream=True):
        for choice in chunk.choices:
            print(choice.delta.content or "", end="", flush=True)
    print()
except openai.APIError as error:  # the stream broke: what was printed so far is not the whole answer
    print(f"\nthe stream broke: {error}")
    raise SystemExit(1)

print("== error")
# The SDK retries what is worth it (connection errors, 408, 409, 429, 5xx) and waits as Retry-After says; what arrives
# here is final.
try:
    client.chat.completions.create(model="no-such-model", messages=ask("Hello"))
except openai.NotFoundError as error:
    print(f"there is no such model: {error.code}")
except openai.RateLimitError as error:
    print(f"come back in {error.response.headers.get('retry-after')} seconds: {error.code}")
except openai.APIStatusError as error:
    print(f"Berry answered {error.status_code}: {error.code}")
except openai.APIConnectionError:
    print("Berry cannot be reached")
