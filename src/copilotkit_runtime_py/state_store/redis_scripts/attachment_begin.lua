local id, of, owner, media_type, size, created, since, max_files, max_bytes, filename = unpack(ARGV)
local unsent, sizes = prefix .. ':unsent', key('ao', of)
-- What one upload deletes is bounded, for others wait meanwhile.
for _, old in ipairs(redis.call('ZRANGEBYSCORE', unsent, '-inf', '(' .. since, 'LIMIT', 0, 100)) do
  drop_attachment(old)
end
if max_files ~= '' and redis.call('HLEN', sizes) >= tonumber(max_files) then return 0 end
local total = tonumber(size)
for _, each in ipairs(redis.call('HVALS', sizes)) do total = total + each end
if max_bytes ~= '' and total > tonumber(max_bytes) then return 0 end
redis.call('HSET', key('a', digest), 'id', id, 'of', of, 'owner', owner, 'type', media_type, 'size', size,
  'created', created)
if filename then redis.call('HSET', key('a', digest), 'name', filename) end
redis.call('HSET', sizes, digest, size)
redis.call('ZADD', unsent, created, digest)
return 1
