#!lua flags=allow-oom
--[[
Ends claims, of several shards: each id is gone, back in its place, or due later. One that was marked again is due since
its mark at the latest.

Guarantee: acts only where the token is the one stored, so that a late or repeated call does no harm.

Of each shard:
KEYS three: ready, inflight, claims; see claim.lua
ARGV the number of its triples, at most 1000, then these: id, token, ms until it is due again (-1: gone, -2: back in its
place)

Answers of each shard how many ids were marked again; a text where it failed. Runs with memory full, because it frees some.
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
      -- A longer token that begins like this one has no mark there.
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
