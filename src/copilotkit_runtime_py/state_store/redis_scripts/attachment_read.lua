return redis.call('HGET', key('ap', digest), ARGV[1])
