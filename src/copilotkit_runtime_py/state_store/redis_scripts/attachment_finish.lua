if redis.call('EXISTS', key('a', digest)) == 1 then redis.call('HSET', key('a', digest), 'complete', 1) end
return 1
