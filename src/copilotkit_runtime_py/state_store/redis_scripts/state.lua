local owner, agent = unpack(ARGV)
local found = redis.call('HGET', key('t', digest), 'owner')
if found and found ~= owner then return {'missing'} end
return {'ok', found and redis.call('HGET', key('s', digest), agent)}
