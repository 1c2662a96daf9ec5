-- Stores a ceremony under a fresh id, where the bound allows it.
-- KEYS: the ceremony, the index. ARGV: run, id, now, end, milliseconds until Redis drops it, bound, payload.
-- The index has the pending ids by their ends; the ceremonies themselves are dropped by Redis alone.
local run = ARGV[1]
if run == '' then
    run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end
-- Nothing counts as over before both clocks say so: a process that is fast cannot shrink what the others have pending.
local now = tonumber(ARGV[3])
local time = redis.call('TIME')
local ours = time[1] * 1000 + math.floor(time[2] / 1000)
if ours < now then
    now = ours
end
now = string.format('%.0f', now)
local over = redis.call('ZRANGE', KEYS[2], '-inf', now, 'BYSCORE', 'LIMIT', 0, 64)
if #over > 0 then
    redis.call('ZREM', KEYS[2], unpack(over))
end
if redis.call('ZCOUNT', KEYS[2], '(' .. now, '+inf') >= tonumber(ARGV[6]) then
    return 0
end
if not redis.call('SET', KEYS[1], run .. ARGV[7], 'PX', ARGV[5], 'NX') then
    return -1
end
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[5]) then
    redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
return 1
