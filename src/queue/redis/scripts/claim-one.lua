#!lua flags=allow-oom
--[[
Claims one id whether it is due, parked or absent, unless another token holds it.

Guarantee: under the same token again it only prolongs the lease, so that a repeated call does no harm.

KEYS[1] ready, KEYS[2] inflight, KEYS[3] claims, KEYS[4] marker: see claim.lua
ARGV[1] incarnation that the marker must hold
ARGV[2] id
ARGV[3] token
ARGV[4] lease in ms

Answers 1 when the token holds the id now, 0 when another one does, -1 without the marker.
]]
if redis.call('GET', KEYS[4]) ~= ARGV[1] then
  return -1
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id, token = ARGV[2], ARGV[3]
local stored = redis.call('HGET', KEYS[3], id)
if stored ~= token and stored ~= token .. '!' then
  if stored then
    local leaseEnd = redis.call('ZSCORE', KEYS[2], id)
    if leaseEnd and tonumber(leaseEnd) > now then
      return 0
    end
  end
  redis.call('ZREM', KEYS[1], id)
  redis.call('HSET', KEYS[3], id, token)
end
redis.call('ZADD', KEYS[2], now + ARGV[4], id)
return 1
