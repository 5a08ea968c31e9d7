#!lua flags=allow-oom
--[[
Lists what a process holds in the shard below a number: with it, orphans are found where the list of what is held does
not fit into one call of renew.lua.

Guarantee: changes nothing.

KEYS[1] claims: see claim.lua
ARGV[1] process: how its tokens begin
ARGV[2] only tokens with a lower number than this

Answers {id, token, id, token ...}.
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
