#!lua
--[[
Adds absent ids to ready, and moves parked ids to an earlier due time. If the process knows of a loss, a marked shard
rests, because the added ids may be running. A shard without a marker begins its rest with mark.lua.

Guarantee: ids that are due or in flight stay as they are. Ids that become due during a rest rest, too, because they may
have been parked under another shard count. A repeated call has no further effect.

KEYS[1] ready, KEYS[2] claims, KEYS[3] marker: see claim.lua
ARGV[1] ms of the rest; 0: only a rest under way continues
ARGV[2] and following: at most 1000 pairs of ms until due, id

Returns the ids that were absent.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local marker = redis.call('GET', KEYS[3]) or ''
local from, last = string.match(marker, '!(%d+):(%d+)$')
from, last = tonumber(from) or 0, tonumber(last) or 0
-- Processes that report the same loss ask for almost the same end: a difference of up to 100 ms extends no rest.
if tonumber(ARGV[1]) > 0 and marker ~= '' and last < now + ARGV[1] - 100 then
  from, last = now, now + ARGV[1]
  redis.call('SET', KEYS[3], string.gsub(marker, '!%d+:%d+$', '') .. '!' .. from .. ':' .. last)
end
local ids, count = {}, (#ARGV - 1) / 2
for i = 1, count do
  ids[i] = ARGV[2 * i + 1]
end
local stored = redis.call('HMGET', KEYS[2], unpack(ids))
local scores = redis.call('ZMSCORE', KEYS[1], unpack(ids))
local ready, absent, added = {}, {}, {}
for i = 1, count do
  if not stored[i] and not (scores[i] and tonumber(scores[i]) <= now) then
    local due = now + ARGV[2 * i]
    ready[#ready + 1] = now < last and due <= last and math.min(due, from) or due
    ready[#ready + 1] = ids[i]
    if not scores[i] and not added[ids[i]] then
      added[ids[i]] = true
      absent[#absent + 1] = ids[i]
    end
  end
end
if #ready > 0 then
  redis.call('ZADD', KEYS[1], 'LT', unpack(ready))
end
return absent
