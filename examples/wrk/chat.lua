-- Load on a Berry of your own, with wrk:
--
--   BERRY_TOKEN=... wrk -t2 -c50 -d10s --latency -s examples/wrk/chat.lua http://127.0.0.1:3000/v1/chat/completions
--
-- BERRY_MODEL is the model to ask (demo-weighted unless set), BERRY_STREAM=1 asks for streams. Whatever
-- is behind Berry gets this load too: put `berry-cli mock` there, or the demo, and not a provider that
-- charges for it.

local token = os.getenv("BERRY_TOKEN") or error("set BERRY_TOKEN to a user's token")
local model = os.getenv("BERRY_MODEL") or "demo-weighted"
local stream = os.getenv("BERRY_STREAM") == "1"

wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer " .. token
wrk.headers["Content-Type"] = "application/json"
wrk.body = string.format('{"model":"%s","stream":%s,"messages":[{"role":"user","content":"Hello"}]}', model, tostring(stream))

-- Each thread has its own variables; done reads them at the end.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init()
  answers = {}
end

function response(status)
  answers[status] = (answers[status] or 0) + 1
end

function done(summary, latency)
  local all = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("answers")) do
      all[status] = (all[status] or 0) + count
    end
  end
  local statuses = {}
  for status in pairs(all) do
    table.insert(statuses, status)
  end
  table.sort(statuses)
  for _, status in ipairs(statuses) do
    print(string.format("status %d: %d", status, all[status]))
  end
  local e = summary.errors
  print(string.format("connection errors: %d, timeouts: %d", e.connect + e.read + e.write, e.timeout))
  print(string.format("ms to the whole answer: p50 %.1f, p99 %.1f", latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
