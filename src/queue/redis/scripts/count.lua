#!lua flags=allow-oom
--[[
Counts a shard. A script, because a plain read may be answered by a replica.

Guarantee: changes nothing.

KEYS[1] ready, KEYS[2] inflight: see claim.lua

Answers {ids ready or parked, ids in flight}.
]]
return { redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]) }
