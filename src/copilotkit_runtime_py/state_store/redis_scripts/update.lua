local owner = ARGV[1]
local thread = key('t', digest)
if redis.call('HGET', thread, 'owner') ~= owner then return {} end
if #ARGV > 1 then redis.call('HSET', thread, unpack(ARGV, 2)) end
local time = touch(digest, owner, clock())
local updated = redis.call('HMGET', thread, 'id', 'agent', 'name', 'archived', 'created')
updated[6] = time
return updated
