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
