-- Gateway API HTTPRoute. Rules are found by the Services in their backendRefs; a rule that does not lead to the stable
-- Service stays as it is.
--   traffic: in each rule the canary gets its percentage of the stable refs' share. Weights are relative here: a rule
--     whose weights add up to 100 or more keeps its sum, a smaller one is scaled up so that nothing is rounded away
--     (to 100 where that divides evenly: one ref becomes 80 and 20).
--   matches: above each rule stands a copy of it whose matches also ask for those of the step and which leads to the
--     canary only.
--   mirror: the rule's requests are mirrored to the canary.
-- Defaults of the API are written out, so that the stored object is what this script returned.
local condition = require("condition")
local route_match = require("route_match")
local tables = require("tables")
local weights = require("weights")

-- Limits of the CRD: rules of a route, matches of a rule, matches of all rules.
local RULES, MATCHES, ALL_MATCHES = 16, 64, 128
local FILTER_ENTRIES = 16

local spec = obj.data.spec or {}
local stable_service, canary_service = obj.stableService, obj.canaryService
local percent = obj.canaryWeight
local matches = condition.list(obj.matches)
local modifier = obj.requestHeaderModifier
local mirrored = obj.mirror and obj.mirror.percent
local home = obj.object and obj.object.namespace
local namespace = obj.rollout and obj.rollout.namespace
-- Objects from files often have no namespace: then it is the same one.
if namespace == nil or namespace == "" then
  namespace = home
end
if home == nil or home == "" then
  home = namespace
end

local function leads_to(ref, service)
  return ref.name == service
    and (ref.kind == nil or ref.kind == "Service")
    and (ref.group == nil or ref.group == "")
    and (ref.namespace or home) == namespace
end

local function canary_ref(ref)
  local result = tables.copy(ref)
  result.group = result.group or ""
  result.kind = result.kind or "Service"
  result.name = canary_service
  return result
end

