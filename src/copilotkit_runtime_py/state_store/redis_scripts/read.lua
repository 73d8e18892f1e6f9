local owner, since, position, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
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
  return redis.call('XRANGE', stream, start, limit < 0 and '+' or whole(position + limit) .. '-0')
end

local read = {}
if limit >= 0 then last = math.min(last, since) end
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
