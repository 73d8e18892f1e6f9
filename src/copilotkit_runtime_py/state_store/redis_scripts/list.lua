local agent, archived, limit, after = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), ARGV[4]
local threads, below, found = key('o', digest), '+inf', {}
if after then
  local ran_at = redis.call('ZSCORE', threads, after)
  if not ran_at then return {} end
  below = '(' .. ran_at
end
while true do
  local page = redis.call('ZREVRANGEBYSCORE', threads, below, '-inf', 'WITHSCORES', 'LIMIT', 0, 200)
  if #page == 0 then return found end
  for i = 1, #page, 2 do
    if #found == limit then return found end
    local thread = listed(page[i], page[i + 1])
    local of_agent = agent == '' or thread[2] == string.sub(agent, 2)
    if thread[1] and of_agent and (archived or thread[4] ~= '1') then found[#found + 1] = thread end
  end
  below = '(' .. page[#page]
end
