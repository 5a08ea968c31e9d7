#!lua flags=allow-oom
--[[
Counts the ids of a shard. This is a script because a replica may answer a plain read.

Guarantee: changes nothing.

KEYS[1] ready, KEYS[2] inflight, KEYS[3] claims: see claim.lua

Returns {ids ready or parked, ids in flight}.
]]
-- The server may have evicted either inflight or claims alone.
return { redis.call('ZCARD', KEYS[1]), math.max(redis.call('ZCARD', KEYS[2]), redis.call('HLEN', KEYS[3])) }
