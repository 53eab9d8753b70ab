-- Istio VirtualService. Rules are found by the Services that they lead to; a rule that does not lead to the stable
-- Service stays as it is.
--   traffic: in each rule the canary gets its percentage of the stable destinations' share; weights add up to 100
--     (a rule whose own weights add up to more keeps its sum, so that no small share is lost).
--   matches: above each rule stands, for each match in the given order, a copy of it with the match added, which leads
--     to the canary only.
--   mirror: the rule's requests are mirrored to the canary.
-- tcp and tls rules know weights only.
local condition = require("condition")
local istio_headers = require("istio_headers")
local istio_match = require("istio_match")
local services = require("services")
local tables = require("tables")
local weights = require("weights")

local spec = obj.data.spec or {}
local canary_service = obj.canaryService
-- One Service for both versions: the canary is a subset of it, which the DestinationRule's script makes.
local by_subset = canary_service == obj.stableService
local percent = obj.canaryWeight
local matches = condition.list(obj.matches)
local modifier = obj.requestHeaderModifier
local mirrored = obj.mirror and obj.mirror.percent

local namespace = obj.rollout and obj.rollout.namespace
local home = obj.object and obj.object.namespace
local is_stable = services.resolver(obj.stableService, namespace, home)
local is_canary = services.resolver(canary_service, namespace, home)

local function canary_destination(destination)
  local result = tables.copy(destination)
  if by_subset then
    result.subset = "canary"
  else
    result.host = canary_service .. is_stable(destination.host)
    result.subset = nil
  end
  return result
end

-- What a rule's route leads to. `before` are its weights, `canary_of` as weights.divide wants it: one canary
-- destination for each port of the stable ones. `first[c]` is the entry that canary c is derived from, `own[c]` the
-- entry for the canary that the user's own rule has. nil when no stable destination has a share.
local function survey(route)
  local count = #route
  local before, canary_of, first, own, port_canary = {}, {}, {}, {}, {}
  local canaries, sum, stable = 0, 0, false
  for i = 1, count do
    local weight = route[i].weight or 0
    if count == 1 then
      weight = 100
    end
    before[i] = weight
    sum = sum + weight
  end
  if sum == 0 then
    for i = 1, count do
      before[i] = 1
    end
    sum = count
  end
  local owned = {}
  for i = 1, count do
    local destination = route[i].destination
    local host = destination and destination.host
    local port = destination and destination.port and destination.port.number or 0
    local is_own = by_subset and destination and destination.subset == "canary" and is_stable(host)
      or (not by_subset and is_canary(host))
    if is_own then
      owned[#owned + 1] = { index = i, port = port }
    elseif before[i] > 0 and is_stable(host) then
      local canary = port_canary[port]
      if not canary then
        canaries = canaries + 1
        canary = canaries
        port_canary[port] = canary
        first[canary] = i
      end
      canary_of[i] = canary
      stable = true
    end
  end
  if not stable then
    return nil
  end
  for _, entry in ipairs(owned) do
    local canary = port_canary[entry.port]
    if canary and not own[canary] then
      own[canary] = entry.index
      before[first[canary]] = before[first[canary]] + before[entry.index]
      before[entry.index] = 0
    end
  end
  return { before = before, canary_of = canary_of, first = first, own = own, canaries = canaries, sum = sum }
end

local function split(route, found, with_headers)
  local count = #route
  local total = found.sum > 100 and found.sum or 100
  local after = weights.divide(found.before, found.canary_of, found.canaries, percent, found.sum, total)
  local added = {}
  for canary = 1, found.canaries do
    local derived = route[found.first[canary]]
    local own = found.own[canary]
    local entry = own and route[own] or tables.copy(derived)
    if not own then
      entry.destination = canary_destination(derived.destination)
      added[#added + 1] = entry
    end
    entry.weight = after[count + canary]
    if modifier and with_headers then
      entry.headers = istio_headers.modified(entry.headers, modifier)
    end
    if own then
      after[own] = entry.weight
    end
  end
  for i = 1, count do
    local entry = route[i]
    if entry.weight ~= after[i] and not (entry.weight == nil and found.before[i] == 0) then
      entry.weight = after[i]
    end
  end
  for _, entry in ipairs(added) do
    route[count + 1] = entry
    count = count + 1
  end
end

-- The destinations of a canary rule: the canary only, on each port in the ratio of the stable ones.
local function canary_route(route, found)
  local result, before, canary_of, sum = {}, {}, {}, 0
  for i = 1, #route do
    if found.canary_of[i] then
      before[#before + 1] = found.before[i]
      canary_of[#canary_of + 1] = found.canary_of[i]
      sum = sum + found.before[i]
    end
  end
  local after = weights.divide(before, canary_of, found.canaries, 100, sum, 100)
  for canary = 1, found.canaries do
    local derived = route[found.first[canary]]
    local entry = tables.copy(derived)
    entry.destination = canary_destination(derived.destination)
    entry.weight = nil
    if found.canaries > 1 then
      entry.weight = after[#before + canary]
    end
    result[canary] = entry
  end
  return result
end

-- The rule that takes the requests of match number `index`, or nil when none of them reaches this rule.
local function canary_rule(rule, found, match, index)
  local own, list = rule.match, {}
  if own and #own > 0 then
    for i = 1, #own do
      list[#list + 1] = istio_match.combine(own[i], match, index)
    end
  else
    list[1] = istio_match.combine(nil, match, index)
  end
  if #list == 0 then
    return nil
  end
  local result = tables.copy(rule)
  result.match = list
  result.route = canary_route(rule.route, found)
  if rule.name then
    result.name = rule.name .. "-canary"
  end
  if modifier then
    result.headers = istio_headers.modified(rule.headers, modifier)
  end
  return result
end

local function mirror_to_canary(rule, found, index)
  if rule.mirror or rule.mirrors or rule.mirrorPercentage then
    condition.refuse("mirror", "rule " .. index .. " of the VirtualService mirrors its requests already, and Istio"
      .. " cannot mirror a part of them to a second place; take its mirror out, or mirror.percent from the step")
  end
  rule.mirror = canary_destination(rule.route[found.first[1]].destination)
  rule.mirrorPercentage = { value = mirrored }
end

-- Rewrites the http rules; gives whether any leads to the stable Service.
local function rewrite_http()
  local rules = spec.http
  local result, reached = {}, false
  for i = 1, #rules do
    local rule = rules[i]
    local found = rule.route and survey(rule.route)
    if found then
      reached = true
      for index = 1, matches and #matches or 0 do
        result[#result + 1] = canary_rule(rule, found, matches[index], index)
      end
      if mirrored then
        mirror_to_canary(rule, found, i - 1)
      end
      if percent >= 0 then
        split(rule.route, found, true)
      end
    end
    result[#result + 1] = rule
  end
  if matches then
    spec.http = result
  end
  return reached
end

local function rewrite_plain(section, http_reached)
  local rules = spec[section]
  for i = 1, #rules do
    local route = rules[i].route
    local found = route and survey(route)
    if found then
      if not http_reached then
        local what = matches and condition.path(1, "headers, path, …") or modifier and "requestHeaderModifier"
          or mirrored and "mirror"
        if what then
          condition.refuse(what, "only http rules of a VirtualService know requests, and " .. obj.stableService
            .. " is reached by " .. section .. " rules only; give the step traffic alone")
        end
      end
      if percent >= 0 then
        split(route, found, false)
      end
    end
  end
end

local http_reached = spec.http and rewrite_http()
if spec.tcp then
  rewrite_plain("tcp", http_reached)
end
if spec.tls then
  rewrite_plain("tls", http_reached)
end
return obj.data
