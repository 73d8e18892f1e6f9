"""The Lua scripts of the Redis store: each is one step, which no other client sees half done.

Every script takes in KEYS the prefix of the keys, the prefix of the channels, and the digest of the thread
or owner that it is about. Under the prefix there are

    version             the version of this layout
    size                bytes of events and states, over all threads
    threads             zset of all threads by the time of their last change
    o:OWNER             the same for the threads of an owner
    t:THREAD            hash: id, owner, agent, name, archived, created, size, the numbers of the `first`
                        run that is kept and of the `last`; of a run in progress its number (`active`), the
                        end of its `lease` and the `length` of its log
    s:THREAD            hash: each agent's last state, as JSON
    r:THREAD            hash of the runs, with the run's number in front: N:i id, N:a agent, N:t start,
                        N:p producer, N:s asked to stop, N:c compacted log, N:z bytes of the log
    l:THREAD:N          stream: the log of a run. An entry holds the events of one write, one a line. Its id
                        is the place of the first of them, from 1

Times are microseconds since 1970 by the server's clock, so that those of all workers agree. OWNER and THREAD
are digests: whatever an id contains, it is a part of a key that no other id is.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 1
"""The version of the layout."""

_COMMON = """
local prefix, channels, digest = KEYS[1], KEYS[2], KEYS[3]

local function key(kind, name) return prefix .. ':' .. kind .. ':' .. name end

local function whole(number) return string.format('%.0f', number) end

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function signal(thread, what) redis.call('PUBLISH', channels .. thread, what) end

-- Has a thread changed now, after all others, or at the time given. No two threads of an owner have changed
-- at the same time.
local function touch(thread, owner, now, at)
  local of_owner, time = key('o', owner), at
  if at then
    redis.call('ZREM', of_owner, thread)
    while redis.call('ZCOUNT', of_owner, time, time) > 0 do time = whole(time + 1) end
  else
    local newest = redis.call('ZREVRANGE', of_owner, 0, 0, 'WITHSCORES')[2]
    time = whole(math.max(now, newest and tonumber(newest) + 1 or 0))
  end
  redis.call('ZADD', key('o', owner), time, thread)
  redis.call('ZADD', prefix .. ':threads', time, thread)
  return time
end

local function grow(thread, bytes)
  redis.call('HINCRBY', key('t', thread), 'size', whole(bytes))
  redis.call('INCRBY', prefix .. ':size', whole(bytes))
end

-- Removes a run and returns the bytes that it took.
local function drop_run(thread, number)
  local run = key('r', thread)
  local bytes = redis.call('HSTRLEN', run, number .. ':c') + (redis.call('HGET', run, number .. ':z') or 0)
  local fields = {}
  for i, field in ipairs({'i', 'a', 't', 'p', 's', 'c', 'z'}) do fields[i] = number .. ':' .. field end
  redis.call('HDEL', run, unpack(fields))
  redis.call('UNLINK', key('l', thread .. ':' .. number))
  return bytes
end

local function drop_thread(thread)
  local kept = redis.call('HMGET', key('t', thread), 'owner', 'last', 'size')
  redis.call('ZREM', prefix .. ':threads', thread)
  if not kept[1] then return end
  redis.call('ZREM', key('o', kept[1]), thread)
  redis.call('DECRBY', prefix .. ':size', kept[3])
  local last = tonumber(kept[2])
  redis.call('UNLINK', key('t', thread), key('r', thread), key('s', thread),
    key('l', thread .. ':' .. whole(last)), key('l', thread .. ':' .. whole(last - 1)))
  signal(thread, 'e')
end
"""

BEGIN: Final = (
    _COMMON
    + """
local owner, id, agent, run_id, producer, started, lease, version = unpack(ARGV)
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
touch(digest, owner, now)
return {'ok', number}
"""
)

APPEND: Final = (
    _COMMON
    + """
local owner, number, run_id, started, producer, position, count, text, lease = unpack(ARGV)
local ending = #ARGV > 9
local thread, runs = key('t', digest), key('r', digest)
local kept = redis.call('HMGET', thread, 'owner', 'active', 'lease', 'length', 'first')
local run = redis.call('HMGET', runs, number .. ':p', number .. ':s', number .. ':a', number .. ':i',
  number .. ':t')
if kept[1] ~= owner or not run[1] then return {'lost'} end
local stop = run[2] and 1 or 0
if kept[2] ~= number then return run[1] == producer and {'ok', stop} or {'lost'} end
local now, length, grown = clock(), tonumber(kept[4]), 0
if run[1] ~= producer then
  -- A thread that was deleted may be there again, with another run of that number.
  if tonumber(kept[3]) > now or run[4] ~= run_id or run[5] ~= started then return {'lost'} end
