#!lua flags=allow-oom
--[[
Lists the claims of a process in the shard whose token numbers lie below a bound. The process finds its orphans with
this list when its claims do not fit into one call of renew.lua.

Guarantee: changes nothing.

KEYS[1] claims: see claim.lua
ARGV[1] process: prefix of its tokens
ARGV[2] bound: only tokens with a lower number are listed

Returns {id, token, id, token ...}.
]]
local process, below = ARGV[1], tonumber(ARGV[2])
local claims = redis.call('HGETALL', KEYS[1])
local held = {}
for i = 1, #claims, 2 do
  local mark = string.find(claims[i + 1], '!%d+$')
  local token = string.sub(claims[i + 1], (string.find(claims[i + 1], ':', 1, true) or 0) + 1, mark and mark - 1)
  if string.sub(token, 1, #process) == process then
    local number = tonumber(string.sub(token, #process + 1))
    if number and number < below then
      held[#held + 1] = claims[i]
      held[#held + 1] = token
    end
  end
end
return held
