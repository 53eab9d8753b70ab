-- The step's requestHeaderModifier on top of the `headers` of an Istio rule or destination.
local condition = require("condition")
local tables = require("tables")

local istio_headers = {}

-- The key of a header in a map name → value, whatever its case (RFC 9110, 5.1); nil when it is not there.
function istio_headers.key_of(map, name)
  if map[name] ~= nil then
    return name
  end
  local lower = string.lower(name)
  for key in pairs(map) do
    if string.lower(key) == lower then
      return key
    end
  end
  return nil
end

local function drop(map, name)
  local key = map and istio_headers.key_of(map, name)
  if key then
    map[key] = nil
  end
end

-- A new `headers`; what the rule sets or adds itself stays, except for the headers that the step sets or removes.
-- Envoy removes before it sets and adds, so the rule's own `remove` stays as well.
function istio_headers.modified(headers, modifier)
  local result = tables.copy(headers)
  local request = tables.copy(result.request)
  if request.set then
    request.set = tables.copy(request.set)
  end
  if request.add then
    request.add = tables.copy(request.add)
  end
  for _, header in ipairs(modifier.set or {}) do
    drop(request.set, header.name)
    drop(request.add, header.name)
    request.set = request.set or {}
    request.set[header.name] = header.value
  end
  for i, header in ipairs(modifier.add or {}) do
    request.add = request.add or {}
    if istio_headers.key_of(request.add, header.name) then
      condition.refuse("requestHeaderModifier.add[" .. (i - 1) .. "] (" .. header.name .. ")", "the rule adds this"
        .. " header already, and an Istio VirtualService adds each header once; set it instead")
    end
    request.add[header.name] = header.value
  end
  if modifier.remove and #modifier.remove > 0 then
    local remove = {}
    for i, name in ipairs(request.remove or {}) do
      remove[i] = name
    end
    for _, name in ipairs(modifier.remove) do
      drop(request.set, name)
      drop(request.add, name)
      remove[#remove + 1] = name
    end
    request.remove = remove
  end
  result.request = request
  return result
end

return istio_headers
