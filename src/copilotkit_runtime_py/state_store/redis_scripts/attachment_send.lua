local owner = ARGV[1]
if redis.call('HGET', key('t', digest), 'owner') ~= owner then return 0 end
local grown = 0
for i = 2, #ARGV do
  local file = key('a', ARGV[i])
  local kept = redis.call('HMGET', file, 'of', 'thread', 'size')
  if kept[1] == owner and not kept[2] then
    redis.call('HSET', file, 'thread', digest)
    redis.call('ZREM', prefix .. ':unsent', ARGV[i])
    redis.call('SADD', key('at', digest), ARGV[i])
    grown = grown + kept[3]
  end
end
if grown > 0 then grow(digest, grown) end
return 1
