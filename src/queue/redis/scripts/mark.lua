#!lua
--[[
Marks the shard as rebuilt for an incarnation and lets it rest: ids that are due by now may be running in a process that
has not yet noticed the loss on the server.

Guarantee: a rest under way is never shortened. Due ids keep their places. Ids that become due before the rest ends
rest, too, because they may have been parked under another shard count. The marker includes the rest, so an eviction
drops both or neither.

KEYS[1] ready, KEYS[2] marker: see claim.lua
ARGV[1] incarnation
ARGV[2] ms of the rest; 0: only a rest under way continues

Returns 1.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rests, first, last = tonumber(ARGV[2]) > 0, string.match(redis.call('GET', KEYS[2]) or '', '!(%d+):(%d+)$')
first, last = rests and now or tonumber(first) or now, math.max(tonumber(last) or 0, now + ARGV[2])
redis.call('SET', KEYS[2], last > now and ARGV[1] .. '!' .. first .. ':' .. last or ARGV[1])
if rests then
  local ids = redis.call('ZRANGE', KEYS[1], '(' .. now, last, 'BYSCORE')
  for i = 1, #ids do
    redis.call('ZADD', KEYS[1], now, ids[i])
  end
end
return 1
