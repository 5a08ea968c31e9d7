#!lua flags=allow-oom
--[[
Claims ids whether they are due, parked or absent, each unless another token holds it.

Guarantee: under the same token again it only prolongs the lease, so that a repeated call does no harm.

Of each claim:
KEYS four: ready, inflight, claims, marker; see claim.lua
ARGV four: incarnation that the marker must hold, id, token, lease in ms

Answers of each 1 when the token holds the id now, 0 when another one does, -1 without the marker; a text where it failed.
]]
local now
local function claim(ready, inflight, claims, marker, incarnation, id, token, lease)
  if redis.call('GET', marker) ~= incarnation then
    return -1
  end
  local stored = redis.call('HGET', claims, id)
  if stored ~= token and stored ~= token .. '!' then
    if stored then
      local leaseEnd = redis.call('ZSCORE', inflight, id)
      if leaseEnd and tonumber(leaseEnd) > now then
        return 0
      end
    end
    redis.call('ZREM', ready, id)
    redis.call('HSET', claims, id, token)
  end
  redis.call('ZADD', inflight, now + lease, id)
  return 1
end

local time = redis.call('TIME')
now = time[1] * 1000 + math.floor(time[2] / 1000)
local replies = {}
for at = 1, #KEYS, 4 do
  local done, reply =
    pcall(claim, KEYS[at], KEYS[at + 1], KEYS[at + 2], KEYS[at + 3], ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  replies[#replies + 1] = done and reply or tostring(type(reply) == 'table' and reply.err or reply)
end
return replies
