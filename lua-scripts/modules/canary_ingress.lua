-- The annotations of a canary Ingress of the ingress-nginx family. A canary Ingress says one condition of each sort and
-- a weight; what a step asks for beyond that stops the run.
--
-- `class` tells the controllers apart:
--   gateway        its name in errors
--   plain          a Lua pattern: exact values that `canary-by-header-value` takes as they are
--   exact_pattern  quoting function for every other exact value, which becomes a pattern
--   pattern        function of a regular expression: what to write, or nil and the reason
--   cookie_name    a Lua pattern for names of cookies that are taken as they are
--   query          prefix of the annotations for query parameters, where the controller has them
--   header_control prefix of the annotations that change request headers, where the controller has them
--   alternatives   a header, a cookie and the weight on one Ingress are ORed in this order; otherwise the first one of
--                  them hides the others: at most one condition
--   weight_beside  whether a weight counts beside a condition
--   prefixes       prefixes beside that of ingress-nginx under which it reads annotations of the family: whatever a
--                  step does not say is cleared under all of them
local condition = require("condition")
local quote = require("quote")
local tables = require("tables")

local canary_ingress = {}

local NGINX = "nginx.ingress.kubernetes.io/"
local FAMILY = {
  "canary", "canary-by-cookie", "canary-by-cookie-value", "canary-by-header", "canary-by-header-pattern",
  "canary-by-header-value", "canary-by-query", "canary-by-query-pattern", "canary-by-query-value", "canary-weight",
  "canary-weight-total",
}
local HELP = "an Istio VirtualService or an HTTPRoute can"

-- Says the value of a header or query parameter under `key`.
local function say_value(annotations, key, item, class, path)
  if string.find(item.value, "%c") then
    condition.refuse(path, "a control character cannot stand in a value; take it out")
  elseif item.type == "RegularExpression" then
    local pattern, reason = class.pattern(item.value)
    if not pattern then
      condition.refuse(path, reason)
    end
    annotations[key .. "-pattern"] = pattern
  elseif string.find(item.value, class.plain) then
    annotations[key .. "-value"] = item.value
  else
    annotations[key .. "-pattern"] = "^" .. class.exact_pattern(item.value) .. "$"
  end
end

local function say_header(annotations, item, class, path)
  if not string.find(item.name, "^[%w_%-]+$") then
    condition.refuse(path, class.gateway .. " does not take a header of that name; use letters, digits, - and _")
  end
  annotations[NGINX .. "canary-by-header"] = item.name
  say_value(annotations, NGINX .. "canary-by-header", item, class, path)
end

local function say_query(annotations, item, class, path)
  if not class.query then
    condition.refuse(path, class.gateway .. " cannot choose by query parameter; " .. HELP)
  elseif not string.find(item.name, "^[%w_%-%.~]+$") then
    condition.refuse(path, class.gateway .. " does not take a query parameter of that name")
  end
  annotations[class.query .. "canary-by-query"] = item.name
  say_value(annotations, class.query .. "canary-by-query", item, class, path)
end

local function say_cookie(annotations, name, class, path)
  if not string.find(name, class.cookie_name) then
    condition.refuse(path, class.gateway .. " does not take a cookie of that name; use letters, digits, - and _")
  end
  annotations[NGINX .. "canary-by-cookie"] = name
end

local function refuse_the_inexpressible(match, index, class)
  for _, part in ipairs({ "path", "method" }) do
    if match[part] then
      condition.refuse(condition.path(index, part), "a canary Ingress of " .. class.gateway .. " cannot choose by "
        .. part .. "; " .. HELP)
    end
  end
  local without = match.without
  if without then
    condition.refuse(condition.first_path(index, without), "a canary Ingress of " .. class.gateway
      .. " cannot say that a condition must not hold; an Istio VirtualService can, for headers and cookies")
  end
end

