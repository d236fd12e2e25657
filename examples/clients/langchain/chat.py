"""Berry with LangChain: its class for OpenAI, with another base URL, and nothing else.

    pip install -r requirements.txt
    BERRY_TOKEN=... python chat.py

BERRY_URL is where Berry listens, http://127.0.0.1:3000 unless set; BERRY_MODEL the model to ask, the first one of the
list unless set. Other frameworks for OpenAI's API take the same two values, often from the variables OPENAI_BASE_URL
and OPENAI_API_KEY.
"""

import os

import openai
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI

where = {"base_url": os.environ.get("BERRY_URL", "http://127.0.0.1:3000") + "/v1", "api_key": os.environ["BERRY_TOKEN"]}
name = os.environ.get("BERRY_MODEL") or openai.OpenAI(**where).models.list().data[0].id
model = ChatOpenAI(model=name, **where)

print("== chat")
answer = model.invoke([SystemMessage("Be brief."), HumanMessage("Say hello.")])
print(answer.text)
print(f"({answer.usage_metadata['total_tokens']} tokens)")

print("== stream")
try:
    for chunk in model.stream("Count to ten."):
        print(chunk.text, end="", flush=True)
    print()
except openai.APIError as error:  # the stream broke: what was printed so far is not the whole answer
    print(f"\nthe stream broke: {error}")
    raise SystemExit(1)

print("== error")
try:
    ChatOpenAI(model="no-such-model", **where).invoke("Hello")
except openai.NotFoundError as error:
    print(f"there is no such model: {error.code}")
