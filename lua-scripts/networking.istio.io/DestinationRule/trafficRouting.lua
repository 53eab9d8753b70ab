-- Istio DestinationRule of the stable Service, when both versions share that Service: adds the subset `canary`, by the
-- labels of the new version's pods (patchPodTemplateMetadata), or the label that Kruise Rollouts expects where the
-- Rollout names none. Any other DestinationRule stays as it is.
-- sluice: defines destinations
local services = require("services")
local tables = require("tables")

local spec = obj.data.spec or {}
local namespace = obj.rollout and obj.rollout.namespace
local home = obj.object and obj.object.namespace
local is_stable = services.resolver(obj.stableService, namespace, home)

if obj.canaryService ~= obj.stableService or not is_stable(spec.host) then
  return obj.data
end

local subsets = spec.subsets or {}
for i = 1, #subsets do
  if subsets[i].name == "canary" then
    error("spec.subsets[" .. (i - 1) .. "]: the name canary is needed for the new version; give this subset another"
      .. " name", 0)
  end
end

local labels = tables.copy(obj.patchPodMetadata and obj.patchPodMetadata.labels)
if next(labels) == nil then
  labels["istio.service.tag"] = "gray"
end
subsets[#subsets + 1] = { name = "canary", labels = labels }
spec.subsets = subsets
return obj.data