end
local known = length - position
if known < 0 or tonumber(position) < 0 then return {'gap', length} end
if run[1] ~= producer then redis.call('HSET', runs, number .. ':p', producer) end
local added = math.max(count - known, 0)
if added > 0 then
  local from = 1
  for _ = 1, known do from = string.find(text, '\\n', from, true) + 1 end
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

local state, compacted, max_age, max_threads, max_runs, max_bytes, changed_at = unpack(ARGV, 10)
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
touch(digest, owner, now, changed_at ~= '' and changed_at)
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
"""
)

STOP: Final = (
    _COMMON
    + """
local owner, run_id = unpack(ARGV)
local kept = redis.call('HMGET', key('t', digest), 'owner', 'active', 'lease')
if kept[1] ~= owner or not kept[2] or tonumber(kept[3]) <= clock() then return 0 end
local runs = key('r', digest)
if run_id and redis.call('HGET', runs, kept[2] .. ':i') ~= run_id then return 0 end
redis.call('HSET', runs, kept[2] .. ':s', 1)
signal(digest, 's')
return 1
"""
)

READ: Final = (
    _COMMON
    + """
local owner, since, position = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', key('t', digest), 'owner', 'first', 'last', 'active', 'lease')
if kept[1] ~= owner then return {} end
local last, active, runs = tonumber(kept[3]), tonumber(kept[4]), key('r', digest)
if since < 0 then since = last + 1 + since end
local first_whole = active and active - 1 or last

local function log(number, from)
  local stream = key('l', digest .. ':' .. whole(number))
  local start = '-'
  if from > 0 then
    local holder = redis.call('XREVRANGE', stream, whole(from + 1) .. '-0', '-', 'COUNT', 1)[1]
    start = holder and holder[1] or '-'
  end
  return redis.call('XRANGE', stream, start, '+')
end

local read = {}
for number = math.max(since, tonumber(kept[2])), last do
  local n = whole(number) .. ':'
  local run = redis.call('HMGET', runs, n .. 'i', n .. 'a', n .. 't', n .. 'p')
  local lease = number == active and whole(kept[5] - clock())
  if number < first_whole then
    read[#read + 1] = {number, run, false, redis.call('HGET', runs, n .. 'c')}
  else
    read[#read + 1] = {number, run, lease, false, log(number, number == since and position or 0)}
  end
end
return read
"""
)

STATE: Final = (
    _COMMON
    + """
local owner, agent = unpack(ARGV)
local found = redis.call('HGET', key('t', digest), 'owner')
if found and found ~= owner then return {'missing'} end
return {'ok', found and redis.call('HGET', key('s', digest), agent)}
"""
)

LIST: Final = (
    _COMMON
    + """
local agent, archived, limit, after = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), ARGV[4]
local threads, below, listed = key('o', digest), '+inf', {}
if after then
  local changed = redis.call('ZSCORE', threads, after)
  if not changed then return {} end
  below = '(' .. changed
end
while true do
  local page = redis.call('ZREVRANGEBYSCORE', threads, below, '-inf', 'WITHSCORES', 'LIMIT', 0, 200)
  if #page == 0 then return listed end
  for i = 1, #page, 2 do
    if #listed == limit then return listed end
    local thread = redis.call('HMGET', key('t', page[i]), 'id', 'agent', 'name', 'archived', 'created')
    local of_agent = agent == '' or thread[2] == string.sub(agent, 2)
    if thread[1] and of_agent and (archived or thread[4] ~= '1') then
      thread[6] = page[i + 1]
      listed[#listed + 1] = thread
    end
  end
  below = '(' .. page[#page]
end
"""
)

UPDATE: Final = (
    _COMMON
    + """
local owner = ARGV[1]
local thread = key('t', digest)
if redis.call('HGET', thread, 'owner') ~= owner then return {} end
if #ARGV > 1 then redis.call('HSET', thread, unpack(ARGV, 2)) end
local time = touch(digest, owner, clock())
local updated = redis.call('HMGET', thread, 'id', 'agent', 'name', 'archived', 'created')
updated[6] = time
return updated
"""
)

DELETE: Final = (
    _COMMON
    + """
if redis.call('HGET', key('t', digest), 'owner') ~= ARGV[1] then return 0 end
drop_thread(digest)
return 1
"""
)
