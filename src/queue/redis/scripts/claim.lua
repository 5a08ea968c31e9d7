#!lua flags=allow-oom
--[[
Returns ids with expired leases to ready, each in its place, then moves due ids to in flight, the longest due first.

Guarantee: each claimed id leaves ready in the same step, under a token of its own. If the reply gets lost, the ids stay
in flight until their lease ends or renew.lua finds them as orphans. An id in flight stays in flight if the server
evicts only its lease or only its claim.

Runs when memory is full (allow-oom), because claimed work can finish and free memory.

KEYS[1] ready     sorted set: id by due time
KEYS[2] inflight  sorted set: id by end of lease
KEYS[3] claims    hash: id to claim, "<due time>:<token>", followed by "!<time of the mark>" if the id was marked again.
                  Times are in ms since 1970. A token ends in a slash and a number; it is empty after an eviction of the
                  claim, until the holder renews it.
KEYS[4] marker    string: the incarnation that the shard was rebuilt for, followed by "!<from>:<until>" while the shard
                  rests. Ids due by <from> may be running and are not handed out before <until>.
ARGV[1] incarnation that the marker must hold
ARGV[2] latest time for this claim, ms since 1970 by this server's clock
ARGV[3] maximum number of ids to claim, at most 1000
ARGV[4] lease in ms
ARGV[5] process: prefix of its tokens
ARGV[6] number of the first token
ARGV[7] maximum number of expired leases to return, at most 1000

Returns {-2} if the claim arrived late, {-1} if the marker does not match, otherwise {0, delay, lease end, id, ms since
it was due, id, ms ...}. The delay is the ms until the next id can be claimed: zero or negative if one is overdue, nil
if none is ready. The lease end is the ms until the first lease ends; -1 if nothing is in flight.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[2]) then
  return { -2 }
end
local marker, restsFrom, restsUntil = redis.call('GET', KEYS[4]), nil, nil
if marker ~= ARGV[1] then
  local size = #ARGV[1]
  if marker and string.sub(marker, 1, size) == ARGV[1] then
    restsFrom, restsUntil = string.match(marker, '^!(%d+):(%d+)$', size + 1)
  end
  if not restsUntil then
    return { -1 }
  end
  if tonumber(restsUntil) <= now then
    restsUntil = nil
    redis.call('SET', KEYS[4], ARGV[1])
  end
end

-- The due time of an id after its claim ends: its due time or its mark, whichever is earlier.
local function place(claim)
  local due, mark = tonumber(string.match(claim, '^(%-?%d+):')), tonumber(string.match(claim, '!(%d+)$'))
  return due and mark and math.min(due, mark) or due
end

local expired = redis.call('ZRANGE', KEYS[2], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[7], 'WITHSCORES')
if #expired > 0 then
  local back, ids = {}, {}
  for i = 1, #expired, 2 do
    ids[#ids + 1] = expired[i]
  end
  local stored = redis.call('HMGET', KEYS[3], unpack(ids))
  for i = 1, #ids do
    back[2 * i - 1], back[2 * i] = stored[i] and place(stored[i]) or expired[2 * i], ids[i]
  end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, #ids - 1)
  redis.call('HDEL', KEYS[3], unpack(ids))
  redis.call('ZADD', KEYS[1], 'LT', unpack(back))
end

-- An eviction may have dropped the whole hash of claims or set of leases; later claims may have created it again.
local claimed, leased = redis.call('HLEN', KEYS[3]), redis.call('ZCARD', KEYS[2])
if claimed > leased then
  local ids = redis.call('HKEYS', KEYS[3])
  for i = 1, #ids do
    redis.call('ZADD', KEYS[2], 'NX', now + ARGV[4], ids[i])
  end
elseif leased > claimed then
  local leases = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
  for i = 1, #leases, 2 do
    if redis.call('HEXISTS', KEYS[3], leases[i]) == 0 then
      -- An id that was added to ready meanwhile may be running. Its holder knows its exact due time.
      local due = redis.call('ZSCORE', KEYS[1], leases[i])
      local claim = math.min(due or leases[i + 1], leases[i + 1]) .. ':'
      if due then
        redis.call('ZREM', KEYS[1], leases[i])
        claim = tonumber(due) <= now and claim .. '!' .. now or claim
      end
      redis.call('HSET', KEYS[3], leases[i], claim)
    end
  end
end

local first = restsUntil and '(' .. restsFrom or '-inf'
local due = redis.call('ZRANGE', KEYS[1], first, now, 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')
local reply = { 0, false, -1 }
if #due > 0 then
  local leaseEnd, process, number = now + ARGV[4], ARGV[5], tonumber(ARGV[6])
  local leases, claims = {}, {}
  for i = 1, #due, 2 do
    local id = due[i]
    leases[i], leases[i + 1] = leaseEnd, id
    claims[i], claims[i + 1] = id, due[i + 1] .. ':' .. process .. string.format('%.0f', number)
    number = number + 1
    reply[i + 3], reply[i + 4] = id, now - due[i + 1]
  end
  local rank = restsUntil and redis.call('ZRANK', KEYS[1], due[1]) or 0
  redis.call('ZREMRANGEBYRANK', KEYS[1], rank, rank + #due / 2 - 1)
  redis.call('ZADD', KEYS[2], unpack(leases))
  redis.call('HSET', KEYS[3], unpack(claims))
end

local following = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if following and restsUntil and tonumber(following) <= tonumber(restsFrom) then
  following = redis.call('ZRANGE', KEYS[1], first, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
  following = math.min(following or restsUntil, restsUntil)
end
if following then
  reply[2] = math.ceil(following - now)
end
if #expired == 2 * ARGV[7] then
  reply[2] = math.min(reply[2] or 0, 0)
end
local leased = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if #leased > 0 then
  reply[3] = math.max(0, math.ceil(leased[2] - now))
end
return reply
