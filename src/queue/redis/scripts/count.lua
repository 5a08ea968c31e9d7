#!lua flags=allow-oom
--[[
Counts a shard. A script, because a plain read may be answered by a replica.

Guarantee: changes nothing.

KEYS[1] ready, KEYS[2] inflight, KEYS[3] claims: see claim.lua

Answers {ids ready or parked, ids in flight}.
]]
-- Either of the last two may have been evicted alone.
return { redis.call('ZCARD', KEYS[1]), math.max(redis.call('ZCARD', KEYS[2]), redis.call('HLEN', KEYS[3])) }
