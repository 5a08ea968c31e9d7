#!lua
--[[
Records the heartbeat of a member, removes silent members, and lists all live members.

Guarantee: ages depend only on this server's clock. The keys expire without heartbeats. While members of one store are
alive, the script rejects a member that names another store.

KEYS[1] members  sorted set: member by its latest heartbeat
KEYS[2] infos    hash: member to its info
KEYS[3] store    string: the store of the members
ARGV[1] member
ARGV[2] its info
ARGV[3] ms after which a silent member is removed
ARGV[4] its store; empty: not known yet

Returns {state, member, ms since its heartbeat, info, member, ms, info ...}. The state is 1 if the member is new, 0 if
it was known, -1 if it was rejected.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[3])
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
local store = redis.call('GET', KEYS[3])
local foreign = ARGV[4] ~= '' and store and store ~= ARGV[4]
if not foreign then
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  if ARGV[4] ~= '' then redis.call('SET', KEYS[3], ARGV[4], 'PX', ttl) end
end
local silent = redis.call('ZRANGE', KEYS[1], '-inf', '(' .. string.format('%.0f', now - ttl), 'BYSCORE', 'LIMIT', 0, 1000)
if #silent > 0 then
  redis.call('ZREM', KEYS[1], unpack(silent))
  redis.call('HDEL', KEYS[2], unpack(silent))
end
if not foreign then
  redis.call('PEXPIRE', KEYS[1], 2 * ttl)
  redis.call('PEXPIRE', KEYS[2], 2 * ttl)
end
local members = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
local joined = foreign and -1 or ((not before or now - before > ttl) and 1 or 0)
local reply = { joined }
for i = 1, #members, 2 do
  reply[#reply + 1] = members[i]
  reply[#reply + 1] = math.max(0, now - members[i + 1])
  reply[#reply + 1] = redis.call('HGET', KEYS[2], members[i]) or '{}'
end
return reply
