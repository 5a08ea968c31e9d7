#!lua flags=allow-oom
--[[
Removes a member.

Guarantee: a repeated call does nothing; no key remains after the last member has left.

KEYS[1] members, KEYS[2] infos, KEYS[3] store: see heartbeat.lua
ARGV[1] member

Returns 1 if the member was known, otherwise 0.
]]
redis.call('HDEL', KEYS[2], ARGV[1])
local removed = redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('ZCARD', KEYS[1]) == 0 then redis.call('DEL', KEYS[3]) end
return removed
