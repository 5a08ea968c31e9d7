#!lua
--[[
Adds ids that are neither ready nor in flight, and moves parked ones to an earlier due time.

Guarantee: ids in flight, and those that are due, are left alone; nothing is due before the rest of a shard that was marked anew is over, whoever asks:
a process that has just gained the shard does not know of its loss. A repeated call changes nothing more.

KEYS[1] ready, KEYS[2] claims: see claim.lua
KEYS[3] rest: see mark.lua
ARGV    pairs: ms until due, id; at most 1000 pairs

Answers how many ids were absent.
]]
local ids, count = {}, #ARGV / 2
for i = 1, count do
  ids[i] = ARGV[2 * i]
end
local stored = redis.call('HMGET', KEYS[2], unpack(ids))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rest = tonumber(redis.call('GET', KEYS[3]) or 0)
local scores = redis.call('ZMSCORE', KEYS[1], unpack(ids))
local ready = {}
for i = 1, count do
  if not stored[i] and not (scores[i] and tonumber(scores[i]) <= now) then
    ready[#ready + 1] = math.max(now + ARGV[2 * i - 1], rest)
    ready[#ready + 1] = ids[i]
  end
end
if #ready == 0 then
  return 0
end
return redis.call('ZADD', KEYS[1], 'LT', unpack(ready))
