local owner, number, run_id, started, producer, position, count, text, lease = unpack(ARGV)
local ending = #ARGV > 9
local thread, runs = key('t', digest), key('r', digest)
local kept = redis.call('HMGET', thread, 'owner', 'active', 'lease', 'length', 'first')
local run = redis.call('HMGET', runs, number .. ':p', number .. ':s', number .. ':a', number .. ':i',
  number .. ':t')

-- The run was deleted with its thread, or it is gone with the data of the server.
local function missing() return {'missing', redis.call('EXISTS', prefix .. ':version')} end

if kept[1] ~= owner or not run[1] then return missing() end
local stop = run[2] and 1 or 0
if kept[2] ~= number then
  if run[1] == producer then return {'ok', stop} end
  return run[4] == run_id and run[5] == started and {'lost'} or missing()
end
local now, length, grown = clock(), tonumber(kept[4]), 0
if run[1] ~= producer then
  -- A thread that was deleted may be there again, with another run of that number.
  if run[4] ~= run_id or run[5] ~= started then return missing() end
  if tonumber(kept[3]) > now then return {'lost'} end
end
local known = length - position
if known < 0 or tonumber(position) < 0 then return {'gap', length} end
if run[1] ~= producer then redis.call('HSET', runs, number .. ':p', producer) end
local added = math.max(count - known, 0)
if added > 0 then
  local from = 1
  for _ = 1, known do from = string.find(text, '\n', from, true) + 1 end
  if from > 1 then text = string.sub(text, from) end
  redis.call('XADD', key('l', digest .. ':' .. number), whole(length + 1) .. '-0', 'e', text)
  grown = #text - added + 1
  redis.call('HINCRBY', runs, number .. ':z', grown)
end
if not ending then
  redis.call('HSET', thread, 'lease', whole(now + lease), 'length', whole(length + added))
  if added > 0 then
    grow(digest, grown)
    signal(digest, 'e')
  end
  return {'ok', stop}
end

local state, compacted, max_age, max_threads, max_runs, max_bytes, changed_at, title = unpack(ARGV, 10)
local states, previous, first = key('s', digest), whole(number - 1), tonumber(kept[5])
grown = grown + #state - redis.call('HSTRLEN', states, run[3]) + #compacted
redis.call('HSET', states, run[3], state)
redis.call('HSET', runs, number .. ':c', compacted)
redis.call('HDEL', thread, 'active', 'lease', 'length')
grown = grown - (redis.call('HGET', runs, previous .. ':z') or 0)
redis.call('HDEL', runs, previous .. ':z')
redis.call('UNLINK', key('l', digest .. ':' .. previous))
if max_runs ~= '' and number - first + 1 > tonumber(max_runs) then
  local next = number - max_runs + 1
  for old = first, next - 1 do grown = grown - drop_run(digest, whole(old)) end
  redis.call('HSET', thread, 'first', whole(next))
end
grow(digest, grown)
call(digest, title)
touch_run(digest, owner, now, changed_at ~= '' and changed_at)
signal(digest, 'e')

local function too_much(changed)
  return max_age ~= '' and changed < now - max_age
    or max_threads ~= '' and redis.call('ZCARD', prefix .. ':threads') > tonumber(max_threads)
    or max_bytes ~= '' and tonumber(redis.call('GET', prefix .. ':size')) > tonumber(max_bytes)
end

-- What one run's end removes is bounded, for others wait meanwhile.
local function make_room()
  local skipped = 0
  for _ = 1, 1000 do
    local oldest = redis.call('ZRANGE', prefix .. ':threads', skipped, skipped, 'WITHSCORES')
    if not oldest[1] or not too_much(tonumber(oldest[2])) then return end
    if redis.call('HEXISTS', key('t', oldest[1]), 'active') == 1 then
      skipped = skipped + 1
    else
      drop_thread(oldest[1])
    end
  end
end

if max_age ~= '' or max_threads ~= '' or max_bytes ~= '' then make_room() end
return {'ok', stop}