-- As in the VirtualService: what the refs of a rule lead to, one canary ref for each port of the stable ones.
local function survey(refs)
  local before, canary_of, first, own, port_canary, owned = {}, {}, {}, {}, {}, {}
  local canaries, sum = 0, 0
  for i = 1, #refs do
    local ref = refs[i]
    before[i] = ref.weight or 1
    sum = sum + before[i]
    if leads_to(ref, stable_service) then
      if before[i] > 0 then
        local port = ref.port or 0
        local canary = port_canary[port]
        if not canary then
          canaries = canaries + 1
          canary = canaries
          port_canary[port] = canary
          first[canary] = i
        end
        canary_of[i] = canary
      end
    elseif leads_to(ref, canary_service) then
      owned[#owned + 1] = i
    end
  end
  if canaries == 0 then
    return nil
  elseif stable_service == canary_service then
    error("an HTTPRoute tells versions apart by their Service, and this Rollout has one Service for both; let it"
      .. " generate the canary Service (disableGenerateCanaryService: false)", 0)
  end
  for _, i in ipairs(owned) do
    local canary = port_canary[refs[i].port or 0]
    if canary and not own[canary] then
      own[canary] = i
      before[first[canary]] = before[first[canary]] + before[i]
      before[i] = 0
    end
  end
  return { before = before, canary_of = canary_of, first = first, own = own, canaries = canaries, sum = sum }
end

local function named(list, name)
  local lower = string.lower(name)
  for i = 1, #list do
    if string.lower(list[i].name or list[i]) == lower then
      return i
    end
  end
  return nil
end

-- `list` (of {name, value}, or of names) without the headers that `others` name.
local function without(list, others)
  local result = {}
  for i = 1, #(list or {}) do
    if not named(others or {}, list[i].name or list[i]) then
      result[#result + 1] = list[i]
    end
  end
  return result
end

local function joined(list, more)
  for i = 1, #(more or {}) do
    list[#list + 1] = more[i]
  end
  return list
end

-- The step's requestHeaderModifier on top of a filter's: what the step sets or removes, the rule no longer does.
local function merged_modifier(own)
  local result = {}
  for i, header in ipairs(modifier.add or {}) do
    if named(own.add or {}, header.name) then
      condition.refuse("requestHeaderModifier.add[" .. (i - 1) .. "] (" .. header.name .. ")", "the rule adds this"
        .. " header already, and a filter of an HTTPRoute adds each header once; set it instead")
    end
  end
  local parts = {
    set = joined(without(without(own.set, modifier.set), modifier.remove), modifier.set),
    add = joined(without(without(own.add, modifier.set), modifier.remove), modifier.add),
    remove = joined(without(without(own.remove, modifier.set), modifier.remove), modifier.remove),
  }
  for _, part in ipairs({ "set", "add", "remove" }) do
    if #parts[part] > FILTER_ENTRIES then
      condition.refuse("requestHeaderModifier." .. part, "an HTTPRoute filter holds at most " .. FILTER_ENTRIES
        .. " headers, and with those of the rule there are " .. #parts[part])
    elseif #parts[part] > 0 then
      result[part] = parts[part]
    end
  end
  return result
end

-- Filters with the step's requestHeaderModifier; a rule or ref may have one filter of that type only.
local function with_modifier(filters)
  local result, found = {}, false
  for i = 1, #(filters or {}) do
    result[i] = filters[i]
    if filters[i].type == "RequestHeaderModifier" then
      found = true
      result[i] = tables.copy(filters[i])
      result[i].requestHeaderModifier = merged_modifier(filters[i].requestHeaderModifier or {})
    end
  end
  if not found then
    result[#result + 1] = { type = "RequestHeaderModifier", requestHeaderModifier = merged_modifier({}) }
  end
  return result
end

local function scale_of(sum)
  if sum >= 100 then
    return sum
  elseif 100 % sum == 0 then
    return 100
  end
  return sum * 100
end

local function split(refs, found)
  local count = #refs
  local after = weights.divide(found.before, found.canary_of, found.canaries, percent, found.sum, scale_of(found.sum))
  local added = {}
  for canary = 1, found.canaries do
    local own = found.own[canary]
    local ref = own and refs[own] or canary_ref(refs[found.first[canary]])
    ref.weight = after[count + canary]
    if modifier then
      ref.filters = with_modifier(ref.filters)
    end
    if own then
      after[own] = ref.weight
    else
      added[#added + 1] = ref
    end
  end
  for i = 1, count do
    if refs[i].weight ~= after[i] then
      refs[i].weight = after[i]
    end
  end
  for i = 1, #added do
    refs[count + i] = added[i]
  end
end

local function canary_refs(refs, found)
  local result = {}
  for i = 1, #refs do
    local canary = found.canary_of[i]
    if canary and found.first[canary] == i then
      local ref = canary_ref(refs[i])
      ref.weight = 0
      result[canary] = ref
    end
    if canary then
      result[canary].weight = result[canary].weight + (refs[i].weight or 1)
    end
  end
  return result
end

-- Every match of every rule with its rule and its rank (see route_match.rank).
local function ranked_matches()
  local result = {}
  for i = 1, #spec.rules do
    local list = spec.rules[i].matches
    if list == nil or #list == 0 then
      list = { {} }
    end
    for m = 1, #list do
      result[#result + 1] = { rule = i, match = list[m], rank = route_match.rank(list[m]) }
    end
  end
  return result
end

-- The matches of other rules that win against this one.
local function stronger_than(base, all)
  local result = {}
  for i = 1, #all do
    if all[i].rule ~= base.rule and route_match.beats(all[i].rank, base.rank) then
      result[#result + 1] = all[i].match
    end
  end
  return result
end

-- Whether a stronger match took all of these requests before `base` could: then they never reached its rule, and a
-- derived match, which may be more specific than the stronger one, would take them away from theirs.
local function taken(derived, stronger)
  for i = 1, #stronger do
    if route_match.covers(stronger[i], derived) then
      return true
    end
  end
  return false
end

-- The matches of the canary rule for rule `index`: those of the step, in the order given, for each of the rule's own.
local function derived_matches(all, index)
  local bases, result = {}, {}
  for i = 1, #all do
    if all[i].rule == index then
      bases[#bases + 1] = { match = all[i].match, stronger = stronger_than(all[i], all) }
    end
  end
  for step = 1, #matches do
    for i = 1, #bases do
      local derived = route_match.combine(bases[i].match, matches[step], step)
      if derived and not taken(derived, bases[i].stronger) then
        result[#result + 1] = derived
      end
    end
  end
  return result
end

-- Names of rules are unique within a route.
local function canary_name(name)
  local wanted = name .. "-canary"
  for i = 1, #spec.rules do
    if spec.rules[i].name == wanted then
      return nil
    end
  end
  return wanted
end

-- The rule that takes the step's requests from rule `index`, or nil when none of them reaches it.
local function canary_rule(rule, found, all, index)
  local list = derived_matches(all, index)
  if #list == 0 then
    return nil
  elseif #list > MATCHES then
    condition.refuse("matches", "rule " .. (index - 1) .. " of the HTTPRoute would need " .. #list .. " matches for"
      .. " them, and a rule holds at most " .. MATCHES .. "; use fewer matches in the step or in the rule")
  end
  local result = tables.copy(rule)
  result.matches = list
  result.backendRefs = canary_refs(rule.backendRefs, found)
  if rule.name then
    result.name = canary_name(rule.name)
  end
  if modifier then
    result.filters = with_modifier(rule.filters)
  end
  return result
end

local function check_limits(rules)
  local all = 0
  for i = 1, #rules do
    all = all + math.max(1, #(rules[i].matches or {}))
  end
  if #rules > RULES then
    condition.refuse("matches", "the HTTPRoute would need " .. #rules .. " rules for them, and holds at most " .. RULES
      .. "; split the route in two")
  elseif all > ALL_MATCHES then
    condition.refuse("matches", "the HTTPRoute would need " .. all .. " matches in all for them, and holds at most "
      .. ALL_MATCHES .. "; split the route in two, or use fewer matches in the step")
  end
end

local function mirror_to_canary(rule, found)
  local ref = rule.backendRefs[found.first[1]]
  local backend = { group = ref.group or "", kind = ref.kind or "Service", name = canary_service }
  backend.namespace = ref.namespace
  backend.port = ref.port
  local request_mirror = { backendRef = backend }
  -- Without a percentage all requests are mirrored, which every version of the API knows.
  if mirrored ~= 100 then
    request_mirror.percent = mirrored
  end
  local filters = joined({}, rule.filters)
  filters[#filters + 1] = { type = "RequestMirror", requestMirror = request_mirror }
  rule.filters = filters
end

local rules = spec.rules or {}
local surveys, result = {}, {}
for i = 1, #rules do
  surveys[i] = rules[i].backendRefs and survey(rules[i].backendRefs) or false
end
local all = matches and #rules > 0 and ranked_matches()
for i = 1, #rules do
  local rule, found = rules[i], surveys[i]
  if found then
    if matches then
      result[#result + 1] = canary_rule(rule, found, all, i)
    end
    if mirrored then
      mirror_to_canary(rule, found)
    end
    if percent >= 0 then
      split(rule.backendRefs, found)
    end
  end
  result[#result + 1] = rule
end
if #result > #rules then
  check_limits(result)
  spec.rules = result
end
return obj.data
