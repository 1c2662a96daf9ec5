-- Removes a ceremony and returns its payload.
-- KEYS: the ceremony, the index. ARGV: run, id.
local run = ARGV[1]
if run == '' then
    run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end
local stored = redis.call('GETDEL', KEYS[1])
if not stored then
    return false
end
redis.call('ZREM', KEYS[2], ARGV[2])
-- A ceremony of another run of Redis may have been taken there: it is back from a snapshot, or from a replica that
-- had not heard of it.
if string.sub(stored, 1, #run) ~= run then
    return false
end
return string.sub(stored, #run + 1)
