#!lua flags=allow-oom
--[[
Claims ids, whether due, parked or absent. A claim fails while another token holds its id.

Guarantee: a repeated claim under the same token only prolongs the lease. An id that was ready, or in flight under an
expired lease, keeps its place; an absent id is due now. While the shard rests, only absent ids can be claimed, because
the others may be running.

KEYS, four per claim: ready, inflight, claims, marker; see claim.lua
ARGV, four per claim: incarnation that the marker must hold, id, token, lease in ms

Returns one reply per claim: 1 if the token holds the id now, 0 if another token holds it, -1 if the marker does not
match, or the error message if the claim failed.
]]
local now
local function claim(ready, inflight, claims, marker, incarnation, id, token, lease)
  local mark, rests = redis.call('GET', marker), false
  if mark ~= incarnation then
    local size = #incarnation
    local rest = mark and string.sub(mark, 1, size) == incarnation and string.match(mark, '^!%d+:(%d+)$', size + 1)
    if not rest then
      return -1
    end
    rests = tonumber(rest) > now
  end
  local stored, due = redis.call('HGET', claims, id), nil
  if stored then
    local colon = string.find(stored, ':', 1, true) or 0
    mark = string.sub(stored, colon + #token + 1)
    if string.sub(stored, colon + 1, colon + #token) == token and (mark == '' or string.find(mark, '^!%d+$')) then
      redis.call('ZADD', inflight, now + lease, id)
      return 1
    end
    local leaseEnd = redis.call('ZSCORE', inflight, id)
    if not leaseEnd or tonumber(leaseEnd) > now or rests then
      return 0
    end
    due = tonumber(string.sub(stored, 1, colon - 1))
    mark = string.match(stored, '!(%d+)$')
    due = due and mark and math.min(due, mark) or due
  else
    due = redis.call('ZSCORE', ready, id)
    if due then
      if rests then
        return 0
      end
      redis.call('ZREM', ready, id)
    end
  end
  redis.call('HSET', claims, id, (due or now) .. ':' .. token)
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
