local owner, id, agent, run_id, producer, started, lease, version, title = unpack(ARGV)
local thread, runs = key('t', digest), key('r', digest)
redis.call('SET', prefix .. ':version', version, 'NX')
local found = redis.call('GET', prefix .. ':version')
if found ~= version then return {'version', found} end
local kept = redis.call('HMGET', thread, 'owner', 'active', 'last')
if kept[1] and kept[1] ~= owner then return {'missing'} end
if kept[2] then
  if redis.call('HGET', runs, kept[2] .. ':p') == producer then return {'ok', tonumber(kept[2])} end
  return {'busy'}
end
local now = clock()
if not kept[1] then
  redis.call('UNLINK', runs, key('s', digest))
  redis.call('HSET', thread, 'id', id, 'owner', owner, 'created', started, 'first', 1, 'size', 0)
end
local number = (kept[3] or 0) + 1
redis.call('UNLINK', key('l', digest .. ':' .. number))
redis.call('HSET', thread, 'agent', agent, 'active', number, 'last', number, 'length', 0,
  'lease', whole(now + lease))
redis.call('HSET', runs, number .. ':i', run_id, number .. ':a', agent, number .. ':t', started,
  number .. ':p', producer, number .. ':z', 0)
call(digest, title)
touch_run(digest, owner, now)
return {'ok', number}
