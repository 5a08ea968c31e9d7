#!lua
--[[
Says that the shard has been rebuilt for an incarnation, and lets nothing in it be due before a given time: what looks
ready may be running with somebody who has not noticed yet that the server had lost it.

Guarantee: repeated, it changes nothing more than to put off what has become due meanwhile.

KEYS[1] ready, KEYS[2] marker: see claim.lua
KEYS[3] rest: the time before which nothing in it is due, in ms since 1970; gone once it is over
ARGV[1] incarnation
ARGV[2] ms until the first id may be due; 0 leaves them as they are
]]
local wait = tonumber(ARGV[2])
if wait > 0 then
  local time = redis.call('TIME')
  local first = time[1] * 1000 + math.floor(time[2] / 1000) + wait
  local ids = redis.call('ZRANGE', KEYS[1], '-inf', '(' .. first, 'BYSCORE')
  for at = 1, #ids, 1000 do
    local later = {}
    for i = at, math.min(at + 999, #ids) do
      later[#later + 1] = first
      later[#later + 1] = ids[i]
    end
    redis.call('ZADD', KEYS[1], unpack(later))
  end
  local rest = redis.call('GET', KEYS[3])
  if not rest or tonumber(rest) < first then
    redis.call('SET', KEYS[3], first, 'PX', wait)
  end
end
redis.call('SET', KEYS[2], ARGV[1])
return 1
