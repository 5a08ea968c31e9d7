#!lua
--[[
Adds ids to ready in several shards, or moves them to an earlier due time. If an id in flight is due now, the script
marks it again.

Guarantee: an id that is due now is ready afterwards, or becomes ready when its claim ends. A repeated call has no
further effect.

KEYS, two per shard: ready, claims; see claim.lua
ARGV, per shard: the number of pairs, at most 1000, then the pairs: ms until due (zero or less: now), id

Returns one reply per shard: {id, token, id, token ...} for the marked ids whose holder is known, or the error message
if the shard failed.
]]
local now
local function enqueue(readyKey, claimsKey, first, last)
  local ids = {}
  for at = first + 1, last, 2 do
    ids[#ids + 1] = ARGV[at]
  end
  local stored = redis.call('HMGET', claimsKey, unpack(ids))
  local ready, marks, held = {}, {}, {}
  for i = 1, #ids do
    local claim, delay = stored[i], tonumber(ARGV[first + 2 * i - 2])
    if not claim then
      ready[#ready + 1] = now + delay
      ready[#ready + 1] = ids[i]
    elseif delay <= 0 then
      -- An earlier mark stays.
      local mark = string.find(claim, '!%d+$')
      if not mark then
        marks[#marks + 1] = ids[i]
        marks[#marks + 1] = claim .. '!' .. now
      end
      local token = string.sub(claim, (string.find(claim, ':', 1, true) or 0) + 1, mark and mark - 1)
      if token ~= '' then
        held[#held + 1] = ids[i]
        held[#held + 1] = token
      end
    end
  end
  if #ready > 0 then
    redis.call('ZADD', readyKey, 'LT', unpack(ready))
  end
  if #marks > 0 then
    redis.call('HSET', claimsKey, unpack(marks))
  end
  return held
end

local time = redis.call('TIME')
now = time[1] * 1000 + math.floor(time[2] / 1000)
local replies, at = {}, 1
for key = 1, #KEYS, 2 do
  local last = at + 2 * ARGV[at]
  local done, reply = pcall(enqueue, KEYS[key], KEYS[key + 1], at + 1, last)
  replies[#replies + 1] = done and reply or tostring(type(reply) == 'table' and reply.err or reply)
  at = last + 1
end
return replies
