if redis.call('HGET', key('t', digest), 'owner') ~= ARGV[1] then return 0 end
drop_thread(digest)
return 1
