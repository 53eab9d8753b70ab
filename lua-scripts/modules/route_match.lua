-- A step's match as Gateway API says it, and the AND of it with a match that a rule already has.
local condition = require("condition")
local quote = require("quote")
local tables = require("tables")

local route_match = {}

local GATEWAY = "an HTTPRoute"

-- PathPrefix compares whole path elements; a slash at the end of the prefix does not count (Gateway API, PathPrefix).
local function under(prefix, path)
  prefix = string.gsub(prefix, "/+$", "")
  return prefix == "" or path == prefix or string.sub(path, 1, #prefix + 1) == prefix .. "/"
end

-- The AND of two path matches as one: false when no path satisfies both, nil when it cannot be said.
local function both_paths(a, b)
  if a.type == "PathPrefix" and under(a.value, "/") then
    return b
  elseif b.type == "PathPrefix" and under(b.value, "/") then
    return a
  elseif a.type == b.type and a.value == b.value then
    return a
  elseif a.type == "RegularExpression" or b.type == "RegularExpression" then
    return nil
  elseif a.type == "Exact" then
    return b.type == "PathPrefix" and under(b.value, a.value) and a
  elseif b.type == "Exact" then
    return under(a.value, b.value) and b
  end
  -- The rule's own where both mean the same (/api and /api/): the shorter text would lose against it.
  return under(b.value, a.value) and a or under(a.value, b.value) and b
end

-- Adds a condition to a list of {type, name, value}; false when it contradicts what is there. `fold` compares names.
local function add(list, item, fold, path, kind)
  local name = fold(item.name)
  for i = 1, #list do
    local there = list[i]
    if fold(there.name) == name then
      local there_type = there.type or "Exact"
      if there_type == item.type and there.value == item.value then
        return true
      elseif there_type == "Exact" and item.type == "Exact" then
        return false
      end
      condition.refuse(path, GATEWAY .. " holds one condition for each " .. kind .. ", and " .. there.name
        .. " has another that cannot be joined with this one; say both in one regular expression, or leave one out")
    end
  end
  list[#list + 1] = { type = item.type, name = item.name, value = item.value }
  if #list > 16 then
    condition.refuse(path, GATEWAY .. " holds at most 16 conditions on " .. kind .. "s in one match")
  end
  return true
end

local function list_of(source)
  local result = {}
  for i = 1, #(source or {}) do
    result[i] = source[i]
  end
  return result
end

local function same(name)
  return name
end

local function add_headers(result, match, index)
  local headers = list_of(result.headers)
  for i, header in ipairs(match.headers or {}) do
    if not add(headers, header, string.lower, condition.path(index, "headers", i, header.name), "header") then
      return false
    end
  end
  for i, cookie in ipairs(match.cookies or {}) do
    local path = condition.path(index, "cookies", i, cookie.name)
    if i > 1 then
      condition.refuse(path, GATEWAY .. " reads cookies from one header with one pattern, so a match can ask for one"
        .. " cookie only; give each cookie a match of its own, or ask for one of them")
    end
    local pattern, reason = quote.cookie_header({ cookie })
    if not pattern then
      condition.refuse(path, reason)
    end
    local header = { type = "RegularExpression", name = "cookie", value = pattern }
    if not add(headers, header, string.lower, path, "header") then
      return false
    end
  end
  if #headers > 0 then
    result.headers = headers
  end
  return true
end

local function add_method(result, method, index)
  if method.type ~= "Exact" then
    condition.refuse(condition.path(index, "method"), GATEWAY
      .. " compares methods exactly; give each method a match of its own")
  elseif result.method and result.method ~= method.value then
    return false
  end
  result.method = method.value
  return true
end

local function refuse_negations(without, index)
  for _, part in ipairs({ "path", "method" }) do
    if without[part] then
      condition.refuse(condition.path(index, part), GATEWAY .. " cannot say that a " .. part .. " must not match")
    end
  end
  for _, part in ipairs({ "headers", "cookies", "queryParams" }) do
    for i, item in ipairs(without[part] or {}) do
      condition.refuse(condition.path(index, part, i, item.name), GATEWAY .. " cannot say that a condition must not"
        .. " hold; an Istio VirtualService can, for headers and cookies")
    end
  end
end

-- `existing` (an HTTPRouteMatch, or nil for a rule without matches) and match number `index` of the step as one
-- HTTPRouteMatch; nil when no request satisfies both. Stops the run for what Gateway API cannot say.
function route_match.combine(existing, match, index)
  local result = tables.copy(existing)
  -- What the API server would write where a match says nothing of the path.
  local path = result.path or {}
  if not (path.type and path.value) then
    result.path = { type = path.type or "PathPrefix", value = path.value or "/" }
  end
  if match.without then
    refuse_negations(match.without, index)
  end
  if match.path then
    path = both_paths(result.path, { type = match.path.type, value = match.path.value })
    if path == nil then
      condition.refuse(condition.path(index, "path"), GATEWAY .. " holds one path in a match, and the rule's own ("
        .. result.path.value .. ") cannot be joined with " .. match.path.value .. "; write both without a pattern")
    elseif not path then
      return nil
    end
    result.path = path
  end
  if match.method and not add_method(result, match.method, index) then
    return nil
  end
  if not add_headers(result, match, index) then
    return nil
  end
  if condition.has(match.queryParams) then
    local parameters = list_of(result.queryParams)
    for i, parameter in ipairs(match.queryParams) do
      local path = condition.path(index, "queryParams", i, parameter.name)
      if not add(parameters, parameter, same, path, "query parameter") then
        return nil
      end
    end
    result.queryParams = parameters
  end
  return result
end

-- How specific a match is: Gateway API prefers an exact path, then a pattern, then the longer prefix, then a method,
-- then more headers, then more query parameters.
local PATH_RANK = { Exact = 3, RegularExpression = 2, PathPrefix = 1 }

function route_match.rank(match)
  local path = match.path or { type = "PathPrefix", value = "/" }
  return {
    PATH_RANK[path.type or "PathPrefix"] or 0,
    #(path.value or "/"),
    match.method and 1 or 0,
    #(match.headers or {}),
    #(match.queryParams or {}),
  }
end

-- Whether the match of the first rank wins against that of the second wherever a request satisfies both.
function route_match.beats(a, b)
  for i = 1, #a do
    if a[i] ~= b[i] then
      return a[i] > b[i]
    end
  end
  return false
end

local function holds(list, item, fold)
  for i = 1, #(list or {}) do
    local there = list[i]
    if fold(there.name) == fold(item.name) and there.value == item.value
      and (there.type or "Exact") == (item.type or "Exact") then
      return true
    end
  end
  return false
end

local function covers_path(wide, narrow)
  if wide.type ~= "PathPrefix" then
    return wide.type == narrow.type and wide.value == narrow.value
  elseif narrow.type == "RegularExpression" then
    return under(wide.value, "/")
  end
  return under(wide.value, narrow.value)
end

-- Whether every request of `narrow`, which has a path, also satisfies `wide`.
function route_match.covers(wide, narrow)
  if wide.path and not covers_path(wide.path, narrow.path) then
    return false
  elseif wide.method and wide.method ~= narrow.method then
    return false
  end
  for _, header in ipairs(wide.headers or {}) do
    if not holds(narrow.headers, header, string.lower) then
      return false
    end
  end
  for _, parameter in ipairs(wide.queryParams or {}) do
    if not holds(narrow.queryParams, parameter, same) then
      return false
    end
  end
  return true
end

return route_match
