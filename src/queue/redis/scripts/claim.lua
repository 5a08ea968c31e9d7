#!lua flags=allow-oom
--[[
Returns expired leases to ready, each in its place, then moves due ids to in flight, the longest due first.

Guarantee: each id handed over leaves ready in the same step, under a token of its own. An answer that gets lost leaves
its ids in flight until their lease ends, or until renew.lua finds them as orphans. What is in flight stays so where the
server has evicted its lease or its claim alone.

KEYS[1] ready     sorted set: id by due time
KEYS[2] inflight  sorted set: id by end of lease
KEYS[3] claims    hash: id to claim, which is "<due time>:<token>", followed by "!<time of the mark>" while it is marked
                  again. Times are in ms since 1970. A token ends in a slash and a number; it is empty where the
                  claim was evicted and its holder has not renewed it yet.
KEYS[4] marker    string: the incarnation that the shard was rebuilt for, followed by "!<time>:<time>" while it rests from
                  the first to the second: what was due until the first may be running and is not handed over
ARGV[1] incarnation that the marker must hold
ARGV[2] latest time for this claim, ms since 1970 by this server's clock
ARGV[3] most ids to hand over, at most 1000
ARGV[4] lease in ms
ARGV[5] process: how its tokens begin
ARGV[6] number of the first token
ARGV[7] most leases to return, at most 1000

Answers {-2} when it came late, {-1} without the marker, else {0, ms until the next id can be handed over (zero or
less: it has been due for so long; nothing: none is ready), ms until the first lease ends (-1: nothing is in flight), id, ms that it was due, id, ms ...}. Runs with memory full, because what is claimed now can be finished.
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

-- When an id is due whose claim ends: since its mark or its due time, whichever is earlier.
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

-- A server that evicts keys may have dropped all leases, or all claims, and some of either were made since.
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
      -- What was put into ready meanwhile may be running. Its holder knows its place better.
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
