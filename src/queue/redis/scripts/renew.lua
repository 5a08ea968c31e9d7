#!lua flags=allow-oom
--[[
Prolongs all leases of a process in the shard, and releases its orphans: claims whose reply got lost.

Guarantee: the script does not touch ids that another token holds, and returns them as lost. A listed id that the server
knows as ready, without a holder, or not at all returns to flight in its place and is reported as revived. If the id was
due in ready, it is also marked again, because a wake-up may have made it due. Orphans become ready in their places. A
repeated call has no further effect.

Runs when memory is full (allow-oom), because it preserves existing claims.

KEYS[1] ready, KEYS[2] inflight, KEYS[3] claims: see claim.lua
ARGV[1] lease in ms
ARGV[2] process: prefix of its tokens
ARGV[3] bound: unlisted claims with a lower token number are orphans; 0: do not look for orphans
ARGV[4] and following: at most 1000 triples of id, token, ms until due (negative if overdue)

Returns {number of lost ids, id, token, id, token ...}: the pairs of the lost ids, then the pairs of the revived ids.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leaseEnd, process, below = now + ARGV[1], ARGV[2], tonumber(ARGV[3])
local ids, listed, count = {}, {}, (#ARGV - 3) / 3
local lost, revived = {}, {}
if count > 0 then
  for i = 1, count do
    ids[i] = ARGV[3 * i + 1]
  end
  local stored = redis.call('HMGET', KEYS[3], unpack(ids))
  local leases, taken = {}, {}
  for i = 1, count do
    local id, token, claim = ids[i], ARGV[3 * i + 2], stored[i]
    local colon = claim and string.find(claim, ':', 1, true) or 0
    local last = colon + #token
    local isOurs = claim
      and string.sub(claim, colon + 1, last) == token
      and (#claim == last or string.find(claim, '^!%d+$', last + 1))
    if not isOurs and (not claim or string.find(claim, '^!?%d*$', colon + 1)) then
      local due, mark = now + ARGV[3 * i + 3], ''
      if claim then
        due, mark = math.min(due, string.sub(claim, 1, colon - 1)), string.sub(claim, colon + 1)
      else
        local score = redis.call('ZSCORE', KEYS[1], id)
        if score then
          redis.call('ZREM', KEYS[1], id)
          due, mark = math.min(due, score), tonumber(score) <= now and '!' .. now or ''
        end
      end
      taken[#taken + 1] = id
      taken[#taken + 1] = due .. ':' .. token .. mark
      revived[#revived + 1] = id
      revived[#revived + 1] = token
      isOurs = true
    end
    if isOurs then
      listed[id] = true
      leases[#leases + 1] = leaseEnd
      leases[#leases + 1] = id
    else
      lost[#lost + 1] = id
      lost[#lost + 1] = token
    end
  end
  if #leases > 0 then
    redis.call('ZADD', KEYS[2], unpack(leases))
  end
  if #taken > 0 then
    redis.call('HSET', KEYS[3], unpack(taken))
  end
  count = #leases / 2
end

-- Usually the listed ids are all that is in flight, and the shard has no orphans.
if below > 0 and redis.call('HLEN', KEYS[3]) > count then
  local claims = redis.call('HGETALL', KEYS[3])
  for i = 1, #claims, 2 do
    local id, claim = claims[i], claims[i + 1]
    local colon = string.find(claim, ':', 1, true) or 0
    if not listed[id] and string.sub(claim, colon + 1, colon + #process) == process then
      local number, mark = string.match(claim, '^(%d+)!?(%d*)$', colon + #process + 1)
      if number and tonumber(number) < below then
        local due = tonumber(string.sub(claim, 1, colon - 1)) or now
        redis.call('HDEL', KEYS[3], id)
        redis.call('ZREM', KEYS[2], id)
        redis.call('ZADD', KEYS[1], mark == '' and due or math.min(due, mark), id)
      end
    end
  end
end
local reply = { #lost / 2 }
for i = 1, #lost do
  reply[#reply + 1] = lost[i]
end
for i = 1, #revived do
  reply[#reply + 1] = revived[i]
end
return reply