-- The conditions of a match: {sort, item, path} each.
local function conditions_of(match, index)
  local result = {}
  for i, header in ipairs(match.headers or {}) do
    local path = condition.path(index, "headers", i, header.name)
    -- The name that Kruise Rollouts gives a cookie condition; its value is the cookie's name.
    if header.name == "canary-by-cookie" then
      result[#result + 1] = { sort = "cookie", item = { name = header.value, value = "always" }, path = path }
    else
      result[#result + 1] = { sort = "header", item = header, path = path }
    end
  end
  for i, cookie in ipairs(match.cookies or {}) do
    local path = condition.path(index, "cookies", i, cookie.name)
    result[#result + 1] = { sort = "cookie", item = cookie, path = path }
  end
  for i, parameter in ipairs(match.queryParams or {}) do
    local path = condition.path(index, "queryParams", i, parameter.name)
    result[#result + 1] = { sort = "query", item = parameter, path = path }
  end
  return result
end

local function check_cookie(item, class, path)
  if item.type == "RegularExpression" or item.value ~= "always" then
    condition.refuse(path, class.gateway .. " only asks whether a cookie has the value always; use that value, or a"
      .. " header")
  end
end

local function say(annotations, matches, class)
  local said = {}
  for index = 1, #matches do
    local match = matches[index]
    refuse_the_inexpressible(match, index, class)
    local conditions = conditions_of(match, index)
    if #conditions == 0 then
      condition.refuse("matches[" .. (index - 1) .. "]", "it holds no condition")
    elseif #conditions > 1 then
      condition.refuse(conditions[2].path, "a canary Ingress of " .. class.gateway .. " holds one condition, so two"
        .. " cannot be required together (" .. conditions[1].path .. " is the other); " .. HELP)
    end
    local sort, item, path = conditions[1].sort, conditions[1].item, conditions[1].path
    local other = said[sort] or (not class.alternatives and said.any)
    if other then
      condition.refuse(path, "a canary Ingress of " .. class.gateway .. " holds one condition"
        .. (class.alternatives and " of each sort" or "") .. ", and " .. other .. " takes it; join values of one"
        .. " header in a regular expression, or give each condition a step of its own")
    end
    said[sort], said.any = path, path
    if sort == "header" then
      say_header(annotations, item, class, path)
    elseif sort == "query" then
      say_query(annotations, item, class, path)
    else
      check_cookie(item, class, path)
      say_cookie(annotations, item.name, class, path)
    end
  end
end

local function lines_of(text)
  local result = {}
  for line in string.gmatch(text or "", "[^\n]+") do
    result[#result + 1] = line
  end
  return result
end

-- The lines `name value` (or the names of a list) that do not speak of one of `headers`.
local function lines_without(lines, headers)
  local result = {}
  for _, line in ipairs(lines) do
    local name = string.lower(string.match(line, "^%s*(%S*)") or "")
    local named = false
    for _, header in ipairs(headers or {}) do
      named = named or string.lower(header.name or header) == name
    end
    if not named then
      result[#result + 1] = line
    end
  end
  return result
end

-- The step's requestHeaderModifier beside what the Ingress itself changes: lines `name value`, names joined by commas.
local function change_headers(annotations, modifier, class)
  local prefix = class.header_control .. "request-header-control-"
  local kept = {}
  for _, verb in ipairs({ "update", "add" }) do
    kept[verb] = lines_without(lines_without(lines_of(annotations[prefix .. verb]), modifier.set), modifier.remove)
  end
  for _, change in ipairs({ { "update", "set" }, { "add", "add" } }) do
    local verb, part = change[1], change[2]
    for i, header in ipairs(modifier[part] or {}) do
      local line, reason = quote.header_line(header.name, header.value)
      if not line then
        condition.refuse("requestHeaderModifier." .. part .. "[" .. (i - 1) .. "] (" .. header.name .. ")", reason)
      end
      kept[verb][#kept[verb] + 1] = line
    end
    annotations[prefix .. verb] = #kept[verb] > 0 and table.concat(kept[verb], "\n") or nil
  end
  if modifier.remove and #modifier.remove > 0 then
    local names = lines_without(lines_of((string.gsub(annotations[prefix .. "remove"] or "", "%s*,%s*", "\n"))),
      modifier.remove)
    for _, name in ipairs(modifier.remove) do
      names[#names + 1] = name
    end
    annotations[prefix .. "remove"] = table.concat(names, ",")
  end
end

-- The complete annotations of the canary Ingress.
function canary_ingress.annotations(input, class)
  local annotations = tables.copy(input.annotations)
  for _, key in ipairs(FAMILY) do
    annotations[NGINX .. key] = nil
    for _, prefix in ipairs(class.prefixes) do
      annotations[prefix .. key] = nil
    end
  end
  if input.mirror and input.mirror.percent then
    condition.refuse("mirror", "a canary Ingress of " .. class.gateway .. " cannot mirror requests; " .. HELP)
  end
  annotations[NGINX .. "canary"] = "true"
  local matches = condition.list(input.matches)
  local weighted = input.weight ~= "-1"
  if weighted and matches and not class.weight_beside then
    if input.weight ~= "0" then
      condition.refuse("traffic", class.gateway .. " ignores the weight of a canary Ingress that has a condition; give"
        .. " the traffic and the matches a step each, or use an Istio VirtualService or an HTTPRoute")
    end
    weighted = false
  end
  if weighted then
    annotations[NGINX .. "canary-weight"] = input.weight
  end
  if matches then
    say(annotations, matches, class)
  end
  local modifier = input.requestHeaderModifier
  if modifier then
    if not class.header_control then
      condition.refuse("requestHeaderModifier", class.gateway .. " cannot change request headers for the canary only; "
        .. HELP)
    end
    change_headers(annotations, modifier, class)
  end
  return annotations
end

return canary_ingress
