-- Takes one from each bucket, or from none (the generic cell rate algorithm).
-- KEYS: the buckets. ARGV: run, and for each bucket how many it holds and regains in a minute.
-- A bucket is the moment at which it is full again, in microseconds of this server's clock, and is gone from then on.
-- Returns 0, or the microseconds until the first empty bucket has one again.
local MINUTE = 60000000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stored = redis.call('MGET', unpack(KEYS))
local full = {}
for i = 1, #KEYS do
    local at = tonumber(stored[i]) or 0
    if at < now then
        at = now
    end
    -- A clock that was set back must not keep anybody out for longer than a minute.
    if at > now + MINUTE then
        at = now + MINUTE
    end
    full[i] = at + math.max(1, math.floor(MINUTE / tonumber(ARGV[i + 1])))
    if full[i] > now + MINUTE then
        return full[i] - now - MINUTE
    end
end
for i = 1, #KEYS do
    local left = math.ceil((full[i] - now) / 1000)
    redis.call('SET', KEYS[i], string.format('%.0f', full[i]), 'PX', string.format('%.0f', left))
end
return 0
