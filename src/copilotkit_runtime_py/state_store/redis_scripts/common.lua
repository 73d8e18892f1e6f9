-- The Lua scripts of the Redis store: each is one step, which no other client sees half done. This file precedes
-- each of them.
--
-- A script takes in KEYS the prefix of the keys, the prefix of the channels, and the digest of the thread or
-- owner that it is about. Under the prefix there are
--
--     version             the version of this layout
--     size                bytes of events and states, over all threads
--     threads             zset of all threads by the time of their last change
--     o:OWNER             zset of an owner's threads by the time at which their last run began or ended
--     t:THREAD            hash: id, owner, agent, name, archived, created, size, the numbers of the `first`
--                         run that is kept and of the `last`; of a run in progress its number (`active`), the
--                         end of its `lease` and the `length` of its log
--     s:THREAD            hash: each agent's last state, as JSON
--     r:THREAD            hash of the runs, with the run's number in front: N:i id, N:a agent, N:t start,
--                         N:p producer, N:s asked to stop, N:c compacted log, N:z bytes of the log
--     l:THREAD:N          stream: the log of a run. An entry holds the events of one write, one a line. Its id
--                         is the place of the first of them, from 1
--     key                 the secret that all workers share
--     unsent              zset of the files without a thread by the time at which their uploads began
--     a:FILE              hash: id, owner, type, name, size, created, the digests of the owner (`of`) and of the
--                         thread (`thread`), and whether it is `complete`
--     ap:FILE             hash of its parts by their numbers
--     ao:OWNER            hash: the sizes of an owner's files
--     at:THREAD           set of the files of a thread
--
-- Times are microseconds since 1970 by the server's clock, so that those of all workers agree. OWNER, THREAD
-- and FILE are digests: whatever an id contains, it is a part of a key that no other id is.

local prefix, channels, digest = KEYS[1], KEYS[2], KEYS[3]

local function key(kind, name) return prefix .. ':' .. kind .. ':' .. name end

local function whole(number) return string.format('%.0f', number) end

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function signal(thread, what) redis.call('PUBLISH', channels .. thread, what) end

-- Gives a thread a name, if it has none.
local function call(thread, title)
  if title ~= '' then redis.call('HSETNX', key('t', thread), 'name', title) end
end

-- Has a run of a thread begun or ended now, after all others, or at the time given. No two threads of an owner
-- have the same time.
local function touch_run(thread, owner, now, at)
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
end

-- Returns what a list shows of a thread.
local function listed(thread, ran_at)
  local fields = redis.call('HMGET', key('t', thread), 'id', 'agent', 'name', 'archived', 'created')
  fields[6], fields[7] = redis.call('ZSCORE', prefix .. ':threads', thread), ran_at
  return fields
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

local function drop_attachment(file)
  local of = redis.call('HGET', key('a', file), 'of')
  if of then redis.call('HDEL', key('ao', of), file) end
  redis.call('ZREM', prefix .. ':unsent', file)
  redis.call('UNLINK', key('a', file), key('ap', file))
end

local function drop_thread(thread)
  local kept = redis.call('HMGET', key('t', thread), 'owner', 'last', 'size')
  redis.call('ZREM', prefix .. ':threads', thread)
  if not kept[1] then return end
  redis.call('ZREM', key('o', kept[1]), thread)
  redis.call('DECRBY', prefix .. ':size', kept[3])
  for _, file in ipairs(redis.call('SMEMBERS', key('at', thread))) do drop_attachment(file) end
  local last = tonumber(kept[2])
  redis.call('UNLINK', key('t', thread), key('r', thread), key('s', thread),
    key('at', thread), key('l', thread .. ':' .. whole(last)), key('l', thread .. ':' .. whole(last - 1)))
  signal(thread, 'e')
end
