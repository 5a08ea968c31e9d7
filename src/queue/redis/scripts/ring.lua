#!lua
--[[
Rings a member's bell: a sorted set that its process pops from.

Guarantee: the same ring twice is one, with the earlier time. The bell is bounded, the latest rings are dropped first, and it
vanishes by itself when its member does not listen.

KEYS[1] bell     sorted set: text of a ring by ms until it is due
ARGV[1] text of the ring
ARGV[2] ms until it is due
ARGV[3] bound of the rings in a bell
ARGV[4] ms after which a bell is forgotten

Answers how many rings the bell keeps.
]]
redis.call('ZADD', KEYS[1], 'LT', ARGV[2], ARGV[1])
local kept = redis.call('ZCARD', KEYS[1])
if kept > tonumber(ARGV[3]) then
  redis.call('ZREMRANGEBYRANK', KEYS[1], ARGV[3], -1)
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return kept
