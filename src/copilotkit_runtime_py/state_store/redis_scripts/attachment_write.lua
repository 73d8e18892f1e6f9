if redis.call('EXISTS', key('a', digest)) == 1 then redis.call('HSET', key('ap', digest), ARGV[1], ARGV[2]) end
return 1
