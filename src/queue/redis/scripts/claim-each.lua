#!lua flags=allow-oom
--[[
Claims distinct ids in several shards, whether due, parked or absent. The claim of an id fails while another token holds
the id.

Guarantee: a repeated claim under the same token only prolongs the lease. An id that was ready, or in flight under an
expired lease, keeps its place; an absent id is due now. While the shard rests, only absent ids can be claimed, because
the others may be running.

KEYS, four per shard: ready, inflight, claims, marker; see claim.lua
ARGV, per shard: the number of ids, at most 1000; incarnation that the marker must hold; lease in ms; process: prefix of
its tokens; number of the first token; then the ids, whose tokens have consecutive numbers

Returns one reply per shard: a list with 1 per id if its token holds the id now, 0 if another token holds it; -1 if the
marker does not match; or the error message if the shard failed.
]]
local now
local function claim(ready, inflight, claims, marker, first, last)
  local incarnation, lease, process, number = ARGV[first], ARGV[first + 1], ARGV[first + 2], tonumber(ARGV[first + 3])
  local mark, rests = redis.call('GET', marker), false
  if mark ~= incarnation then
    local size = #incarnation
    local rest = mark and string.sub(mark, 1, size) == incarnation and string.match(mark, '^!%d+:(%d+)$', size + 1)
    if not rest then
      return -1
    end
    rests = tonumber(rest) > now
  end
  local ids = {}
  for at = first + 4, last do
    ids[#ids + 1] = ARGV[at]
  end
  local stored, places = redis.call('HMGET', claims, unpack(ids)), redis.call('ZMSCORE', ready, unpack(ids))
  local replies, taken, claimed, leases = {}, {}, {}, {}
  for i = 1, #ids do
    local id, token = ids[i], process .. string.format('%.0f', number + i - 1)
    local due, isFree, isOurs = places[i], not (places[i] and rests), false
    if stored[i] then
      local colon = string.find(stored[i], ':', 1, true) or 0
      mark = string.sub(stored[i], colon + #token + 1)
      isOurs = string.sub(stored[i], colon + 1, colon + #token) == token
        and (mark == '' or string.find(mark, '^!%d+$') ~= nil)
      local leaseEnd = not isOurs and redis.call('ZSCORE', inflight, id)
      isFree = leaseEnd and tonumber(leaseEnd) <= now and not rests
      due = tonumber(string.sub(stored[i], 1, colon - 1))
      mark = string.match(stored[i], '!(%d+)$')
      due = due and mark and math.min(due, mark) or due
    elseif due and isFree then
      taken[#taken + 1] = id
    end
    if isFree then
      claimed[#claimed + 1] = id
      claimed[#claimed + 1] = (due or now) .. ':' .. token
    end
    if isFree or isOurs then
      leases[#leases + 1] = now + lease
      leases[#leases + 1] = id
    end
    replies[i] = (isFree or isOurs) and 1 or 0
  end
  if #taken > 0 then
    redis.call('ZREM', ready, unpack(taken))
  end
  if #claimed > 0 then
    redis.call('HSET', claims, unpack(claimed))
  end
  if #leases > 0 then
    redis.call('ZADD', inflight, unpack(leases))
  end
  return replies
end

local time = redis.call('TIME')
now = time[1] * 1000 + math.floor(time[2] / 1000)
local replies, at = {}, 1
for key = 1, #KEYS, 4 do
  local last = at + 4 + ARGV[at]
  local done, reply = pcall(claim, KEYS[key], KEYS[key + 1], KEYS[key + 2], KEYS[key + 3], at + 1, last)
  replies[#replies + 1] = done and reply or tostring(type(reply) == 'table' and reply.err or reply)
  at = last + 1
end
return replies
