#!lua
--[[
Says that the shard has been rebuilt for an incarnation, and lets it rest: what has been due until now may be running with
a process that has not noticed yet that the server had lost it.

Guarantee: a rest that is under way is never cut short; what is due keeps its place, and what becomes due before the rest is
over rests, too: it may be parked in shards of another number. The rest is kept in the marker: a server that evicts keys loses
both or neither.

KEYS[1] ready, KEYS[2] marker: see claim.lua
ARGV[1] incarnation
ARGV[2] ms of the rest; 0: none beyond one that is under way
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
