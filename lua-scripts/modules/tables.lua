-- Copies: what a script derives from a table of the object shares all that it does not change.
local tables = {}

function tables.copy(source)
  local result = {}
  if source then
    for key, value in pairs(source) do
      result[key] = value
    end
  end
  return result
end

return tables
