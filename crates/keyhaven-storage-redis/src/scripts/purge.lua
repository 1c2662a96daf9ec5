-- Drops ids that are over from the index, at most so many, and tells how many.
-- KEYS: the index. ARGV: run, now, limit.
local now = tonumber(ARGV[2])
local time = redis.call('TIME')
local ours = time[1] * 1000 + math.floor(time[2] / 1000)
if ours < now then
    now = ours
end
local over = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, ARGV[3])
for first = 1, #over, 1000 do
    redis.call('ZREM', KEYS[1], unpack(over, first, math.min(first + 999, #over)))
end
return #over
