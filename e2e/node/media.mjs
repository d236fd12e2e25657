// The official OpenAI SDK for JavaScript on images and audio. The recording comes on standard input.
import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: process.env.BERRY_URL, apiKey: process.env.BERRY_TOKEN, maxRetries: 0, logLevel: "off" });
const { model, transcript } = JSON.parse(process.env.BERRY_EXPECT);
const recording = await buffer(process.stdin);
const file = (name, type = "audio/mpeg") => toFile(recording, name, { type });
const isPNG = (b64) => assert.equal(Buffer.from(b64, "base64").toString("latin1", 0, 4), "\x89PNG");

const cases = {
  async transcription() {
    const got = await client.audio.transcriptions.create({
      file: await file("a speech.mp3"), model, timestamp_granularities: ["word", "segment"], response_format: "json",
    });
    assert.equal(got.text, transcript);
    assert.equal(got.usage.type, "tokens");
  },

  // Texts come as strings, because their type is text.
  async texts() {
    const srt = await client.audio.transcriptions.create({ file: await file("a speech.mp3"), model, response_format: "srt" });
    assert.equal(srt, `1\n00:00:00,000 --> 00:00:02,000\n${transcript}\n\n`);
    const vtt = await client.audio.translations.create({ file: await file("a speech.mp3"), model, response_format: "vtt" });
    assert.ok(vtt.startsWith("WEBVTT\n"), vtt);
  },

  async transcriptionStream() {
    const events = await client.audio.transcriptions.create({ file: await file("a speech.mp3"), model, stream: true });
    let pieces = "";
    let done;
    for await (const event of events) {
      if (event.type === "transcript.text.delta") pieces += event.delta;
      else done = event;
    }
    assert.equal(pieces, transcript);
    assert.equal(done.type, "transcript.text.done");
    assert.equal(done.text, transcript);
  },

  async speech() {
    const got = await client.audio.speech.create({ model, voice: "alloy", input: "hello there" });
    const sound = Buffer.from(await got.arrayBuffer());
    assert.equal(got.headers.get("content-type"), "audio/wav");
    assert.equal(sound.length, 44 + 400 * "hello there".length);
    assert.equal(sound.toString("latin1", 0, 4), "RIFF");
  },

  async images() {
    const got = await client.images.generate({ model, prompt: "a cat", n: 2 });
    assert.equal(got.data.length, 2);
    got.data.forEach((d) => isPNG(d.b64_json));
    const edited = await client.images.edit({ model, prompt: "a dog", image: [await file("1.png", "image/png"), await file("2.png", "image/png")] });
    isPNG(edited.data[0].b64_json);
  },

  async imageStream() {
    const events = await client.images.generate({ model, prompt: "a cat", stream: true, partial_images: 2 });
    const kinds = [];
    for await (const event of events) {
      kinds.push(event.type);
      isPNG(event.b64_json);
    }
    assert.deepEqual(kinds, ["image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"]);
  },

  // What breaks off is an error, never a short file or a stream that just ends.
  async cut() {
    const speech = await client.audio.speech.create({ model: "cut", voice: "alloy", input: "x" });
    await assert.rejects(speech.arrayBuffer());
    const events = await client.images.generate({ model: "cut", prompt: "x", stream: true });
    let n = 0;
    await assert.rejects(async () => {
      for await (const event of events) n += 1;
    }, OpenAI.APIError);
    assert.equal(n, 1);
  },

  async refused() {
    await assert.rejects(client.images.edit({ model: "nope", prompt: "x", image: await file("1.png", "image/png") }), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found");
    await assert.rejects(client.audio.speech.create({ model, voice: "alloy", input: "x".repeat(5000) }), OpenAI.BadRequestError);
  },
};

for (const [name, run] of Object.entries(cases)) {
  try {
    await run();
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exit(1);
  }
}
console.log("all cases passed");
