-- Alibaba Cloud ALB. Two forms of a canary Ingress, which its controller refuses on one Ingress together:
--   canary annotations: a weight; or one header by exact value and a cookie with the value always, both required. An
--     Ingress with a weight is not read for conditions.
--   custom conditions: an ordinary Ingress with a higher order, whose JSON conditions are all required: headers,
--     cookies, query parameters, a method.
-- Values know the wildcards * and ? and no regular expression.
local condition = require("condition")
local quote = require("quote")
local tables = require("tables")

local PREFIX = "alb.ingress.kubernetes.io/"
local FAMILY = {
  "canary", "canary-by-cookie", "canary-by-header", "canary-by-header-pattern", "canary-by-header-value",
  "canary-weight", "order",
}
local HELP = "an Istio VirtualService or an HTTPRoute can"
local MOST = 10

local function refuse(path, message)
  condition.refuse(path, "the ALB Ingress controller " .. message)
end

-- Limits of the fields that ALB documents for its forwarding conditions.
local function check_value(value, path, longest)
  if string.find(value, "[%*%?]") then
    refuse(path, "reads * and ? in a value as wildcards, which cannot be quoted; leave them out")
  elseif #value > longest or string.find(value, "[^\32-\126]") or string.find(value, "^ ") or string.find(value, " $")
    or value == "" then
    refuse(path, "takes 1 to " .. longest .. " printable ASCII characters, without spaces at the ends")
  end
end

local function check_item(item, path)
  if item.type == "RegularExpression" then
    refuse(path, "has no regular expressions; ask for an exact value")
  end
end

local function check_header(item, path)
  check_item(item, path)
  local name = string.lower(item.name)
  if #name > 40 or not string.find(name, "^[%w_%-]+$") or name == "cookie" or name == "host" then
    refuse(path, "takes names of up to 40 letters, digits, - and _, and neither Cookie nor Host")
  end
  check_value(item.value, path, 128)
end

local function check_pair(item, path)
  check_item(item, path)
  check_value(item.name, path, 100)
  check_value(item.value, path, 128)
  if string.find(item.name .. item.value, "[%u #%[%]{}\\|<>&;]") then
    refuse(path, "takes neither capital letters nor spaces nor #[]{}\\|<>&; in cookies and query parameters")
  end
end

-- Keys in alphabetical order, so that the text is the same each time.
local function pair_condition(sort, field, item)
  return '{"' .. field .. '":{"values":[{"key":' .. quote.json(item.name) .. ',"value":' .. quote.json(item.value)
    .. '}]},"type":"' .. sort .. '"}'
end

local function header_condition(item)
  return '{"headerConfig":{"key":' .. quote.json(item.name) .. ',"values":[' .. quote.json(item.value)
    .. ']},"type":"Header"}'
end

local function method_condition(method, path)
  check_item(method, path)
  check_value(method.value, path, 128)
  return '{"methodConfig":{"values":[' .. quote.json(method.value) .. ']},"type":"Method"}'
end

-- The headers, cookies and the rest of a match, each checked. A header named canary-by-cookie is the name that Kruise
-- Rollouts gives a cookie condition: its value is the cookie's name.
local function read(match)
  local headers, cookies, json = {}, {}, {}
  for i, header in ipairs(match.headers or {}) do
    local path = condition.path(1, "headers", i, header.name)
    if header.name == "canary-by-cookie" then
      check_item(header, path)
      cookies[#cookies + 1] = { name = header.value, value = "always" }
      json[#json + 1] = pair_condition("Cookie", "cookieConfig", cookies[#cookies])
    else
      check_header(header, path)
      headers[#headers + 1] = header
      json[#json + 1] = header_condition(header)
    end
  end
  for i, cookie in ipairs(match.cookies or {}) do
    check_pair(cookie, condition.path(1, "cookies", i, cookie.name))
    cookies[#cookies + 1] = cookie
    json[#json + 1] = pair_condition("Cookie", "cookieConfig", cookie)
  end
  local simple = #json
  for i, parameter in ipairs(match.queryParams or {}) do
    check_pair(parameter, condition.path(1, "queryParams", i, parameter.name))
    json[#json + 1] = pair_condition("QueryString", "queryStringConfig", parameter)
  end
  if match.method then
    json[#json + 1] = method_condition(match.method, condition.path(1, "method"))
  end
  return headers, cookies, json, simple == #json
end

local function refuse_the_inexpressible(matches)
  if #matches > 1 then
    refuse("matches[1]", "requires all conditions of an Ingress, so two matches cannot be alternatives; " .. HELP)
  elseif matches[1].path then
    refuse(condition.path(1, "path"), "takes the path from the rules of the Ingress; " .. HELP)
  end
  if matches[1].without then
    refuse(condition.first_path(1, matches[1].without), "cannot say that a condition must not hold; an Istio"
      .. " VirtualService can, for headers and cookies")
  end
end

local function say(annotations, matches)
  refuse_the_inexpressible(matches)
  local headers, cookies, json, simple = read(matches[1])
  if #json == 0 then
    condition.refuse("matches[0]", "it holds no condition")
  elseif simple and #headers <= 1 and (#cookies == 0 or #cookies == 1 and cookies[1].value == "always") then
    if headers[1] then
      annotations[PREFIX .. "canary-by-header"] = headers[1].name
      annotations[PREFIX .. "canary-by-header-value"] = headers[1].value
    end
    if cookies[1] then
      annotations[PREFIX .. "canary-by-cookie"] = cookies[1].name
    end
    return
  elseif #json > MOST then
    refuse("matches[0]", "takes at most " .. MOST .. " conditions")
  end
  annotations[PREFIX .. "canary"] = nil
  annotations[PREFIX .. "conditions." .. obj.canaryService] = "[" .. table.concat(json, ",") .. "]"
end

-- Annotations that name the stable Service must name the canary's on the canary Ingress.
local function follow_service(annotations)
  local key = PREFIX .. "backend-svcs-protocols"
  local protocols = annotations[key] and json.decode(annotations[key])
  if type(protocols) == "table" and type(protocols[obj.stableService]) == "string" then
    annotations[key] = "{" .. quote.json(obj.canaryService) .. ":" .. quote.json(protocols[obj.stableService]) .. "}"
  end
  if annotations[PREFIX .. "conditions." .. obj.stableService] then
    refuse("the annotation " .. PREFIX .. "conditions." .. obj.stableService,
      "refuses custom conditions on a path that also has a canary; move that path to an Ingress of its own")
  end
end

local annotations = tables.copy(obj.annotations)
for _, key in ipairs(FAMILY) do
  annotations[PREFIX .. key] = nil
end
annotations[PREFIX .. "conditions." .. obj.canaryService] = nil
follow_service(annotations)
annotations[PREFIX .. "canary"] = "true"
annotations[PREFIX .. "order"] = "1"
local matches = condition.list(obj.matches)
if obj.mirror and obj.mirror.percent then
  refuse("mirror", "cannot mirror the requests of a canary Ingress; " .. HELP)
elseif obj.requestHeaderModifier then
  refuse("requestHeaderModifier", "cannot change request headers for the canary only; " .. HELP)
elseif matches and obj.weight ~= "-1" and obj.weight ~= "0" then
  refuse("traffic", "does not read the conditions of a canary Ingress that has a weight; give the traffic and the"
    .. " matches a step each, or use an Istio VirtualService or an HTTPRoute")
end
if matches then
  say(annotations, matches)
elseif obj.weight ~= "-1" then
  annotations[PREFIX .. "canary-weight"] = obj.weight
end
return annotations
