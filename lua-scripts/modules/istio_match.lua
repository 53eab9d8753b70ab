-- A step's match as Istio says it, and the AND of it with a match that a rule already has.
local condition = require("condition")
local istio_headers = require("istio_headers")
local quote = require("quote")
local tables = require("tables")

local istio_match = {}

local GATEWAY = "an Istio VirtualService"
local PATH_KINDS = { Exact = "exact", PathPrefix = "prefix", RegularExpression = "regex" }

local function string_match(item)
  if item.type == "RegularExpression" then
    return { regex = item.value }
  end
  return { exact = item.value }
end

local function starts_with(text, prefix)
  return string.sub(text, 1, #prefix) == prefix
end

-- The AND of two StringMatches of Istio as one: false when nothing satisfies both, nil when Istio cannot say it.
-- An empty StringMatch only asks that the header is there, which every other implies.
local function both(a, b)
  if not (a.exact or a.prefix or a.regex) then
    return b
  elseif not (b.exact or b.prefix or b.regex) then
    return a
  elseif a.exact and b.exact then
    return a.exact == b.exact and a
  elseif a.exact and b.prefix then
    return starts_with(a.exact, b.prefix) and a
  elseif a.prefix and b.exact then
    return starts_with(b.exact, a.prefix) and b
  elseif a.prefix and b.prefix then
    return starts_with(b.prefix, a.prefix) and b or starts_with(a.prefix, b.prefix) and a
  elseif a.regex and a.regex == b.regex then
    return a
  elseif a.regex == ".*" then
    return b
  elseif b.regex == ".*" then
    return a
  end
  return nil
end

-- As `both`, for a path: every path starts with a slash.
local function both_paths(a, b, ignore_case)
  if a.prefix == "/" then
    return b
  elseif b.prefix == "/" then
    return a
  elseif ignore_case and not (a.regex or b.regex) then
    return both(
      { exact = a.exact and string.lower(a.exact), prefix = a.prefix and string.lower(a.prefix) },
      { exact = b.exact and string.lower(b.exact), prefix = b.prefix and string.lower(b.prefix) }
    )
  end
  return both(a, b)
end

local function pattern_of(match)
  if match.regex then
    return "(?:" .. match.regex .. ")"
  elseif match.prefix then
    return quote.re2(match.prefix) .. ".*"
  end
  return quote.re2(match.exact)
end

-- "Neither of both" as one StringMatch to be negated: the OR of them.
local function either(a, b)
  if not (a.exact or a.prefix or a.regex) then
    return a
  elseif a.exact and a.exact == b.exact then
    return a
  end
  return { regex = pattern_of(a) .. "|" .. pattern_of(b) }
end

local function refuse_second(path, kind, name)
  condition.refuse(path, GATEWAY .. " holds one condition for each " .. kind .. ", and " .. name
    .. " has another that cannot be joined with this one; say both in one regular expression, or leave one out")
end

-- Adds a condition to a map of StringMatches; false when it contradicts what is there.
local function add(map, key, match, path, kind)
  local there = map[key]
  if there then
    local joined = both(there, match)
    if joined == nil then
      refuse_second(path, kind, key)
    end
    match = joined
  end
  map[key] = match
  return match
end

local function cookie_match(cookies, index, path)
  local pattern, reason = quote.cookie_header(cookies)
  if not pattern then
    condition.refuse(path, reason)
  end
  return { regex = pattern }
end

local function positive_headers(match, index, headers)
  for i, header in ipairs(match.headers or {}) do
    local path = condition.path(index, "headers", i, header.name)
    local key = istio_headers.key_of(headers, header.name) or header.name
    if not add(headers, key, string_match(header), path, "header") then
      return false
    end
  end
  for i, cookie in ipairs(match.cookies or {}) do
    local path = condition.path(index, "cookies", i, cookie.name)
    if i > 1 then
      condition.refuse(path, GATEWAY .. " reads cookies from one header with one pattern, so a match can ask for one"
        .. " cookie only; give each cookie a match of its own, or ask for one of them")
    end
    local key = istio_headers.key_of(headers, "cookie") or "cookie"
    if not add(headers, key, cookie_match({ cookie }, index, path), path, "header") then
      return false
    end
  end
  return true
end

local function negative_headers(without, index, headers)
  for i, header in ipairs(without.headers or {}) do
    local key = istio_headers.key_of(headers, header.name) or header.name
    local match = string_match(header)
    headers[key] = headers[key] and either(headers[key], match) or match
  end
  if condition.has(without.cookies) then
    local path = condition.path(index, "cookies", 1, without.cookies[1].name)
    local key = istio_headers.key_of(headers, "cookie") or "cookie"
    local match = cookie_match(without.cookies, index, path)
    headers[key] = headers[key] and either(headers[key], match) or match
  end
end

local function refuse_negations(without, index)
  for _, part in ipairs({ "path", "method" }) do
    if without[part] then
      condition.refuse(condition.path(index, part), GATEWAY .. " cannot say that a " .. part
        .. " must not match; write the paths or methods that are meant")
    end
  end
  for i, parameter in ipairs(without.queryParams or {}) do
    condition.refuse(condition.path(index, "queryParams", i, parameter.name), GATEWAY
      .. " cannot say that a query parameter must not match; ask for a header or cookie instead")
  end
end

-- `existing` (an HTTPMatchRequest, or nil for a rule without match) and match number `index` of the step, as one
-- HTTPMatchRequest; nil when no request satisfies both. Stops the run for what Istio cannot say.
function istio_match.combine(existing, match, index)
  local result = tables.copy(existing)
  if match.path then
    local wanted = { [PATH_KINDS[match.path.type]] = match.path.value }
    local uri = wanted
    if result.uri then
      uri = both_paths(result.uri, wanted, result.ignoreUriCase)
    end
    if uri == nil then
      refuse_second(condition.path(index, "path"), "path", "the rule")
    elseif not uri then
      return nil
    end
    result.uri = uri
  end
  if match.method then
    local wanted = string_match(match.method)
    local method = wanted
    if result.method then
      method = both(result.method, wanted)
    end
    if method == nil then
      refuse_second(condition.path(index, "method"), "method", "the rule")
    elseif not method then
      return nil
    end
    result.method = method
  end
  if condition.has(match.headers) or condition.has(match.cookies) then
    result.headers = tables.copy(result.headers)
    if not positive_headers(match, index, result.headers) then
      return nil
    end
  end
  if condition.has(match.queryParams) then
    result.queryParams = tables.copy(result.queryParams)
    for i, parameter in ipairs(match.queryParams) do
      local path = condition.path(index, "queryParams", i, parameter.name)
      if not add(result.queryParams, parameter.name, string_match(parameter), path, "query parameter") then
        return nil
      end
    end
  end
  if match.without then
    refuse_negations(match.without, index)
    if condition.has(match.without.headers) or condition.has(match.without.cookies) then
      result.withoutHeaders = tables.copy(result.withoutHeaders)
      negative_headers(match.without, index, result.withoutHeaders)
    end
  end
  return result
end

return istio_match
