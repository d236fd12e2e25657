// Berry with the OpenAI SDK for JavaScript: a chat, a stream, and errors told apart.
//
//   npm install
//   BERRY_TOKEN=... node chat.mjs
//
// BERRY_URL is where Berry listens, http://127.0.0.1:3000 unless set; BERRY_MODEL the model to ask, the first one of
// the list unless set.
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: (process.env.BERRY_URL ?? "http://127.0.0.1:3000") + "/v1",
  apiKey: process.env.BERRY_TOKEN,
});
const model = process.env.BERRY_MODEL ?? (await client.models.list()).data[0].id;
const ask = (text) => [{ role: "user", content: text }];

console.log("== chat");
const answer = await client.chat.completions.create({ model, messages: ask("Say hello.") });
console.log(answer.choices[0].message.content);
console.log(`(${answer.usage.total_tokens} tokens)`);

console.log("== stream");
try {
  const stream = await client.chat.completions.create({ model, messages: ask("Count to ten."), stream: true });
  for await (const chunk of stream) {
    process.stdout.write(chunk.choices[0]?.delta.content ?? "");
  }
  console.log();
} catch (error) {
  // The stream broke: what was printed so far is not the whole answer.
  console.log(`\nthe stream broke: ${error}`);
  process.exitCode = 1;
}

console.log("== error");
// The SDK retries what is worth it (connection errors, 408, 409, 429, 5xx) and waits as Retry-After says; what arrives
// here is final.
try {
  await client.chat.completions.create({ model: "no-such-model", messages: ask("Hello") });
} catch (error) {
  if (error instanceof OpenAI.NotFoundError) {
    console.log(`there is no such model: ${error.code}`);
  } else if (error instanceof OpenAI.RateLimitError) {
    console.log(`come back in ${error.headers.get("retry-after")} seconds: ${error.code}`);
  } else if (error instanceof OpenAI.APIConnectionError) {
    console.log("Berry cannot be reached");
  } else {
    throw error;
  }
}
