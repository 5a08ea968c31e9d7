#!lua
--[[
Adds a ring to a member's bell, a sorted set from which the member's process pops.

Guarantee: two rings with the same text become one, with the earlier due time. A full bell drops the rings due last. A
bell expires without new rings if its member does not pop them.

KEYS[1] bell     sorted set: text of a ring by ms until it is due
ARGV[1] text of the ring
ARGV[2] ms until it is due
ARGV[3] maximum number of rings in a bell
ARGV[4] ms after the latest ring until the bell expires

Returns the number of rings in the bell before the bound applies.
]]
redis.call('ZADD', KEYS[1], 'LT', ARGV[2], ARGV[1])
local kept = redis.call('ZCARD', KEYS[1])
if kept > tonumber(ARGV[3]) then
  redis.call('ZREMRANGEBYRANK', KEYS[1], ARGV[3], -1)
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return kept
