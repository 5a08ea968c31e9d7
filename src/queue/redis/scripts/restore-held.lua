#!lua
--[[
Puts absent ids in flight without a token. According to the store, a live process works on them; that process is
expected to renew the claims that the server has lost.

Guarantee: the ids keep their places, and no other process claims them before the lease ends. Ids that are ready or in
flight stay as they are, but an id parked for longer than the lease becomes due when the lease would end. A repeated
call has no further effect.

KEYS[1] ready, KEYS[2] inflight, KEYS[3] claims: see claim.lua
ARGV[1] lease in ms
ARGV[2] and following: at most 1000 pairs of ms until due, id

Returns the ids that were absent.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local leaseEnd = now + ARGV[1]
local ids, count = {}, (#ARGV - 1) / 2
for i = 1, count do
  ids[i] = ARGV[2 * i + 1]
end
local stored = redis.call('HMGET', KEYS[3], unpack(ids))
local scores = redis.call('ZMSCORE', KEYS[1], unpack(ids))
local absent = {}
for i = 1, count do
  if scores[i] then
    redis.call('ZADD', KEYS[1], 'LT', leaseEnd, ids[i])
  elseif not stored[i] and redis.call('HSETNX', KEYS[3], ids[i], now + ARGV[2 * i] .. ':') == 1 then
    redis.call('ZADD', KEYS[2], 'NX', leaseEnd, ids[i])
    absent[#absent + 1] = ids[i]
  end
end
return absent
