-- Asks for the given paths (or posts the given bodies) one after another, and says at the end what came of it.
-- wrk ... -- PATH_FILE [BODY_FILE]

local requests = {}
local next_request = 0

function init(args)
    local paths = {}
    for path in io.lines(args[1]) do paths[#paths + 1] = path end
    if args[2] then
        local headers = { ["Content-Type"] = "application/json" }
        for body in io.lines(args[2]) do
            requests[#requests + 1] = wrk.format("POST", paths[1], headers, body)
        end
    else
        for _, path in ipairs(paths) do requests[#requests + 1] = wrk.format("GET", path) end
    end
end

function request()
    next_request = next_request % #requests + 1
    return requests[next_request]
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format(
        '\nRESULT {"requests": %d, "bytes": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "errors": %d}\n',
        summary.requests, summary.bytes, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
