local owner, run_id = unpack(ARGV)
local kept = redis.call('HMGET', key('t', digest), 'owner', 'active', 'lease')
if kept[1] ~= owner or not kept[2] or tonumber(kept[3]) <= clock() then return 0 end
local runs = key('r', digest)
if run_id and redis.call('HGET', runs, kept[2] .. ':i') ~= run_id then return 0 end
redis.call('HSET', runs, kept[2] .. ':s', 1)
signal(digest, 's')
signal('stops', redis.call('HGET', runs, kept[2] .. ':p'))
return 1
