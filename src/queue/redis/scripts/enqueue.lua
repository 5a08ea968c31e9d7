#!lua
--[[
Adds ids to ready, or moves them to an earlier due time; marks those in flight again that are due now.

Guarantee: an id that is due now is ready afterwards, or becomes ready when its claim ends. A repeated call changes
nothing more.

KEYS[1] ready, KEYS[2] claims: see claim.lua
ARGV    pairs: ms until due (zero or less: now), id; at most 1000 pairs

Answers {id, token, id, token ...} of the ids marked again.
]]
local ids, count = {}, #ARGV / 2
for i = 1, count do
  ids[i] = ARGV[2 * i]
end
local stored = redis.call('HMGET', KEYS[2], unpack(ids))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ready, marks, held = {}, {}, {}
for i = 1, count do
  local token = stored[i]
  if not token then
    ready[#ready + 1] = now + ARGV[2 * i - 1]
    ready[#ready + 1] = ids[i]
  elseif tonumber(ARGV[2 * i - 1]) <= 0 then
    if string.byte(token, -1) == 33 then
      token = string.sub(token, 1, -2)
    else
      marks[#marks + 1] = ids[i]
      marks[#marks + 1] = token .. '!'
    end
    held[#held + 1] = ids[i]
    held[#held + 1] = token
  end
end
if #ready > 0 then
  redis.call('ZADD', KEYS[1], 'LT', unpack(ready))
end
if #marks > 0 then
  redis.call('HSET', KEYS[2], unpack(marks))
end
return held
