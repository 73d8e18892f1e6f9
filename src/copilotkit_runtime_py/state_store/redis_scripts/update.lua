local owner = ARGV[1]
local thread = key('t', digest)
if redis.call('HGET', thread, 'owner') ~= owner then return {} end
if #ARGV > 1 then redis.call('HSET', thread, unpack(ARGV, 2)) end
local ran_at = redis.call('ZSCORE', key('o', owner), digest)
redis.call('ZADD', prefix .. ':threads', whole(math.max(clock(), ran_at)), digest)
return listed(digest, ran_at)
