#!lua flags=allow-oom
--[[
Removes a member.

Guarantee: a repeated call does nothing; the last member to leave removes the keys.

KEYS[1] members, KEYS[2] infos, KEYS[3] store: see heartbeat.lua
ARGV[1] member

Answers 1 when the member was in, else 0.
]]
redis.call('HDEL', KEYS[2], ARGV[1])
local removed = redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('ZCARD', KEYS[1]) == 0 then redis.call('DEL', KEYS[3]) end
return removed
