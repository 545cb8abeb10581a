-- For wrk: sends the bodies in the file that BODIES names, one after the other, and prints what was seen as JSON.
local bodies, place = {}, 0
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
local headers = { ["Content-Type"] = "application/json" }

function request()
  place = place % #bodies + 1
  return wrk.format("POST", "/predict", headers, bodies[place])
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.3f, "errors": %d, "p50": %.1f, "p99": %.1f}\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
