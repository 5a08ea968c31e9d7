#!lua flags=allow-oom
--[[
Ends claims, of several shards: each id is gone, or ready again. One that was marked again is ready now in any case.

Guarantee: acts only where the token is the one stored, so that a late or repeated call does no harm.

Of each shard:
KEYS three: ready, inflight, claims; see claim.lua
ARGV the number of its triples, at most 1000, then these: id, token, ms until it is due again (-1: gone)

Answers of each shard how many ids are ready now because they were marked again; a text where it failed. Runs with memory
full, because it frees some.
]]
local now
local function finish(ready, inflight, claims, first, last)
  local ids = {}
  for at = first, last, 3 do
    ids[#ids + 1] = ARGV[at]
  end
  local stored = redis.call('HMGET', claims, unpack(ids))
  local ended, back, marked = {}, {}, 0
  for i = 1, #ids do
    local token, present = ARGV[first + 3 * i - 2], stored[i]
    local again = present == token .. '!'
    if again or present == token then
      ended[#ended + 1] = ids[i]
      local delay = tonumber(ARGV[first + 3 * i - 1])
      if again or delay >= 0 then
        if again then
          marked = marked + 1
        end
        back[#back + 1] = again and now or now + delay
        back[#back + 1] = ids[i]
      end
    end
  end
  if #ended > 0 then
    redis.call('ZREM', inflight, unpack(ended))
    redis.call('HDEL', claims, unpack(ended))
  end
  if #back > 0 then
    redis.call('ZADD', ready, unpack(back))
  end
  return marked
end

local time = redis.call('TIME')
now = time[1] * 1000 + math.floor(time[2] / 1000)
local replies, at = {}, 1
for key = 1, #KEYS, 3 do
  local last = at + 3 * ARGV[at]
  local done, reply = pcall(finish, KEYS[key], KEYS[key + 1], KEYS[key + 2], at + 1, last)
  replies[#replies + 1] = done and reply or tostring(type(reply) == 'table' and reply.err or reply)
  at = last + 1
end
return replies
