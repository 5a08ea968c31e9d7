#!lua flags=allow-oom
--[[
Prolongs the leases of everything that a process holds in the shard, and finds its orphans: claims whose answer got lost.

Guarantee: what another token holds is left alone and answered as lost. What the process lists and the server knows as ready
or not at all is in flight again and answered as revived; if it was due, it is marked again, because a wake-up may have made
it so. A repeated call changes nothing more.

KEYS[1] ready, KEYS[2] inflight, KEYS[3] claims: see claim.lua
ARGV[1] lease in ms
ARGV[2] process: how its tokens begin
ARGV[3] orphans have a lower number than this; 0: do not look for them
ARGV    from 4 on pairs: id, token; at most 1000 pairs

Answers {ids lost, id, token, id, token ...}: so many pairs that another token holds, then those revived. Runs with memory
full, because it keeps what is there.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leaseEnd, process, below = now + ARGV[1], ARGV[2], tonumber(ARGV[3])
local ids, listed, count = {}, {}, (#ARGV - 3) / 2
local lost, revived = {}, {}
if count > 0 then
  for i = 1, count do
    ids[i] = ARGV[2 * i + 2]
  end
  local stored = redis.call('HMGET', KEYS[3], unpack(ids))
  local leases, taken = {}, {}
  for i = 1, count do
    local id, token, present = ids[i], ARGV[2 * i + 3], stored[i]
    if not present then
      local due = redis.call('ZSCORE', KEYS[1], id)
      if due then
        redis.call('ZREM', KEYS[1], id)
      end
      taken[#taken + 1] = id
      taken[#taken + 1] = (due and tonumber(due) <= now) and token .. '!' or token
      revived[#revived + 1] = id
      revived[#revived + 1] = token
    end
    if not present or present == token or present == token .. '!' then
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

-- Nothing else in flight is the usual case, and then there is no orphan to look for.
if below > 0 and redis.call('HLEN', KEYS[3]) > count then
  local claims = redis.call('HGETALL', KEYS[3])
  for i = 1, #claims, 2 do
    local id, token = claims[i], claims[i + 1]
    if not listed[id] and string.sub(token, 1, #process) == process then
      local number = tonumber((string.gsub(string.sub(token, #process + 1), '!$', '')))
      if number and number < below then
        redis.call('HDEL', KEYS[3], id)
        redis.call('ZREM', KEYS[2], id)
        redis.call('ZADD', KEYS[1], now, id)
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
