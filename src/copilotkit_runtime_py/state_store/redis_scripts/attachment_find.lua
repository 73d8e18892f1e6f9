local file = redis.call('HMGET', key('a', digest), 'id', 'owner', 'type', 'name', 'size', 'created', 'complete')
if not file[7] then return {} end
file[7] = nil
return file
