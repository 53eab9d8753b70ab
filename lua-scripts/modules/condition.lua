-- Names the conditions of a step in errors, and stops the run for one that the gateway cannot express.
-- Indexes count from 0, as in the field paths of the Rollout: matches[1].headers[0] (x-user).
local condition = {}

function condition.path(match, part, item, name)
  local path = "matches[" .. (match - 1) .. "]." .. part
  if item then
    path = path .. "[" .. (item - 1) .. "]"
  end
  if name then
    path = path .. " (" .. name .. ")"
  end
  return path
end

-- The path of the first condition in a match or in its `without`.
function condition.first_path(match, parts)
  for _, part in ipairs({ "path", "method" }) do
    if parts[part] then
      return condition.path(match, part)
    end
  end
  for _, part in ipairs({ "headers", "cookies", "queryParams" }) do
    if condition.has(parts[part]) then
      return condition.path(match, part, 1, parts[part][1].name)
    end
  end
  return "matches[" .. (match - 1) .. "]"
end

-- Level 0: the message speaks about the Rollout, a line of the script would only mislead its author.
function condition.refuse(path, message)
  error(path .. ": " .. message, 0)
end

-- The step's matches, or nil when it has none: an empty list asks for nothing. Each of them is looked into, also where
-- no rule of the object turns out to need it: what a script leaves unread counts as not understood.
function condition.list(matches)
  if not matches or #matches == 0 then
    return nil
  end
  for i = 1, #matches do
    local match = matches[i]
    local parts = { match.cookies or false, match.method or false, match.without or false }
    for j = 1, #parts do
      if parts[j] then
        next(parts[j])
      end
    end
  end
  return matches
end

-- Whether a part of a match (headers, cookies, …) is there and holds something.
function condition.has(part)
  return part ~= nil and next(part) ~= nil
end

return condition
