#!lua flags=allow-oom
--[[
Ends claims in several shards: each id is removed, returned to its place, or scheduled for later. An id that was marked
again becomes ready, due no later than its mark.

Guarantee: ends a claim only if the stored token matches, so late and repeated calls are harmless.

Runs when memory is full (allow-oom), because it frees memory.

KEYS, three per shard: ready, inflight, claims; see claim.lua
ARGV, per shard: the number of triples, at most 1000, then the triples: id, token, ms until due again (-1: remove,
-2: return to its place)

Returns one reply per shard: the number of ids that were marked again, or the error message if the shard failed.
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
    local claim, token = stored[i], ARGV[first + 3 * i - 2]
    local colon = claim and string.find(claim, ':', 1, true) or 0
    local last = colon + #token
    if claim and string.sub(claim, colon + 1, last) == token then
      local mark = #claim > last and string.match(claim, '^!(%d+)$', last + 1)
      -- Rejects a longer stored token of which this token is a prefix: no mark follows the prefix.
      if mark or #claim == last then
        ended[#ended + 1] = ids[i]
        local delay, due = tonumber(ARGV[first + 3 * i - 1]), nil
        if delay >= 0 then
          due = now + delay
        elseif delay == -2 then
          due = tonumber(string.sub(claim, 1, colon - 1)) or now
        end
        if mark then
          marked = marked + 1
          due = math.min(due or mark, mark)
        end
        if due then
          back[#back + 1] = due
          back[#back + 1] = ids[i]
        end
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
