#!lua flags=allow-oom
--[[
Ends claims: each id is gone, or ready again. One that was marked again is ready now in any case.

Guarantee: acts only where the token is the one stored, so that a late or repeated call does no harm.

KEYS[1] ready, KEYS[2] inflight, KEYS[3] claims: see claim.lua
ARGV    triples: id, token, ms until it is due again (-1: gone); at most 1000 triples

Answers how many ids are ready now because they were marked again. Runs with memory full, because it frees some.
]]
local ids, count = {}, #ARGV / 3
for i = 1, count do
  ids[i] = ARGV[3 * i - 2]
end
local stored = redis.call('HMGET', KEYS[3], unpack(ids))
local ended, back, marked, now = {}, {}, 0, nil
for i = 1, count do
  local token, present = ARGV[3 * i - 1], stored[i]
  local again = present == token .. '!'
  if again or present == token then
    ended[#ended + 1] = ids[i]
    local delay = tonumber(ARGV[3 * i])
    if again or delay >= 0 then
      if not now then
        local time = redis.call('TIME')
        now = time[1] * 1000 + math.floor(time[2] / 1000)
      end
      if again then
        marked = marked + 1
      end
      back[#back + 1] = again and now or now + delay
      back[#back + 1] = ids[i]
    end
  end
end
if #ended > 0 then
  redis.call('ZREM', KEYS[2], unpack(ended))
  redis.call('HDEL', KEYS[3], unpack(ended))
end
if #back > 0 then
  redis.call('ZADD', KEYS[1], unpack(back))
end
return marked
