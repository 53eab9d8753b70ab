-- The step's requestHeaderModifier on top of the `headers` of an Istio rule or destination.
local tables = require("tables")

local istio_headers = {}

-- Drops a header from a map name → value, whatever its case.
local function drop(map, name)
  local lower = string.lower(name)
  for _, key in ipairs(map and { name, lower } or {}) do
    map[key] = nil
  end
  local other
  for key in pairs(map or {}) do
    if string.lower(key) == lower then
      other = key
    end
  end
  if other then
    map[other] = nil
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
  for _, header in ipairs(modifier.add or {}) do
    request.add = request.add or {}
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
