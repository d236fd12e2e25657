// Berry with Anthropic's SDK for JavaScript: a chat, a stream, and errors told apart. Any model can be asked, whatever
// its providers speak.
//
//   npm install
//   BERRY_TOKEN=... node chat.mjs
//
// BERRY_URL is where Berry listens, http://127.0.0.1:3000 unless set; BERRY_MODEL the model to ask, the first one of
// the list unless set.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({
  baseURL: process.env.BERRY_URL ?? "http://127.0.0.1:3000", // without /v1
  apiKey: process.env.BERRY_TOKEN,
});
const model = process.env.BERRY_MODEL ?? (await client.models.list()).data[0].id;
const ask = (text, of = model) => ({ model: of, max_tokens: 500, messages: [{ role: "user", content: text }] });

console.log("== chat");
const answer = await client.messages.create(ask("Say hello."));
for (const block of answer.content) {
  if (block.type === "text") console.log(block.text);
}
console.log(`(${answer.usage.input_tokens} tokens in, ${answer.usage.output_tokens} out)`);

console.log("== stream");
try {
  const stream = client.messages.stream(ask("Count to ten."));
  stream.on("text", (piece) => process.stdout.write(piece));
  await stream.finalMessage();
  console.log();
} catch (error) {
  // The stream broke: what was printed so far is not the whole answer.
  console.log(`\nthe stream broke: ${error}`);
  process.exitCode = 1;
}

console.log("== error");
// The SDK retries what is worth it (connection errors, 408, 409, 429, 5xx) and waits as Retry-After says; what arrives
// here is final. error.error.error has the type and the message, and in code Berry's own word for the cause.
try {
  await client.messages.create(ask("Hello", "no-such-model"));
} catch (error) {
  if (error instanceof Anthropic.NotFoundError) {
    console.log(`there is no such model: ${error.error.error.code}`);
  } else if (error instanceof Anthropic.RateLimitError) {
    console.log(`come back in ${error.headers.get("retry-after")} seconds: ${error.error.error.code}`);
  } else if (error instanceof Anthropic.APIConnectionError) {
    console.log("Berry cannot be reached");
  } else {
    throw error;
  }
}
